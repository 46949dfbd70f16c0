//! The `http` block, compiled: sockets, the servers reached through each, their locations.

use crate::conf::{self, Conf, Contexts, Listen, ListenSocket, Node, Scope, Section, Setting, Span};
use crate::http::exchange::limits;
use crate::http::exchange::log_format::{LOG_FORMAT, LogFormat};
use crate::http::lint;
use crate::http::phases::files::{ROOT, Rest};
use crate::http::site::captured::Captured;
use crate::http::site::listen::{LISTEN, TCP_NODELAY};
use crate::http::site::regex::{MatchError, Regex};
use crate::http::site::route::{AddError, Locations, Rule, ServerNames};
use crate::http::site::template::Names;
use crate::http::views::{self, View};
use crate::log::LogRef;
use crate::os::{Addr, ListenOptions};

pub static HTTP: Section = Section::new("http")
    .contexts(Contexts::MAIN)
    .inner(Contexts::HTTP)
    .args(0, 0)
    .once()
    .about("Holds the servers, and settings that they inherit.");

pub static SERVER: Section = Section::new("server")
    .contexts(Contexts::HTTP)
    .inner(Contexts::SERVER)
    .args(0, 0)
    .about("One virtual server: where it listens, what names it answers to, its locations.");

pub static LOCATION: Section = Section::new("location")
    .contexts(Contexts::SERVER.union(Contexts::LOCATION))
    .inner(Contexts::LOCATION)
    .args(1, 2)
    .syntax("[= | ~ | ~* | ^~] URI | @NAME")
    .about(
        "Settings for some uris: exactly this one (`=`), those that start so (longest first; `^~` stops before the \
         regexes), those that a regex fits (`~`, or `~*` without regard to case; the first that does), or those that \
         an internal redirect sends to `@NAME`.",
    );

pub static SERVER_NAME: Setting<Vec<ServerName>> = Setting::many(
    &["server_name"],
    |args, names: &mut Vec<ServerName>| {
        for i in 0..args.len() {
            names.push(ServerName::parse(args, i)?);
        }
        Ok(())
    },
)
.contexts(Contexts::SERVER)
.args(1, usize::MAX)
.syntax("NAME ...")
.local()
.about(
    "The names of the server: exact, `*.example.org`, `.example.org` (both), `www.example.*`, or a regex behind `~`. \
     An exact name wins over a wildcard in front, that over one behind, that over a regex.",
);

/// One name of a server.
#[derive(Debug, Clone)]
pub struct ServerName {
    text: String,
    span: Span,
}

impl ServerName {
    fn parse(args: &mut conf::Args, i: usize) -> Result<ServerName, conf::Error> {
        let text = args.str(i)?;
        let span = args.span(i);
        match text.strip_prefix('~') {
            Some("") => Err(args.bad(i, "empty regex in server name \"~\"")),
            // Kept as it is: case matters in a pattern, and names are compared in lower case.
            Some(pattern) => {
                let regex = Regex::new(pattern, true).map_err(|error| args.bad(i, error))?;
                args.notes::<Names>().capture(regex.names().map(|(name, _)| name));
                Ok(ServerName { text: text.to_owned(), span })
            }
            None if matches!(text, "*" | "*." | ".") || text.starts_with('*') && !text.starts_with("*.") => {
                Err(args.bad(i, format!("server name \"{text}\" is invalid")))
            }
            None => {
                if text.contains('/') {
                    args.warn(i, format!("server name \"{text}\" has suspicious symbols"));
                }
                Ok(ServerName { text: text.to_ascii_lowercase(), span })
            }
        }
    }
}

/// The whole `http` block.
#[derive(Debug)]
pub struct Site {
    pub sockets: Vec<ListenSocket>,
    bounds: Vec<Bound>,
    servers: Vec<Server>,
    locations: Vec<Location>,
    log_formats: Vec<LogFormat>,
    /// Warnings: the conf works, but can't be meant so.
    pub warnings: Vec<conf::Error>,
    /// Name of this machine.
    pub hostname: String,
    needs_local_address: bool,
    keeps_heads: bool,
    names_accept_delay: bool,
    shows_times: bool,
    /// The named groups of the locations' regexes.
    captured: Vec<String>,
}

/// The servers of one listen address.
#[derive(Debug)]
struct Bound {
    addr: Addr,
    default: usize,
    /// The `listen` that says `default_server`.
    default_said: Option<Span>,
    servers: Vec<usize>,
    /// Options of the socket, and the `listen` that sets them.
    options: Option<(ListenOptions, Span)>,
    span: Span,
    names: ServerNames<Named>,
}

/// The server that a name leads to.
#[derive(Debug, Clone)]
struct Named {
    server: usize,
    /// Where the name stands.
    span: Span,
}

/// One `server`.
#[derive(Debug)]
pub struct Server {
    pub scope: Scope,
    /// Its first name, `$server_name`.
    pub name: String,
    pub(in crate::http) locations: Locations<usize>,
    /// The location that stands for the server itself, where no other fits.
    pub own: usize,
}

/// One `location`, or a server's own settings in its place.
#[derive(Debug)]
pub struct Location {
    pub index: usize,
    /// Its name in the conf, or that of the server.
    pub span: Span,
    pub scope: Scope,
    pub pattern: Pattern,
    /// What of a uri its root or alias puts behind the path.
    pub rest: Rest,
    pub error_log: LogRef,
    /// What of the service it shows, instead of files.
    pub view: Option<&'static View>,
}

/// What a location fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    Server,
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Regex,
    Named,
}

impl Site {
    /// Compiles the `http` block of a loaded conf; a conf without one has an empty site.
    pub fn new(conf: &Conf) -> Result<Site, conf::Error> {
        let mut site = Site {
            sockets: Vec::new(),
            bounds: Vec::new(),
            servers: Vec::new(),
            locations: Vec::new(),
            log_formats: Vec::new(),
            warnings: Vec::new(),
            hostname: crate::os::machine::hostname(),
            needs_local_address: false,
            keeps_heads: false,
            names_accept_delay: false,
            shows_times: false,
            captured: Vec::new(),
        };
        if let Some(names) = conf.notes::<Names>() {
            site.needs_local_address = names.needs_local_address();
            site.keeps_heads = names.needs_heads();
            site.names_accept_delay = names.needs_accept_delay();
        }
        let mut listens = Vec::new();
        for http in conf.root.children_of(&HTTP) {
            site.log_formats.extend(http.scope.get(&LOG_FORMAT).0.iter().cloned());
            for server in http.children_of(&SERVER) {
                site.add_server(server, &mut listens)?;
            }
        }
        if let Some(names) = conf.notes::<Names>() {
            names.check(&site.captured)?;
        }
        for (listen, server) in &listens {
            site.bind(listen, *server)?;
        }
        for bound in &mut site.bounds {
            bound.add_names(&site.servers, &mut site.warnings)?;
        }
        site.group_sockets(&conf.passed);
        site.warnings.extend(lint::unknown_names(&site));
        Ok(site)
    }

    fn add_server(&mut self, node: &Node, listens: &mut Vec<(Listen, usize)>) -> Result<(), conf::Error> {
        let index = self.servers.len();
        limits::check(&node.scope)?;
        let own = self.add_location(node, Pattern::Server, None)?;
        let mut locations = Locations::default();
        for child in node.children_of(&LOCATION) {
            self.build_location(child, None, &mut locations)?;
        }
        let name = match node.scope.get(&SERVER_NAME).first() {
            Some(name) => name.text.strip_prefix('.').unwrap_or(&name.text).to_owned(),
            None => String::new(),
        };
        self.servers.push(Server { scope: node.scope.clone(), name, locations, own });
        let said = node.scope.get(&LISTEN);
        if said.is_empty() {
            let port = if crate::os::users::is_root() { 80 } else { 8000 };
            listens.push((Listen::fallback(port, node.span), index));
        }
        listens.extend(said.iter().map(|listen| (listen.clone(), index)));
        Ok(())
    }

    /// `outer`: the location around it, whose alias holds for the inner one as it is.
    fn add_location(&mut self, node: &Node, pattern: Pattern, outer: Option<usize>) -> Result<usize, conf::Error> {
        let (scope, span) = (node.scope.clone(), node.span);
        let (index, view) = (self.locations.len(), views::of(&scope)?);
        self.shows_times |= view.is_some_and(|view| view.shows_times);
        let rest = match outer {
            Some(outer) if !scope.set_here(&ROOT) => self.locations[outer].rest,
            _ => scope.get(&ROOT).rest(&pattern),
        };
        self.locations.push(Location { index, span, scope, pattern, rest, error_log: LogRef::main(), view });
        Ok(index)
    }

    /// Builds one location and those nested in it, and adds it to its `siblings`.
    fn build_location(
        &mut self,
        node: &Node,
        outer: Option<(&Rule, &str, usize)>,
        siblings: &mut Locations<usize>,
    ) -> Result<(), conf::Error> {
        let (rule, pattern, name) = parse_rule(node)?;
        let span = node.args.last().map_or(node.span, |arg| arg.span);
        if let Some((outer, outer_name, _)) = outer {
            check_nested(&rule, name, outer, outer_name).map_err(|message| conf::Error::at(span, message))?;
        }
        if let Rule::Regex(regex) = &rule {
            self.captured.extend(regex.names().map(|(name, _)| name.to_owned()));
        }
        let index = self.add_location(node, pattern, outer.map(|(.., index)| index))?;
        let mut inner = Locations::default();
        for child in node.children_of(&LOCATION) {
            self.build_location(child, Some((&rule, name, index)), &mut inner)?;
        }
        siblings.add(rule, index, inner).map_err(|first| {
            let error = conf::Error::at(span, format!("duplicate location \"{name}\""));
            error.first_at(self.locations[first].span)
        })
    }

    /// Adds a server to its listen address.
    fn bind(&mut self, listen: &Listen, server: usize) -> Result<(), conf::Error> {
        let at = match self.bounds.iter().position(|bound| bound.addr == listen.addr) {
            Some(at) => at,
            None => {
                self.bounds.push(Bound::new(listen, server));
                self.bounds.len() - 1
            }
        };
        self.bounds[at].add(listen, server)
    }

    fn group_sockets(&mut self, passed: &[Addr]) {
        let asked = self.bounds.iter().map(|bound| {
            let nodelay = *self.servers[bound.default].scope.get(&TCP_NODELAY);
            let options =
                ListenOptions { nodelay, ..bound.options.clone().map(|(options, _)| options).unwrap_or_default() };
            (bound.addr.clone(), options, bound.span)
        });
        self.sockets = ListenSocket::group(&asked.collect::<Vec<_>>(), passed);
    }

    /// Opens the error logs that the conf names.
    pub fn set_error_logs<E>(&mut self, mut open: impl FnMut(&Scope) -> Result<LogRef, E>) -> Result<(), E> {
        for location in &mut self.locations {
            location.error_log = open(&location.scope)?;
        }
        Ok(())
    }

    /// Whether a connection of this socket must ask which address it came in by.
    pub fn wants_local_address(&self, socket: usize) -> bool {
        self.needs_local_address || self.sockets.get(socket).is_none_or(ListenSocket::is_shared)
    }

    /// Whether a new connection is asked how long it has waited, which costs a system call.
    pub fn wants_accept_delay(&self) -> bool {
        self.names_accept_delay || self.shows_times
    }

    /// Whether a page of the conf shows the histograms of times.
    pub fn shows_times(&self) -> bool {
        self.shows_times
    }

    /// Whether connections of this socket are accepted only once their request is there.
    pub fn is_deferred(&self, socket: usize) -> bool {
        self.sockets.get(socket).is_some_and(|socket| socket.options.deferred)
    }

    /// The listen address that a connection of this socket belongs to: the one it came in by, else the socket's own.
    pub fn bound(&self, socket: usize, local: Option<&Addr>) -> usize {
        self.sockets.get(socket).and_then(|socket| socket.bound(local)).unwrap_or_default()
    }

    pub fn bound_addr(&self, bound: usize) -> &Addr {
        &self.bounds[bound].addr
    }

    /// The server of a listen address that answers when the host names none.
    pub fn default_server(&self, bound: usize) -> usize {
        self.bounds[bound].default
    }

    /// The server for a host, as the request names it; a regex among the names leaves its captures.
    ///
    /// # Errors
    /// From a regex whose match fails.
    pub fn select_server(&self, bound: usize, host: &[u8], captures: &mut Captured) -> Result<usize, MatchError> {
        let bound = &self.bounds[bound];
        if bound.names.is_empty() {
            return Ok(bound.default);
        }
        let mut lower = [0; 255];
        let Some(lower) = lower.get_mut(..host.len()) else { return Ok(bound.default) };
        lower.copy_from_slice(host);
        lower.make_ascii_lowercase();
        let Some(found) = bound.names.find(lower, &mut captures.groups)? else { return Ok(bound.default) };
        captures.keep_names(found.regex);
        Ok(found.value.server)
    }

    pub fn server(&self, index: usize) -> &Server {
        &self.servers[index]
    }

    pub fn location(&self, index: usize) -> &Location {
        &self.locations[index]
    }

    /// Each server, and its locations: first that of the server itself.
    pub(in crate::http) fn servers_with_locations(&self) -> impl Iterator<Item = (&Server, &[Location])> {
        let ends = self.servers.iter().skip(1).map(|next| next.own).chain([self.locations.len()]);
        let ranges = self.servers.iter().zip(ends);
        ranges.map(|(server, end)| (server, self.locations.get(server.own..end).unwrap_or_default()))
    }

    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// The formats that the conf defines, `combined` among them.
    pub fn log_formats(&self) -> &[LogFormat] {
        &self.log_formats
    }

    /// Whether heads are kept for `$sent_http_*`.
    pub fn keeps_heads(&self) -> bool {
        self.keeps_heads
    }
}

impl Bound {
    fn new(listen: &Listen, server: usize) -> Bound {
        Bound {
            addr: listen.addr.clone(),
            default: server,
            default_said: None,
            servers: Vec::new(),
            options: None,
            span: listen.span,
            names: ServerNames::default(),
        }
    }

    fn add(&mut self, listen: &Listen, server: usize) -> Result<(), conf::Error> {
        self.servers.push(server);
        if listen.default_server {
            if let Some(first) = self.default_said {
                let message = format!("a duplicate default server for {}", self.addr);
                return Err(conf::Error::at(listen.span, message).first_at(first));
            }
            (self.default, self.default_said) = (server, Some(listen.span));
        }
        if let Some(options) = &listen.options {
            if let Some((_, first)) = self.options {
                let help = "options of a socket can be set once: they stand in {place}";
                let message = format!("duplicate listen options for {}", self.addr);
                return Err(conf::Error::at(listen.span, message).help_at(first, help));
            }
            self.options = Some((options.clone(), listen.span));
        }
        Ok(())
    }

    /// Tells the servers of the address apart. A server alone needs no names, but for the groups of its regexes, and its
    /// names are not looked at (ngx_http_optimize_servers).
    fn add_names(&mut self, servers: &[Server], warnings: &mut Vec<conf::Error>) -> Result<(), conf::Error> {
        let names_of = |server: usize| servers[server].scope.get(&SERVER_NAME).as_slice();
        let has_regex = |server: &usize| names_of(*server).iter().any(|name| name.text.starts_with('~'));
        if self.servers.len() < 2 && !self.servers.iter().any(has_regex) {
            return Ok(());
        }
        for server in std::mem::take(&mut self.servers) {
            let names = names_of(server).iter().map(|name| (name.text.as_str(), name.span));
            // A server without names has the empty one: it answers requests without a host.
            let unnamed = names_of(server).is_empty().then_some(("", self.span));
            for (name, span) in names.chain(unnamed) {
                match self.names.add(name, Named { server, span }) {
                    Ok(()) => {}
                    // As in nginx the first one keeps the name.
                    Err(AddError::Duplicate(first)) => {
                        let message = format!("conflicting server name \"{name}\" on {}, ignored", self.addr);
                        warnings.push(conf::Error::at(span, message).first_at(first.span));
                    }
                    Err(AddError::Invalid) => {
                        let message = format!("invalid server name or wildcard \"{name}\" on {}", self.addr);
                        return Err(conf::Error::at(span, message));
                    }
                    Err(AddError::Regex(message)) => return Err(conf::Error::at(span, message)),
                }
            }
        }
        Ok(())
    }
}

/// Fails where nginx does not let a location stand in another (`ngx_http_core_location`).
fn check_nested(rule: &Rule, name: &str, outer: &Rule, outer_name: &str) -> Result<(), String> {
    match (outer, rule) {
        (Rule::Exact(_), _) => Err(format!("location \"{name}\" cannot be inside the exact location \"{outer_name}\"")),
        (Rule::Named(_), _) => Err(format!("location \"{name}\" cannot be inside the named location \"{outer_name}\"")),
        (_, Rule::Named(_)) => Err(format!("named location \"{name}\" can be on the server level only")),
        (_, Rule::Exact(_) | Rule::Prefix { .. }) if !name.starts_with(outer_name) => {
            Err(format!("location \"{name}\" is outside location \"{outer_name}\""))
        }
        _ => Ok(()),
    }
}

/// How a location's arguments are written: the modifier stands apart or glued to its uri. The text is its name in messages.
fn parse_rule(node: &Node) -> Result<(Rule, Pattern, &str), conf::Error> {
    let (modifier, text, span) = match node.args.as_slice() {
        [modifier, text] => {
            if !matches!(modifier.text.as_str(), "=" | "^~" | "~" | "~*") {
                let message = format!("invalid location modifier \"{}\"", modifier.text);
                return Err(conf::Error::at(modifier.span, message).help("one of =, ^~, ~, ~*"));
            }
            (modifier.text.as_str(), text.text.as_str(), text.span)
        }
        [only] => {
            let modifiers = ["=", "^~", "~*", "~", "@"];
            let modifier = modifiers.into_iter().find(|modifier| only.text.starts_with(modifier)).unwrap_or("");
            (modifier, &only.text[modifier.len()..], only.span)
        }
        _ => return Err(conf::Error::at(node.span, "invalid number of arguments in \"location\" directive")),
    };
    let path = text.as_bytes().to_vec();
    let (rule, pattern) = match modifier {
        "=" => (Rule::Exact(path.clone()), Pattern::Exact(path)),
        "~" | "~*" => {
            let regex = Regex::new(text, modifier == "~*").map_err(|error| conf::Error::at(span, error))?;
            (Rule::Regex(regex), Pattern::Regex)
        }
        "@" => (Rule::Named(text.to_owned()), Pattern::Named),
        modifier => (Rule::Prefix { path: path.clone(), no_regex: modifier == "^~" }, Pattern::Prefix(path)),
    };
    let name = match node.args.as_slice() {
        [only] if modifier == "@" => &only.text,
        _ => text,
    };
    Ok((rule, pattern, name))
}

pub static DIRECTIVES: &[&dyn conf::Entry] = &[&HTTP, &SERVER, &LOCATION, &SERVER_NAME];

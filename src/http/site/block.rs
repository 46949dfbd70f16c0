//! The `http` block, compiled: sockets, the servers reached through each, their locations.

use super::bound::{Asked, Bound};
use super::captured::Captured;
use super::limit_except::{LIMIT_EXCEPT, LimitExcept};
use super::listen::{LISTEN, TCP_NODELAY};
use super::location::{self, LOCATION, Location, Pattern};
use super::log_format::{LOG_FORMAT, LogFormat};
use super::referers::{self, Referers};
use super::regex::MatchError;
use super::route::{Locations, Rule};
use super::script::Script;
use super::server::{RequestRules, SERVER, Server};
use super::server_name::SERVER_NAME;
use super::template::VariableNames;
use super::zones::Zones;
use crate::conf::{self, Conf, Contexts, Listen, ListenSocket, Mistakes, Node, Scope, Section};
use crate::log::LogRef;
use crate::os::{Addr, ListenOptions};
use std::sync::Arc;

/// `http`: the block that holds the servers, and the settings they inherit.
pub static HTTP: Section = Section::new("http")
    .contexts(Contexts::MAIN)
    .inner(Contexts::HTTP)
    .args(0, 0)
    .once()
    .about("Holds the servers, and settings that they inherit.");

/// The whole `http` block, compiled.
#[derive(Debug)]
pub struct HttpBlock {
    /// The listening sockets that the servers need. A connection names its socket by the index here.
    pub sockets: Vec<ListenSocket>,
    bounds: Vec<Bound>,
    servers: Vec<Server>,
    locations: Vec<Location>,
    log_formats: Vec<LogFormat>,
    /// The `valid_referers` in force, by the locations' indices.
    referers: Vec<Arc<Referers>>,
    /// The shared memory in which clients are counted.
    pub zones: Zones,
    /// Warnings: the conf works, but can't be meant so.
    pub warnings: Vec<conf::Error>,
    /// Name of this machine.
    pub hostname: String,
    /// The variables that the templates of the conf use.
    pub(in crate::http) variables: VariableNames,
}

impl HttpBlock {
    /// Compiles the `http` block of a loaded conf; a conf without one has an empty block. Where it is wrong, the block
    /// lacks something.
    pub fn new(conf: &Conf, mistakes: &mut Mistakes) -> HttpBlock {
        let mut block = HttpBlock {
            sockets: Vec::new(),
            bounds: Vec::new(),
            servers: Vec::new(),
            locations: Vec::new(),
            log_formats: Vec::new(),
            referers: Vec::new(),
            zones: conf.notes::<Zones>().cloned().unwrap_or_default(),
            warnings: Vec::new(),
            hostname: crate::os::machine::hostname(),
            variables: conf.notes::<VariableNames>().cloned().unwrap_or_default(),
        };
        block.log_formats.push(LogFormat::combined(&mut block.variables));
        let mut listens = Vec::new();
        for http in conf.root.children_of(&HTTP) {
            block.log_formats.extend(http.scope.get(&LOG_FORMAT).iter().cloned());
            for server in http.children_of(&SERVER) {
                block.add_server(server, &mut listens, mistakes);
            }
        }
        for (listen, server) in &listens {
            block.bind(listen, *server, mistakes);
        }
        for bound in &mut block.bounds {
            bound.add_names(&block.servers, &mut block.warnings, mistakes);
        }
        block.group_sockets(&conf.passed);
        block.referers = referers::compile(&block.servers, &block.locations, mistakes);
        block.zones.check(mistakes);
        block
    }

    /// The first address that the conf listens on, one without TLS if there is any. `None`: there is no server.
    pub fn first_listen(conf: &Conf) -> Option<Listen> {
        let servers = conf.root.children_of(&HTTP).flat_map(|http| http.children_of(&SERVER));
        let all: Vec<Listen> = servers.flat_map(Self::listens_of).collect();
        all.iter().find(|listen| !listen.ssl).or(all.first()).cloned()
    }

    /// The addresses of a server: those that it says, or the default.
    pub(in crate::http) fn listens_of(server: &Node) -> Vec<Listen> {
        let said = server.scope.get(&LISTEN);
        let port = if crate::os::users::is_root() { 80 } else { 8000 };
        if said.is_empty() { vec![Listen::fallback(port, server.span)] } else { said.clone() }
    }

    fn add_server(&mut self, node: &Node, listens: &mut Vec<(Listen, usize)>, mistakes: &mut Mistakes) {
        let index = self.servers.len();
        let own = self.add_location(node, Pattern::Server, None);
        let script = Script::new(node, |_| None);
        let mut locations = Locations::default();
        for child in node.children_of(&LOCATION) {
            self.build_location(child, None, &mut locations, mistakes);
        }
        let name = match node.scope.get(&SERVER_NAME).first() {
            Some(name) => name.text.strip_prefix('.').unwrap_or(&name.text).to_owned(),
            None => String::new(),
        };
        let (scope, rules) = (node.scope.clone(), RequestRules::default());
        self.servers.push(Server { scope, span: node.span, name, locations, own, script, rules });
        if node.is_whole || !node.scope.get(&LISTEN).is_empty() {
            listens.extend(Self::listens_of(node).into_iter().map(|listen| (listen, index)));
        }
    }

    /// Adds a location; `outer`: the one around it.
    fn add_location(&mut self, node: &Node, pattern: Pattern, outer: Option<usize>) -> usize {
        let index = self.locations.len();
        let outer = outer.map(|outer| &self.locations[outer]);
        let location = Location::new(index, node, pattern, outer);
        self.locations.push(location);
        index
    }

    /// Adds the location of a block, an `if` or a `limit_except`, that stands in another.
    fn add_within(&mut self, node: &Node, within: usize) -> usize {
        let index = self.locations.len();
        let location = self.locations[within].new_if(index, node);
        self.locations.push(location);
        index
    }

    /// Builds one location and those nested in it, and adds it to its `siblings`.
    fn build_location(
        &mut self,
        node: &Node,
        outer: Option<(&Rule, &str, usize)>,
        siblings: &mut Locations<usize>,
        mistakes: &mut Mistakes,
    ) {
        let (rule, pattern, name) = match location::parse_rule(node) {
            Ok(parsed) => parsed,
            Err(error) => {
                mistakes.add(error);
                // The groups of its regex are lost.
                node.args.iter().for_each(|arg| mistakes.lose(&*arg.text));
                let mut inner = Locations::default();
                node.children_of(&LOCATION).for_each(|node| self.build_location(node, None, &mut inner, mistakes));
                return;
            }
        };
        let span = node.args.last().map_or(node.span, |arg| arg.span);
        if let Some((outer, outer_name, _)) = outer {
            let nested = location::check_nested(&rule, name, outer, outer_name);
            let help = "a location in another narrows it, and a uri begins with the outer one";
            mistakes.keep(nested.map_err(|message| conf::Error::at(span, message).help(help)));
        }
        if let Rule::Regex(regex) = &rule {
            self.variables.capture(regex.names().map(|(name, _)| name), span);
        }
        let index = self.add_location(node, pattern, outer.map(|(.., index)| index));
        self.locations[index].script = Script::new(node, |inner| Some(self.add_within(inner, index)));
        if let Some(limit) = node.children_of(&LIMIT_EXCEPT).next() {
            let limited = self.add_within(limit, index);
            self.locations[index].limit_except = LimitExcept::new(limit, limited, mistakes);
        }
        let mut inner = Locations::default();
        for child in node.children_of(&LOCATION) {
            self.build_location(child, Some((&rule, name, index)), &mut inner, mistakes);
        }
        if let Err(first) = siblings.add(rule, index, inner) {
            let error = conf::Error::at(span, format!("duplicate location \"{name}\""));
            mistakes.add(error.first_at(self.locations[first].span));
        }
    }

    /// Adds a server to its listen address.
    fn bind(&mut self, listen: &Listen, server: usize, mistakes: &mut Mistakes) {
        let at = match self.bounds.iter().position(|bound| bound.addr == listen.addr) {
            Some(at) => at,
            None => {
                self.bounds.push(Bound::new(listen, server));
                self.bounds.len() - 1
            }
        };
        let warning = self.bounds[at].add(listen, server, mistakes);
        self.warnings.extend(warning);
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
    pub fn set_error_logs(&mut self, mut open: impl FnMut(&Scope) -> LogRef) {
        for location in &mut self.locations {
            location.error_log = open(&location.scope);
        }
    }

    /// Whether connections of this socket may belong to several listen addresses.
    pub(in crate::http) fn is_shared(&self, socket: usize) -> bool {
        self.sockets.get(socket).is_none_or(ListenSocket::is_shared)
    }

    /// Whether connections of this socket are accepted only once their request is there.
    pub fn is_deferred(&self, socket: usize) -> bool {
        self.sockets.get(socket).is_some_and(|socket| socket.options.deferred)
    }

    /// The listen address that a connection of this socket belongs to: the one it came in by, else the socket's own.
    pub fn bound(&self, socket: usize, local: Option<&Addr>) -> usize {
        self.sockets.get(socket).and_then(|socket| socket.bound(local)).unwrap_or_default()
    }

    /// The address of a listen address, which [`HttpBlock::bound`] names by its index.
    pub fn bound_addr(&self, bound: usize) -> &Addr {
        &self.bounds[bound].addr
    }

    /// Whether a connection of a listen address begins with a header of the PROXY protocol.
    pub fn expects_proxy_header(&self, bound: usize) -> bool {
        self.bounds[bound].protocols.has(Asked::PROXY)
    }

    /// Whether the clients of a listen address speak TLS.
    pub fn is_tls(&self, bound: usize) -> bool {
        self.bounds[bound].protocols.has(Asked::TLS)
    }

    /// The default servers, and the other servers, of the listen addresses whose clients speak TLS.
    pub fn tls_servers(&self) -> impl Iterator<Item = (usize, &[usize])> {
        let bounds = self.bounds.iter().filter(|bound| bound.protocols.has(Asked::TLS));
        bounds.map(|bound| (bound.default, bound.servers()))
    }

    /// All servers of the conf, in their order.
    pub fn all_servers(&self) -> &[Server] {
        &self.servers
    }

    /// Whether a `listen` of the address says that its clients may speak HTTP/2.
    pub fn listens_http2(&self, bound: usize) -> bool {
        self.bounds[bound].protocols.has(Asked::HTTP2)
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
        self.bounds[bound].select_server(host, captures)
    }

    /// The server with this name, if there is one.
    ///
    /// # Errors
    /// From a regex whose match fails.
    pub fn find_server(&self, bound: usize, name: &[u8], captures: &mut Captured) -> Result<Option<usize>, MatchError> {
        self.bounds[bound].find_server(name, captures)
    }

    pub(in crate::http) fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The server at an index that [`HttpBlock::select_server`] or [`HttpBlock::default_server`] returned.
    pub fn server(&self, index: usize) -> &Server {
        &self.servers[index]
    }

    /// The location at a [`Location::index`].
    pub fn location(&self, index: usize) -> &Location {
        &self.locations[index]
    }

    /// Each server, and its locations: first that of the server itself.
    pub(in crate::http) fn servers_with_locations(&self) -> impl Iterator<Item = (&Server, &[Location])> {
        let ends = self.servers.iter().skip(1).map(|next| next.own).chain([self.locations.len()]);
        let ranges = self.servers.iter().zip(ends);
        ranges.map(|(server, end)| (server, self.locations.get(server.own..end).unwrap_or_default()))
    }

    /// The locations of all servers, each at its [`Location::index`].
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// Every location, to note what the rooms above know of it.
    pub(in crate::http) fn locations_mut(&mut self) -> &mut [Location] {
        &mut self.locations
    }

    /// Every server, likewise.
    pub(in crate::http) fn servers_mut(&mut self) -> &mut [Server] {
        &mut self.servers
    }

    /// The `valid_referers` in force in a location.
    pub(in crate::http) fn referers(&self, location: usize) -> Option<&Referers> {
        self.referers.get(location).map(|referers| &**referers)
    }

    /// The formats that the conf defines, `combined` among them.
    pub fn log_formats(&self) -> &[LogFormat] {
        &self.log_formats
    }
}

/// The directive of this module: `http`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&HTTP];

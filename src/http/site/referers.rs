//! `valid_referers`: the sites whose pages may link here, as in nginx's `ngx_http_referer_module.c`.

use super::location::Location;
use super::masks::{Masks, Refused};
use super::regex::{MatchError, Regex};
use super::server::Server;
use super::server_name::SERVER_NAME;
use crate::conf::{self, Contexts, Mistakes, Setting, Span};
use std::sync::Arc;

/// The `valid_referers` of a block.
#[derive(Debug, Default, Clone)]
pub struct Referers {
    /// A request without the field is right.
    allows_none: bool,
    /// A field that is no URL of http or https is right.
    allows_blocked: bool,
    /// The names of the server are right.
    has_server_names: bool,
    hosts: Masks<Host>,
    /// Fit the URL behind its scheme.
    regexes: Vec<Regex>,
    /// Regexes among the server's names fit the host.
    name_regexes: Vec<Regex>,
}

/// A host that may link here.
#[derive(Debug, Clone)]
struct Host {
    /// The beginning of the path that the page must have.
    path: Box<str>,
    span: Span,
}

/// The sites whose links are welcome.
pub static VALID_REFERERS: Setting<Referers> = Setting::many(&["valid_referers"], |args, referers: &mut Referers| {
    for i in 0..args.len() {
        referers.parse(args, i)?;
    }
    Ok(())
})
.contexts(Contexts::SERVER.union(Contexts::LOCATION))
.args(1, usize::MAX)
.syntax("none | blocked | server_names | NAME | ~REGEX ...")
.about(
    "The values of Referer for which `$invalid_referer` is empty, else `1`: no such field (`none`), one that is no URL \
     of http or https (`blocked`), a URL of a host that is one of the server's names (`server_names`) or a NAME, which \
     may be a mask as in server_name and may have the beginning of a path behind it, or a URL that a REGEX fits behind \
     its scheme.",
);

impl Referers {
    fn parse(&mut self, args: &conf::Args, i: usize) -> Result<(), conf::Error> {
        let (text, span) = (args.str(i)?, args.span(i));
        match text {
            "" => return Err(args.bad(i, "invalid referer \"\"")),
            "none" => self.allows_none = true,
            "blocked" => self.allows_blocked = true,
            "server_names" => self.has_server_names = true,
            "~" => return Err(args.bad(i, "empty regex in \"~\"")),
            _ => match text.strip_prefix('~') {
                Some(pattern) => self.regexes.push(Regex::new(pattern, true).map_err(|error| args.bad(i, error))?),
                None => {
                    let (name, path) = text.split_at(text.find('/').unwrap_or(text.len()));
                    self.add(name, path, span).map_err(|(message, first)| match first {
                        Some(first) => args.bad(i, message).first_at(first),
                        None => {
                            args.bad(i, message).help("a name, *.NAME, .NAME or NAME.*, and the beginning of a path")
                        }
                    })?;
                }
            },
        }
        Ok(())
    }

    /// Errors: nginx's sentence, and the place where the name stands already.
    fn add(&mut self, name: &str, path: &str, span: Span) -> Result<(), (String, Option<Span>)> {
        let name = name.to_ascii_lowercase();
        self.hosts.add(&name, Host { path: path.into(), span }).map_err(|refused| match refused {
            Refused::Invalid => (format!("invalid hostname or wildcard \"{name}\""), None),
            Refused::Duplicate(first) => (format!("conflicting parameter \"{name}\""), Some(first.span)),
        })
    }

    /// The referers that a location says, and what it inherits: regexes, where it has none itself
    /// (`ngx_http_referer_merge_conf`).
    fn complete(&self, server: &Server, outer: Option<&Referers>, span: Span) -> Result<Referers, conf::Error> {
        let mut whole = self.clone();
        if self.has_server_names {
            let names = server.scope.get(&SERVER_NAME);
            for name in names {
                match name.text.strip_prefix('~') {
                    Some(pattern) => {
                        let ignore_case = pattern.bytes().any(|byte| byte.is_ascii_uppercase());
                        let regex = Regex::new(pattern, ignore_case);
                        whole.name_regexes.push(regex.map_err(|error| conf::Error::at(name.span, error))?);
                    }
                    None => whole.add(&name.text, "", name.span).map_err(|(message, first)| match first {
                        Some(first) => conf::Error::at(span, message).first_at(first),
                        None => conf::Error::at(span, message),
                    })?,
                }
            }
            if names.is_empty() {
                // A server without names has the empty one.
                let _ = whole.add("", "", span);
            }
        }
        if (self.allows_none || self.allows_blocked) && whole.hosts.is_empty() {
            let message = "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive \
                           without any valid referer";
            let help = "add server_names, or a name such as *.example.org: to nginx a ~REGEX alone is no referer";
            return Err(conf::Error::at(span, message).help(help));
        }
        if whole.regexes.is_empty() {
            whole.regexes = outer.map(|outer| outer.regexes.clone()).unwrap_or_default();
        }
        if whole.name_regexes.is_empty() {
            whole.name_regexes = outer.map(|outer| outer.name_regexes.clone()).unwrap_or_default();
        }
        Ok(whole)
    }

    /// Whether a request with this Referer comes from where it may.
    ///
    /// # Errors
    /// From a regex whose match fails.
    pub fn allow(&self, referer: Option<&[u8]>) -> Result<bool, MatchError> {
        if self.hosts.is_empty() && self.regexes.is_empty() && self.name_regexes.is_empty() {
            return Ok(true);
        }
        let Some(referer) = referer else { return Ok(self.allows_none) };
        let Some(rest) = without_scheme(referer) else { return Ok(self.allows_blocked) };
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b':')).unwrap_or(rest.len());
        // nginx has room for so many letters.
        if end > 256 {
            return Ok(false);
        }
        let host = rest[..end].to_ascii_lowercase();
        if let Some(found) = self.hosts.find(&host) {
            let path = memchr::memchr(b'/', &rest[end..]).map_or(&[][..], |slash| &rest[end + slash..]);
            return Ok(path.starts_with(found.path.as_bytes()));
        }
        Ok(any_fits(&self.name_regexes, &host)? || any_fits(&self.regexes, rest)?)
    }
}

/// The URL behind `http://` or `https://`; `None`: it has another scheme, or is too short for one.
fn without_scheme(url: &[u8]) -> Option<&[u8]> {
    let behind = |scheme: &str| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    };
    if url.len() < "http://i.ru".len() { None } else { behind("http://").or_else(|| behind("https://")) }
}

fn any_fits(regexes: &[Regex], text: &[u8]) -> Result<bool, MatchError> {
    for regex in regexes {
        if regex.is_match(text)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The referers in force in each location.
pub(super) fn compile(servers: &[Server], locations: &[Location], mistakes: &mut Mistakes) -> Vec<Arc<Referers>> {
    let mut all: Vec<Arc<Referers>> = Vec::with_capacity(locations.len());
    let none = Arc::new(Referers::default());
    let (mut server, mut servers) = (None, servers.iter().peekable());
    for location in locations {
        // Servers stand in the order of their own locations.
        server = servers.next_if(|next| next.own == location.index).or(server);
        // The server's own location is around those that no other holds.
        let around = location.outer.or_else(|| server.map(|server| server.own));
        let outer = around.and_then(|outer| all.get(outer));
        let said = location.scope.span_of(&VALID_REFERERS).filter(|_| location.scope.set_here(&VALID_REFERERS));
        let here = match (said, server) {
            (Some(span), Some(server)) => {
                let own = location.scope.get(&VALID_REFERERS);
                let whole = mistakes.keep(own.complete(server, outer.map(|outer| &**outer), span));
                Arc::new(whole.unwrap_or_default())
            }
            _ => outer.unwrap_or(&none).clone(),
        };
        all.push(here);
    }
    all
}

/// The directive of this module: `valid_referers`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&VALID_REFERERS];

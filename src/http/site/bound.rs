//! The servers of one listen address, told apart by their names.

use super::captured::Captured;
use super::regex::MatchError;
use super::route::{AddError, ServerNames};
use super::server::Server;
use super::server_name::SERVER_NAME;
use crate::conf::{self, Listen, Mistakes, Span};
use crate::os::{Addr, ListenOptions};

/// The servers of one listen address.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) addr: Addr,
    pub(super) default: usize,
    /// The `listen` that says `default_server`.
    default_said: Option<Span>,
    servers: Vec<usize>,
    /// Options of the socket, and the `listen` that sets them.
    pub(super) options: Option<(ListenOptions, Span)>,
    pub(super) span: Span,
    names: ServerNames<Named>,
    pub(super) protocols: Protocols,
}

/// The protocols that the `listen` lines of an address ask for: all of them together count.
#[derive(Debug, Default)]
pub(super) struct Protocols {
    asked: Asked,
    /// The protocols that another line is compared with (nginx's `protocols`, once `protocols_set`).
    said: Option<Asked>,
    is_changed: bool,
}

bitflags::bitflags! {
    /// The protocols of one line.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) struct Asked: u8 {
        /// A connection begins with a header of the PROXY protocol.
        const PROXY = 1;
        /// Clients speak TLS.
        const TLS = 2;
        /// The older spelling of `http2`.
        const HTTP2 = 4;
    }
}

impl From<&Listen> for Asked {
    fn from(listen: &Listen) -> Asked {
        let said = [(listen.proxy_protocol, Asked::PROXY), (listen.ssl, Asked::TLS), (listen.http2, Asked::HTTP2)];
        said.into_iter().filter(|(is_said, _)| *is_said).map(|(_, asked)| asked).collect()
    }
}

impl Protocols {
    fn new(asked: Asked) -> Protocols {
        Protocols { asked, ..Protocols::default() }
    }

    /// Whether a line asks for all of these.
    pub(super) fn has(&self, asked: Asked) -> bool {
        self.asked.contains(asked)
    }

    /// Adds those of another line. Returns whether the two disagree in a way that can't be meant
    /// (`ngx_http_add_addresses`). `is_socket_set`: an earlier line has options of the socket; `sets_socket`: this one.
    fn add(&mut self, asked: Asked, is_socket_set: bool, sets_socket: bool) -> bool {
        let before = self.asked;
        let differs = self.said.is_some_and(|said| said != asked);
        let (is_odd, said) = if !before.contains(asked) {
            (is_socket_set && !sets_socket || self.is_changed || !asked.contains(before), before)
        } else if before != asked {
            (sets_socket || differs, asked)
        } else {
            (sets_socket && self.is_changed || differs, asked)
        };
        self.said = Some(said);
        self.is_changed |= before != asked;
        self.asked |= asked;
        is_odd
    }
}

/// The server that a name leads to.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) server: usize,
    /// Where the name stands.
    span: Span,
}

impl Bound {
    pub(super) fn new(listen: &Listen, server: usize) -> Bound {
        Bound {
            addr: listen.addr.clone(),
            default: server,
            default_said: None,
            servers: Vec::new(),
            options: None,
            span: listen.span,
            names: ServerNames::default(),
            protocols: Protocols::new(listen.into()),
        }
    }

    /// Adds a server by one of its `listen`s. Returns the warning that the line calls for.
    pub(super) fn add(&mut self, listen: &Listen, server: usize, mistakes: &mut Mistakes) -> Option<conf::Error> {
        let is_first = self.servers.is_empty();
        let is_socket_set = self.options.is_some();
        self.servers.push(server);
        if listen.default_server {
            if let Some(first) = self.default_said {
                let message = format!("a duplicate default server for {}", self.addr);
                mistakes.add(conf::Error::at(listen.span, message).first_at(first));
            } else {
                (self.default, self.default_said) = (server, Some(listen.span));
            }
        }
        if let Some(options) = &listen.options {
            if let Some((_, first)) = self.options {
                let help = "options of a socket can be set once: they stand in {place}";
                let message = format!("duplicate listen options for {}", self.addr);
                mistakes.add(conf::Error::at(listen.span, message).help_at(first, help));
            } else {
                self.options = Some((options.clone(), listen.span));
            }
        }
        let is_odd = !is_first && self.protocols.add(listen.into(), is_socket_set, listen.options.is_some());
        let warning = || conf::Error::at(listen.span, format!("protocol options redefined for {}", self.addr));
        is_odd.then(warning)
    }

    /// Tells the servers of the address apart. A server alone needs no names, but for the groups of its regexes, and
    /// its names are not looked at (ngx_http_optimize_servers).
    pub(super) fn add_names(&mut self, servers: &[Server], warnings: &mut Vec<conf::Error>, mistakes: &mut Mistakes) {
        let names_of = |server: usize| servers[server].scope.get(&SERVER_NAME).as_slice();
        let has_regex = |server: &usize| names_of(*server).iter().any(|name| name.text.starts_with('~'));
        if self.servers.len() < 2 && !self.servers.iter().any(has_regex) {
            return;
        }
        for server in self.servers.iter().copied() {
            let names = names_of(server).iter().map(|name| (name.text.as_str(), name.span));
            // A server without names has the empty one: it answers requests without a host.
            let unnamed = names_of(server).is_empty().then_some(("", self.span));
            for (name, span) in names.chain(unnamed) {
                match self.names.add(name, Named { server, span }) {
                    Ok(()) => {}
                    // The first server keeps the name, as in nginx.
                    Err(AddError::Duplicate(first)) => {
                        let message = format!("conflicting server name \"{name}\" on {}, ignored", self.addr);
                        warnings.push(conf::Error::at(span, message).first_at(first.span));
                    }
                    Err(AddError::Invalid) => {
                        let message = format!("invalid server name or wildcard \"{name}\" on {}", self.addr);
                        mistakes.add_first(conf::Error::at(span, message));
                    }
                    Err(AddError::Regex(message)) => mistakes.add(conf::Error::at(span, message)),
                }
            }
        }
    }

    /// The servers of the address, in the order of the conf.
    pub(super) fn servers(&self) -> &[usize] {
        &self.servers
    }

    /// The server for a host, as the request names it; a regex among the names leaves its captures.
    ///
    /// # Errors
    /// From a regex whose match fails.
    pub(super) fn select_server(&self, host: &[u8], captures: &mut Captured) -> Result<usize, MatchError> {
        Ok(self.find_server(host, captures)?.unwrap_or(self.default))
    }

    /// The same, where a server has this name (`ngx_http_find_virtual_server`).
    #[inline]
    pub(super) fn find_server(&self, host: &[u8], captures: &mut Captured) -> Result<Option<usize>, MatchError> {
        if self.names.is_empty() {
            return Ok(None);
        }
        let mut lower = [0; 255];
        let Some(lower) = lower.get_mut(..host.len()) else { return Ok(None) };
        lower.copy_from_slice(host);
        lower.make_ascii_lowercase();
        let Some(found) = self.names.find(lower, &mut captures.groups)? else { return Ok(None) };
        captures.keep_names(found.regex);
        Ok(Some(found.value.server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The warnings are those of nginx 1.28.3.
    #[test]
    fn lines_of_an_address_agree_on_its_protocols_or_look_odd() {
        let (none, proxy) = (Asked::empty(), Asked::PROXY);
        let odd = |first: Asked, others: &[(Asked, bool)]| {
            let mut protocols = Protocols::new(first);
            let mut is_set = false;
            let mut add = |(asked, sets): &(Asked, bool)| {
                let is_odd = protocols.add(*asked, is_set, *sets);
                is_set |= *sets;
                is_odd
            };
            others.iter().map(&mut add).collect::<Vec<_>>()
        };
        assert_eq!(odd(proxy, &[(none, false), (none, false)]), [false, false], "the first says it for all");
        assert_eq!(odd(none, &[(proxy, false), (none, false)]), [false, false]);
        assert_eq!(odd(none, &[(proxy, false), (proxy, false)]), [false, true]);
        assert_eq!(odd(proxy, &[(none, true)]), [true]);
        assert_eq!(odd(none, &[(none, true), (proxy, false)]), [false, true]);
        assert_eq!(odd(proxy, &[(proxy, false), (none, false)]), [false, true]);
        assert_eq!(odd(Asked::TLS, &[(proxy, false)]), [true], "one more and one less");
        assert_eq!(odd(Asked::TLS, &[(Asked::TLS | Asked::HTTP2, false)]), [false]);
    }
}

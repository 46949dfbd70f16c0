//! The servers of one listen address, told apart by their names.

use super::captured::Captured;
use super::regex::MatchError;
use super::route::{AddError, ServerNames};
use super::server::Server;
use super::server_name::SERVER_NAME;
use crate::conf::{self, Listen, Span};
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
        }
    }

    pub(super) fn add(&mut self, listen: &Listen, server: usize) -> Result<(), conf::Error> {
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

    /// Tells the servers of the address apart. A server alone needs no names, but for the groups of its regexes, and
    /// its names are not looked at (ngx_http_optimize_servers).
    pub(super) fn add_names(&mut self, servers: &[Server], warnings: &mut Vec<conf::Error>) -> Result<(), conf::Error> {
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
                    // The first server keeps the name, as in nginx.
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

    /// The server for a host, as the request names it; a regex among the names leaves its captures.
    ///
    /// # Errors
    /// From a regex whose match fails.
    pub(super) fn select_server(&self, host: &[u8], captures: &mut Captured) -> Result<usize, MatchError> {
        if self.names.is_empty() {
            return Ok(self.default);
        }
        let mut lower = [0; 255];
        let Some(lower) = lower.get_mut(..host.len()) else { return Ok(self.default) };
        lower.copy_from_slice(host);
        lower.make_ascii_lowercase();
        let Some(found) = self.names.find(lower, &mut captures.groups)? else { return Ok(self.default) };
        captures.keep_names(found.regex);
        Ok(found.value.server)
    }
}

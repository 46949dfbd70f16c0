//! From a loaded conf to the [`HttpConf`] of a generation: compiles the block and binds to it what the rooms give.

use super::answer::{charset, ready, userid};
use super::exchange::aio::ThreadPools;
use super::exchange::charset_map::Charsets;
use super::exchange::defined::Definitions;
use super::exchange::{self, HttpConf, keep_alive, limits};
use super::phases::{header_lines, target};
use super::site::{HttpBlock, Location, RequestRules};
use super::{lint, phases, views};
use crate::conf::{self, Conf, Mistakes};

impl HttpConf {
    /// Compiles the `http` block of a loaded conf; a conf without one has an empty block.
    ///
    /// # Errors
    /// Blocks that are right by themselves, but not together: the first of all mistakes.
    pub fn new(conf: &Conf) -> Result<HttpConf, conf::Error> {
        let mut mistakes = Mistakes::default();
        let site = HttpConf::compile(conf, &mut mistakes);
        conf.judge(mistakes).map_err(conf::Problems::into_first)?;
        Ok(site)
    }

    /// Compiles as [`HttpConf::new`] and goes on after a mistake; where there are any, the result is not to be served.
    pub fn compile(conf: &Conf, mistakes: &mut Mistakes) -> HttpConf {
        let mut block = HttpBlock::new(conf, mistakes);
        let none = Definitions::default();
        let defined = conf.notes::<Definitions>().unwrap_or(&none);
        let variables = exchange::bind(&block.variables, defined, super::VARIABLES, mistakes);
        // An `if` keeps the handler of the location that it stands in.
        let handler =
            |location: &Location| mistakes.keep(views::handler(&block.location(location.home()).scope)).flatten();
        let handlers: Vec<_> = block.locations().iter().map(handler).collect();
        for (location, handler) in block.locations_mut().iter_mut().zip(&handlers) {
            location.has_handler = handler.is_some();
            location.rules.kept = keep_alive::kept(&location.scope);
            location.has_file_rules = exchange::has_file_rules(&location.scope);
            location.idle_phases = phases::walk::idle_phases(location);
        }
        for server in block.servers_mut() {
            server.rules = RequestRules {
                head_limits: limits::head_limits(&server.scope),
                max_headers: *server.scope.get(&header_lines::MAX_HEADERS),
                merges_slashes: *server.scope.get(&target::MERGE_SLASHES),
            };
        }
        let notice = exchange::notice(conf, &block.variables, &variables);
        let pools = conf.notes::<ThreadPools>().cloned().unwrap_or_default();
        let charsets = conf.notes::<Charsets>().cloned().unwrap_or_default();
        let mut conf = HttpConf::bind(block, variables, handlers);
        conf.set_charsets(charsets);
        conf.set_steady_heads(ready::are_steady);
        pools.check(mistakes);
        conf.set_thread_pools(pools);
        conf.set_notice(notice);
        if conf.locations().iter().any(|location| userid::uses_address(&location.scope)) {
            conf.set_marks_by_address();
        }
        for server in conf.servers() {
            mistakes.keep(limits::check(&server.scope));
        }
        charset::check(&conf, mistakes);
        conf.warn(lint::unknown_names(&conf));
        conf.warn(lint::out_of_reach(&conf));
        conf
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Registry;

    #[test]
    fn variables_that_are_empty_here_get_one_notice() {
        let notice = |text: &str| {
            let conf = conf::parse(&Registry::new(crate::http::DIRECTIVES), text).unwrap();
            let mut site = HttpConf::new(&conf).unwrap();
            (site.take_notice().map(|notice| notice.sentence()), site.take_notice().is_none())
        };
        let (said, is_gone) =
            notice("http { log_format a '$uri $upstream_addr';\nserver { return 200 $ssl_sigalg; } }");
        let expected = "empty here, as in nginx for a static file: \"$upstream_addr\" in conf:1, \
                        \"$ssl_sigalg\" in conf:2";
        assert_eq!(said.as_deref(), Some(expected));
        assert!(is_gone);
        assert_eq!(notice("http { log_format a $uri; }"), (None, true));
    }
}

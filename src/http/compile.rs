//! From a loaded conf to the [`HttpConf`] of a generation: compiles the block and binds to it what the rooms give.

use super::exchange::defined::Definitions;
use super::exchange::{self, HttpConf, limits};
use super::site::HttpBlock;
use super::{lint, phases, views};
use crate::conf::{self, Conf};

impl HttpConf {
    /// Compiles the `http` block of a loaded conf; a conf without one has an empty block.
    ///
    /// # Errors
    /// Blocks that are right by themselves, but not together.
    pub fn new(conf: &Conf) -> Result<HttpConf, conf::Error> {
        let block = HttpBlock::new(conf)?;
        let none = Definitions::default();
        let defined = conf.notes::<Definitions>().unwrap_or(&none);
        let variables = exchange::bind(&block.variables, defined, super::VARIABLES)?;
        // An `if` keeps the handler of the location that it stands in.
        let handlers = block.locations().iter().map(|location| views::handler(&block.location(location.home()).scope));
        let handlers = handlers.collect::<Result<_, _>>()?;
        let mut conf = HttpConf::bind(block, variables, handlers);
        if conf.locations().iter().any(|location| phases::gzip_static::is_used(&location.scope)) {
            conf.set_coded_files();
        }
        conf.servers().iter().try_for_each(|server| limits::check(&server.scope))?;
        conf.warn(lint::unknown_names(&conf));
        Ok(conf)
    }
}

//! The rules by which a location's files are looked up, beyond the path itself.

use super::aio::{AIO, Aio};
use super::cx::Cx;
use super::disable_symlinks::DISABLE_SYMLINKS;
use super::open_file_cache::{self, Caching};
use super::state::Exchange;
use crate::conf::Scope;
use crate::os::Links;

/// How the file at a path is looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileRules {
    /// The symbolic links that are followed.
    pub links: Links,
    /// The cache that says what is at the path.
    pub caching: Option<Caching>,
    /// The pool whose threads wait for the disk.
    pub pool: Option<u16>,
}

/// Whether the location has such rules: most have none.
pub(in crate::http) fn has_any(scope: &Scope) -> bool {
    scope.get(&DISABLE_SYMLINKS).is_on()
        || scope.get(&open_file_cache::OPEN_FILE_CACHE).is_some()
        || scope.get(&AIO).is_on()
}

impl Exchange {
    /// The rules for the look-up of [`Exchange::path`]; `None`: there are none.
    #[inline]
    pub fn file_rules(&self, cx: &Cx) -> Option<FileRules> {
        let location = self.location_of(cx);
        if location.has_file_rules { Some(self.rules_of(cx, &location.scope)) } else { None }
    }

    #[inline(never)]
    fn rules_of(&self, cx: &Cx, scope: &Scope) -> FileRules {
        let guard = scope.get(&DISABLE_SYMLINKS);
        let mut part = Vec::new();
        match guard.from() {
            Some(template) => template.eval(self, cx, &mut part),
            None if guard.is_outside() => self.root_for_links(cx, &mut part),
            None => {}
        }
        let links = guard.links(&self.target.path, &part);
        FileRules { links, caching: open_file_cache::caching(scope), pool: self.pool_of(cx, scope.get(&AIO)) }
    }

    /// The pool whose threads wait for the location's files; `None`: the worker waits itself.
    #[inline]
    pub fn thread_pool(&self, cx: &Cx) -> Option<u16> {
        let location = self.location_of(cx);
        if location.has_file_rules { self.pool_of(cx, location.scope.get(&AIO)) } else { None }
    }

    fn pool_of(&self, cx: &Cx, aio: &Aio) -> Option<u16> {
        match aio {
            Aio::Off => None,
            Aio::Pool(number) => Some(*number),
            Aio::Named(template) => {
                let mut name = Vec::new();
                template.eval(self, cx, &mut name);
                let known = cx.conf.thread_pools().all().iter().position(|pool| pool.name.as_bytes() == name);
                known.map(|number| number as u16)
            }
        }
    }
}

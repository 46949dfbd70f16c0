//! The rules by which a location's files are looked up, beyond the path itself.

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
}

/// Whether the location has such rules: most have none.
pub(in crate::http) fn has_any(scope: &Scope) -> bool {
    scope.get(&DISABLE_SYMLINKS).is_on() || scope.get(&open_file_cache::OPEN_FILE_CACHE).is_some()
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
        if let Some(template) = guard.from() {
            template.eval(self, cx, &mut part);
        }
        FileRules { links: guard.links(&self.target.path, &part), caching: open_file_cache::caching(scope) }
    }
}

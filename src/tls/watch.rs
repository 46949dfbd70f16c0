//! The files of certificates, to see when they are replaced.

use super::settings::{self, Named};
use crate::conf::Scope;
use crate::os::Stamps;

/// The files to be watched, none where `certificate_watch` is off.
#[derive(Debug, Default)]
pub struct Watch {
    paths: Vec<String>,
    /// Their state when they were read, or a bit before.
    read: Stamps,
}

impl Watch {
    /// The files that the servers of these scopes name.
    pub(super) fn of<'s>(scopes: impl Iterator<Item = &'s Scope>) -> Watch {
        let mut watch = Watch::default();
        for scope in scopes.filter(|scope| *scope.get(&settings::CERTIFICATE_WATCH)) {
            let lists = scope.get(&settings::CERTIFICATE).iter().chain(scope.get(&settings::CERTIFICATE_KEY));
            let single = [
                scope.get(&settings::PASSWORD_FILE),
                scope.get(&settings::CLIENT_CERTIFICATE),
                scope.get(&settings::TRUSTED_CERTIFICATE),
                scope.get(&settings::CRL),
                scope.get(&settings::STAPLING_FILE),
            ];
            lists.chain(single.into_iter().flatten()).for_each(|named| watch.add(named));
        }
        watch.read = watch.look();
        watch
    }

    fn add(&mut self, named: &Named) {
        if named.data().is_none() && !named.has_variables() && !self.paths.contains(&named.path) {
            self.paths.push(named.path.clone());
        }
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The state in which the files were read.
    pub fn as_read(&self) -> &Stamps {
        &self.read
    }

    /// The state of the files now.
    pub fn look(&self) -> Stamps {
        Stamps::of(&self.paths)
    }
}

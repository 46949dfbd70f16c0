//! The look-up of a file by the rules of its location.

use super::file_cache::{FileCache, LATER, OpenedFile};
use crate::http::exchange::FileRules;
use crate::os::Links;
use std::sync::Arc;

/// A look-up, in one turn of the loop.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    pub path: &'a [u8],
    pub rules: &'a FileRules,
    /// The file need not be readable.
    pub is_stat: bool,
    pub turn: u64,
    pub unix_ms: u64,
    /// Whether whoever asks may wait for a disk.
    pub may_wait: bool,
    /// The result of a thread.
    pub found: Option<Result<Arc<OpenedFile>, i32>>,
}

impl Lookup<'_> {
    /// The file at the path. Errors: an `errno`, or `LATER`.
    pub(crate) fn run(&self, files: &mut FileCache) -> Result<Arc<OpenedFile>, i32> {
        let Lookup { path, turn, unix_ms, .. } = *self;
        let links = self.rules.links;
        match &self.found {
            Some(found) => found.clone(),
            None if !self.may_wait && links == Links::Follow => files.get_now(path, self.is_stat, turn, unix_ms),
            None if !self.may_wait => Err(LATER),
            None if self.is_stat && links == Links::Follow => files.get_or_stat(path, turn, unix_ms),
            None => files.get_by(path, links, turn, unix_ms),
        }
    }
}

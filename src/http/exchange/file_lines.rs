//! The lines about files in the error log, in nginx's words.

use super::cx::Cx;
use super::error_lines::here;
use super::state::Exchange;
use crate::conf::{self, Contexts, Setting};
use crate::log::{self, Level, Text};
use crate::os::{ErrnoText, Links};
use std::io;

/// Whether a missing file is worth a line in the error log.
pub static LOG_NOT_FOUND: Setting<bool> = Setting::flag("log_not_found")
    .contexts(Contexts::HTTP_ALL)
    .default("on")
    .about("Whether a file that is not found is worth a line in the error log.");

/// The directive of this module: `log_not_found`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&LOG_NOT_FOUND];

/// A file could not be opened.
pub fn open_failed(ex: &Exchange, cx: &Cx, errno: i32) {
    let missing = matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG);
    let wanted = *ex.location_of(cx).scope.get(&LOG_NOT_FOUND);
    if missing && !wanted {
        return;
    }
    let is_usual = missing || matches!(errno, libc::EACCES | libc::ELOOP | libc::EMLINK);
    let level = if is_usual { Level::Error } else { Level::Crit };
    look_up_failed(ex, cx, level, "open", errno);
}

/// The look-up of the path has failed, by `call` where the location has no rules for that.
fn look_up_failed(ex: &Exchange, cx: &Cx, level: Level, call: &str, errno: i32) {
    let call = match ex.file_rules(cx) {
        Some(rules) if rules.links != Links::Follow => "openat",
        Some(_) => "open",
        None => call,
    };
    let error = io::Error::from_raw_os_error(errno);
    log::emit!(level, at: here(ex, cx), "{call}() \"{}\" failed ({})", Text(&ex.target.path), ErrnoText(&error));
}

/// The index of a directory, at this path, is missing, or the directory itself is (`ngx_http_index_error`).
pub fn index_missing(ex: &Exchange, cx: &Cx, path: &[u8], errno: i32) {
    if *ex.location_of(cx).scope.get(&LOG_NOT_FOUND) {
        let error = io::Error::from_raw_os_error(errno);
        log::error!(at: here(ex, cx), "\"{}\" is not found ({})", Text(path), ErrnoText(&error));
    }
}

/// The index of a directory may not be looked at.
pub fn index_forbidden(ex: &Exchange, cx: &Cx) {
    let error = io::Error::from_raw_os_error(libc::EACCES);
    log::error!(at: here(ex, cx), "\"{}\" is forbidden ({})", Text(&ex.target.path), ErrnoText(&error));
}

/// The directory at the path can't be listed.
pub fn list_failed(ex: &Exchange, cx: &Cx, errno: i32) {
    let is_usual = matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG | libc::EACCES);
    let level = if is_usual { Level::Error } else { Level::Crit };
    let error = io::Error::from_raw_os_error(errno);
    log::emit!(level, at: here(ex, cx), "opendir() \"{}\" failed ({})", Text(&ex.target.path), ErrnoText(&error));
}

/// A script or `try_files` can't find out what is at a path.
pub fn stat_failed(ex: &Exchange, cx: &Cx, errno: i32) {
    look_up_failed(ex, cx, Level::Crit, "stat", errno);
}

/// A uri that ends in a slash has no index.
pub fn directory_forbidden(ex: &Exchange, cx: &Cx) {
    log::error!(at: here(ex, cx), "directory index of \"{}\" is forbidden", Text(&ex.target.path));
}

/// The path leads to something that is neither file nor directory.
pub fn not_regular(ex: &Exchange, cx: &Cx) {
    log::crit!(at: here(ex, cx), "\"{}\" is not a regular file", Text(&ex.target.path));
}

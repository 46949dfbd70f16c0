//! Zstandard files that no browser unpacks.

use std::ffi::CStr;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::http::message::zstd_window;
use crate::log;

/// Whether this is a Zstandard file for which no browser has room. Not a warning: a process for one connection would
/// write it for each.
pub(super) fn is_too_wide(path: &CStr, file: &File) -> bool {
    if !path.to_bytes().ends_with(b".zst") {
        return false;
    }
    let widest = zstd_window::widest(|buffer, at| file.read_at(buffer, at).unwrap_or(0));
    let window = widest.filter(|window| *window > zstd_window::WEB_MAX);
    if let Some(window) = window {
        let path = log::Text(path.to_bytes());
        log::info!(
            "\"{path}\" is not sent in place of the file: it needs a window of {window} bytes, browsers have 8m"
        );
    }
    window.is_some()
}

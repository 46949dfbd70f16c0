//! The answer when a file can't be opened.

use crate::http::exchange::{Answer, Cx, Exchange, Flow, error_lines};

/// Writes the error log line; the status is nginx's for the `errno` of open(2).
pub(super) fn answer(ex: &Exchange, cx: &Cx, errno: i32) -> Flow {
    error_lines::open_failed(ex, cx, errno);
    Flow::Answer(Answer::Error(match errno {
        libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG => 404,
        libc::EACCES | libc::EPERM | libc::ELOOP => 403,
        _ => 500,
    }))
}

//! The answer when a file can't be opened.

use super::spa_fallback;
use crate::http::exchange::{Answer, Cx, Exchange, Flow, file_lines};

/// Where the page of an application answers for what is missing, that; else writes the error log line, and the status
/// is nginx's for the `errno` of open(2).
pub(super) fn answer(ex: &mut Exchange, cx: &Cx, errno: i32) -> Flow {
    if matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG)
        && let Some(flow) = spa_fallback::instead_of_missing(ex, cx)
    {
        return flow;
    }
    file_lines::open_failed(ex, cx, errno);
    Flow::Answer(Answer::Error(match errno {
        libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG => 404,
        libc::EACCES | libc::EPERM | libc::ELOOP => 403,
        _ => 500,
    }))
}

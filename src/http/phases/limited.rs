//! The end of a request that `limit_req` or `limit_conn` does not let by.

use crate::http::exchange::{Answer, Flow};
use crate::http::site::zones::LimitStatus;

/// The verdict for the variable of the limit, and the way of the request: a dry run only says what would be.
pub(super) fn refuse<V>(dry_run: bool, status: LimitStatus, rejected: V, rejected_dry: V) -> (V, Flow) {
    match dry_run {
        true => (rejected_dry, Flow::Next),
        false => (rejected, Flow::Answer(Answer::failure(status.0))),
    }
}

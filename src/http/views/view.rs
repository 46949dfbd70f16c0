//! A view shows the ledger: a directive, and a content handler that writes a page.

use super::snapshot::Snapshot;
use crate::conf::{Args, Contexts, Error, Setting};
use crate::http::answer::conditions;
use crate::http::exchange::{Answer, Cx, Exchange, Flow, Handler};
use crate::http::message::head::Method;

/// A way to show the ledger.
pub(crate) struct View {
    pub(super) setting: &'static Setting<bool>,
    pub(super) handler: Handler,
}

/// A page and its media type.
pub(super) struct Page {
    pub media_type: &'static str,
    pub body: Vec<u8>,
}

/// Answers with the page that `write` makes of a snapshot of the ledger.
pub(super) fn answer(ex: &mut Exchange, cx: &Cx, write: fn(&Exchange, &Snapshot) -> Page) -> Flow {
    if !matches!(ex.head.method, Method::Get | Method::Head) {
        return Flow::Answer(ex.response.refuse_method());
    }
    let Some(snapshot) = Snapshot::take(cx) else { return Flow::Answer(Answer::Error(503)) };
    let Page { media_type, body } = write(ex, &snapshot);
    Flow::Answer(match ex.error.status {
        0 | 200 => conditions::text(ex, cx, body, Some(media_type)),
        status => Answer::Text { status, body, media_type: Some(media_type) },
    })
}

/// The value of a view's directive: present.
pub(super) fn said(_args: &mut Args) -> Result<bool, Error> {
    Ok(true)
}

/// The blocks that a view may stand in.
pub(super) const PLACES: Contexts = Contexts::SERVER.union(Contexts::LOCATION);

/// The description of a view, with the sentence that holds for all of them.
macro_rules! about {
    ($about:literal) => {
        concat!(
            $about,
            " Without an allow or deny in the same block it answers clients from 127.0.0.1, ::1 and Unix sockets, \
             and 403 to all others, whatever blocks around it allow; behind a proxy on this machine every client \
             comes from there."
        )
    };
}
pub(super) use about;

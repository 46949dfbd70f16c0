//! What the service tells of itself: the ledger, shown in four ways. A location with one of these directives answers with
//! the page instead of a file.
//!
//! A view is one file: the directive, and the function that writes the page from a [`Snapshot`]; and one line in `VIEWS`.

mod json;
mod ledger;
mod metrics;
mod snapshot;
mod status_page;
mod stub_status;

use crate::conf::{Args, Contexts, Entry, Error, Scope, Setting};
use crate::http::answer::response::{self, Answer};
use crate::http::exchange::{Cx, Exchange};
use crate::http::message::head::Method;
use snapshot::Snapshot;

/// All views.
static VIEWS: &[&View] = &[&stub_status::VIEW, &ledger::VIEW, &metrics::VIEW, &status_page::VIEW];

pub static DIRECTIVES: &[&dyn Entry] =
    &[&stub_status::STUB_STATUS, &ledger::LEDGER, &metrics::METRICS, &status_page::STATUS_PAGE];

/// One way to show the ledger.
pub struct View {
    setting: &'static Setting<bool>,
    /// It shows how long requests and accepts take, which is measured only where a view shows it.
    pub shows_times: bool,
    write: fn(&Exchange, &Snapshot) -> Page,
}

/// A page and its media type.
struct Page {
    media_type: &'static str,
    body: Vec<u8>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.setting.info().names().iter().try_for_each(|name| f.write_str(name))
    }
}

impl View {
    pub(super) fn answer(&self, ex: &mut Exchange, cx: &Cx) -> Answer {
        if !matches!(ex.head.method, Method::Get | Method::Head) {
            return ex.response.refuse_method();
        }
        let Some(snapshot) = Snapshot::take(cx) else { return Answer::Error(503) };
        let Page { media_type, body } = (self.write)(ex, &snapshot);
        match ex.error_status {
            0 | 200 => response::text(ex, cx, body, Some(media_type)),
            status => Answer::Text { status, body, media_type: Some(media_type) },
        }
    }
}

/// The view of a location. Error: it has two.
pub(super) fn of(scope: &Scope) -> Result<Option<&'static View>, Error> {
    let mut said = VIEWS.iter().copied().filter(|view| *scope.get(view.setting));
    let view = said.next();
    if let (Some(first), Some(second)) = (view, said.next())
        && let (Some(first_span), Some(span)) = (scope.span_of(first.setting), scope.span_of(second.setting))
    {
        let message = format!("\"{second:?}\" conflicts with \"{first:?}\" in the same location");
        let help = format!("\"{first:?}\" stands in {{place}}: give each a location of its own");
        return Err(Error::at(span, message).help_at(first_span, help));
    }
    Ok(view)
}

/// The value of a view's directive: it is there.
fn said(_args: &mut Args) -> Result<bool, Error> {
    Ok(true)
}

/// Where a view may stand.
const PLACES: Contexts = Contexts::SERVER.union(Contexts::LOCATION);

/// A view's description, and what holds for all of them.
macro_rules! about {
    ($about:literal) => {
        concat!(
            $about,
            " Without an allow or deny in the same block it answers clients from 127.0.0.1, ::1 and Unix sockets, and 403 \
             to all others, whatever blocks around it allow; behind a proxy on this machine every client comes from there."
        )
    };
}
use about;

#[cfg(test)]
mod tests;

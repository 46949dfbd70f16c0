//! Pages that the service shows of itself: the ledger, in four ways. A location with one of these directives answers
//! with the page instead of a file.
//!
//! A view is one file: the directive, and the function that writes the page from a `Snapshot`;
//! and one line in `VIEWS`.

mod json;
mod ledger;
mod metrics;
pub mod place;
mod snapshot;
mod status_page;
mod stub_status;
mod view;

use crate::conf::{Entry, Error, Scope};
use crate::http::exchange::Handler;
use view::View;

/// All views.
static VIEWS: &[&View] = &[&stub_status::VIEW, &ledger::VIEW, &metrics::VIEW, &status_page::VIEW];

/// The directives that let a location show a view: `stub_status`, `ledger`, `metrics`, `status_page`.
pub static DIRECTIVES: &[&dyn Entry] =
    &[&stub_status::STUB_STATUS, &ledger::LEDGER, &metrics::METRICS, &status_page::STATUS_PAGE];

/// The content handler of a location that shows a view. Error: the location says two.
pub(in crate::http) fn handler(scope: &Scope) -> Result<Option<&'static Handler>, Error> {
    let mut said = VIEWS.iter().copied().filter(|view| *scope.get(view.setting));
    let view = said.next();
    if let (Some(first), Some(second)) = (view, said.next())
        && let (Some(first_span), Some(span)) = (scope.span_of(first.setting), scope.span_of(second.setting))
    {
        let (first, second) = (first.handler.name, second.handler.name);
        let message = format!("\"{second}\" conflicts with \"{first}\" in the same location");
        let help = format!("\"{first}\" stands in {{place}}: give each a location of its own");
        return Err(Error::at(span, message).help_at(first_span, help));
    }
    Ok(view.map(|view| &view.handler))
}

#[cfg(test)]
mod tests;

//! `status_page`: a page that shows the ledger as it changes. It asks its own location, with `?json`, for the numbers.

use super::ledger;
use super::snapshot::Snapshot;
use super::view::{self, PLACES, Page, View, about, said};
use crate::conf::Setting;
use crate::http::exchange::{Exchange, Handler};

pub(crate) static STATUS_PAGE: Setting<bool> =
    Setting::one("status_page", said).contexts(PLACES).args(0, 0).syntax("").local().about(about!(
        "Answers with a page that shows the processes and their connections as they change, and, with the query \
         \"json\", with the numbers that the page shows, as \"ledger\" does."
    ));

pub(super) static VIEW: View = View {
    setting: &STATUS_PAGE,
    handler: Handler {
        name: "status_page",
        run: |ex, cx| view::answer(ex, cx, write),
        is_private: true,
        shows_times: true,
    },
};

static HTML: &str = include_str!("status_page.html");

fn write(ex: &Exchange, snapshot: &Snapshot) -> Page {
    if ex.target.args == b"json" {
        return ledger::write(ex, snapshot);
    }
    Page { media_type: "text/html; charset=utf-8", body: HTML.as_bytes().to_vec() }
}

//! `status_page`: a page that shows the ledger as it changes. It asks its own location, with `?json`, for the numbers.

use super::{PLACES, Page, Snapshot, View, about, ledger, said};
use crate::conf::Setting;
use crate::http::exchange::Exchange;

pub static STATUS_PAGE: Setting<bool> =
    Setting::one("status_page", said).contexts(PLACES).args(0, 0).syntax("").local().about(about!(
        "Answers with a page that shows the processes and their connections as they change, and, with the query \"json\", \
         with the numbers that the page shows, as \"ledger\" does."
    ));

pub(super) static VIEW: View = View { setting: &STATUS_PAGE, shows_times: true, write };

static HTML: &str = include_str!("status_page.html");

fn write(ex: &Exchange, snapshot: &Snapshot) -> Page {
    if ex.args == b"json" {
        return ledger::write(ex, snapshot);
    }
    Page { media_type: "text/html; charset=utf-8", body: HTML.as_bytes().to_vec() }
}

//! `stub_status`: nginx's page (`ngx_http_stub_status_module.c`), byte for byte.

use super::snapshot::Snapshot;
use super::view::{self, PLACES, Page, View, about};
use crate::conf::Setting;
use crate::http::exchange::{Exchange, Handler};

pub(crate) static STUB_STATUS: Setting<bool> = Setting::one("stub_status", |args| {
    // nginx takes any word here, "off" as well, and shows the page all the same.
    if args.len() == 1 { args.one_of(0, &[("on", true)]) } else { Ok(true) }
})
.contexts(PLACES)
.args(0, 1)
.syntax("[on]")
.local()
.about(about!(
    "Answers with nginx's status page: connections, accepts, requests, over all workers. Every accepted connection is \
     handled: those for which there is no room stay in the backlog."
));

pub(super) static VIEW: View = View {
    setting: &STUB_STATUS,
    handler: Handler {
        name: "stub_status",
        run: |ex, cx| view::answer(ex, cx, write),
        is_private: true,
        shows_times: false,
    },
};

fn write(_: &Exchange, snapshot: &Snapshot) -> Page {
    let sums = &snapshot.totals;
    // nginx counts a request when it begins.
    let requests = sums.requests + sums.reading + sums.writing;
    let body = format!(
        "Active connections: {} \nserver accepts handled requests\n {accepts} {accepts} {requests} \n\
         Reading: {} Writing: {} Waiting: {} \n",
        sums.connections,
        sums.reading,
        sums.writing,
        sums.waiting(),
        accepts = sums.accepts,
    );
    Page { media_type: "text/plain", body: body.into_bytes() }
}

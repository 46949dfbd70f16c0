//! Where drover is meant to answer otherwise than nginx, and why.

mod answers;
mod codings;
mod conditions;
mod requests;

use crate::transcript::Transcript;

#[derive(Clone, Copy)]
pub struct Entry {
    pub site: &'static str,
    pub probe: &'static str,
    /// [`Transcript::summary`] of drover's side.
    pub drover: &'static str,
    pub reason: &'static str,
}

/// Fields that drover sends with a status and nginx does not, whatever the probe: status, name, value, reason.
const FIELDS: &[(u16, &str, &str, &str)] =
    &[(405, "Allow", "GET, HEAD", "RFC 9110 15.5.6: a 405 MUST say which methods there are")];

/// Many probes of one site that end alike, for one reason.
struct Group {
    site: &'static str,
    drover: &'static str,
    reason: &'static str,
    probes: &'static [&'static str],
}

/// Whether a field of drover's is one that nginx does not send.
pub fn adds(status: u16, name: &str, value: &str) -> bool {
    FIELDS.iter().any(|field| (field.0, field.1, field.2) == (status, name, value))
}

/// The differences that are listed for a site.
pub fn of(site: &str) -> impl Iterator<Item = Entry> {
    entries().filter(move |entry| entry.site == site)
}

fn entries() -> impl Iterator<Item = Entry> {
    let single =
        [conditions::ENTRIES, requests::ENTRIES, answers::ENTRIES, codings::ENTRIES].into_iter().flatten().copied();
    let groups = [conditions::GROUPS, requests::GROUPS, answers::GROUPS].into_iter().flatten();
    single.chain(groups.flat_map(Group::entries))
}

impl Group {
    fn entries(&self) -> impl Iterator<Item = Entry> {
        let Group { site, drover, reason, probes } = *self;
        probes.iter().map(move |probe| Entry { site, probe, drover, reason })
    }
}

/// Whether this difference is listed, and is the one listed.
pub fn covers(site: &str, probe: &str, drover: &Transcript) -> bool {
    of(site).any(|entry| entry.probe == probe && entry.drover == drover.summary())
}

#[test]
fn every_entry_has_a_reason() {
    for entry in entries() {
        assert!(entry.reason.len() > 20, "{} | {}", entry.site, entry.probe);
    }
    for (status, name, _, reason) in FIELDS {
        assert!(reason.len() > 20, "{status} {name}");
    }
}

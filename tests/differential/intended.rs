//! Where drover is meant to answer otherwise than nginx, and why.

mod answers;
mod codings;
mod conditions;
mod requests;

use crate::transcript::Transcript;

#[derive(Clone, Copy)]
pub struct Difference {
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

/// The parts of a list of a directory that nginx's does not have: a style, and the buttons that sort it.
const OWN_PARTS: [(&str, &str); 2] =
    [("<meta charset=\"utf-8\"><meta name=\"viewport\"", "</style>"), ("<form>", "</form>")];

/// A body without the parts of a list that are drover's own.
pub fn without_own_parts(body: &str) -> String {
    let mut body = body.to_owned();
    if !body.starts_with("<html>\r\n<head><meta") {
        return body;
    }
    for (begin, end) in OWN_PARTS {
        if let Some((before, rest)) = body.split_once(begin)
            && let Some((_, after)) = rest.split_once(end)
        {
            body = [before, after].concat();
        }
    }
    body
}

/// The differences that are listed for a site.
pub fn of(site: &str) -> impl Iterator<Item = Difference> {
    differences().filter(move |listed| listed.site == site)
}

fn differences() -> impl Iterator<Item = Difference> {
    let single = [conditions::DIFFERENCES, requests::DIFFERENCES, answers::DIFFERENCES, codings::DIFFERENCES]
        .into_iter()
        .flatten()
        .copied();
    let groups = [conditions::GROUPS, requests::GROUPS, answers::GROUPS, codings::GROUPS].into_iter().flatten();
    single.chain(groups.flat_map(Group::differences))
}

impl Group {
    fn differences(&self) -> impl Iterator<Item = Difference> {
        let Group { site, drover, reason, probes } = *self;
        probes.iter().map(move |probe| Difference { site, probe, drover, reason })
    }
}

/// Whether this difference is listed, and is the one listed.
pub fn covers(site: &str, probe: &str, drover: &Transcript) -> bool {
    of(site).any(|listed| listed.probe == probe && listed.drover == drover.summary())
}

#[test]
fn every_difference_has_a_reason() {
    for listed in differences() {
        assert!(listed.reason.len() > 20, "{} | {}", listed.site, listed.probe);
    }
    for (status, name, _, reason) in FIELDS {
        assert!(reason.len() > 20, "{status} {name}");
    }
}

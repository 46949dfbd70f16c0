//! The certificates of a generation beside those of the one before: at a reload, none that clients refuse takes the
//! place of one that they accept. At a start there is nothing to lose, and the dates are a warning
//! (`certificate::remark`).

use super::certificate;
use super::server_config::Stapled;
use super::settings::Named;
use super::x509::{Certificate, date_text};
use crate::conf;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// A certificate that a server shows.
pub(super) struct Shown {
    /// The first name of the server.
    server: String,
    named: Named,
    pair: Arc<CertifiedKey>,
    /// Seconds since 1970.
    from: i64,
    until: i64,
}

impl Shown {
    /// `None`: it has no dates, which `certificate::chain` does not let in.
    pub(super) fn new(server: &str, named: &Named, stapled: &Stapled) -> Option<Shown> {
        let pair = stapled.plain.clone();
        let read = Certificate::read(pair.cert.first()?)?;
        let (from, until) = (read.not_before, read.not_after);
        Some(Shown { server: server.to_owned(), named: named.clone(), pair, from, until })
    }

    fn der(&self) -> Option<&CertificateDer<'static>> {
        self.pair.cert.first()
    }

    fn is_valid(&self, now: i64) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether both are of one server, or of one file.
    fn is_in_place_of(&self, old: &Shown) -> bool {
        self.server == old.server || self.named.path == old.named.path
    }

    /// Whether one of `all` is the same certificate of the same server.
    fn is_among(&self, all: &[Shown]) -> bool {
        all.iter().any(|other| self.der() == other.der() && self.server == other.server)
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The certificates of `new` that are not valid at `now`, seconds since 1970, and would take the place of valid ones of
/// `old`. One that is in use already takes no place, so that a service whose certificate has run out can be reloaded.
pub(super) fn refused(new: &[Shown], old: &[Shown], now: i64) -> Vec<conf::Error> {
    let lost: Vec<&Shown> = old.iter().filter(|old| old.is_valid(now) && !old.is_among(new)).collect();
    let mut errors: Vec<conf::Error> = Vec::new();
    for one in new.iter().filter(|one| !one.is_valid(now) && !one.is_among(old)) {
        let Some(replaced) = lost.iter().find(|lost| one.is_in_place_of(lost)) else { continue };
        let why = match one.until <= now {
            true => format!("has expired on {}", date_text(one.until)),
            false => format!("is not valid before {}", date_text(one.from)),
        };
        let what = format!("certificate \"{}\" {why}, and the one in use is valid", certificate::shown(&one.named));
        if errors.iter().any(|error| error.message() == what) {
            // Several servers have it.
            continue;
        }
        let help = format!(
            "the old service goes on, with the certificate that is valid until {}; a start takes any",
            date_text(replaced.until)
        );
        errors.push(conf::Error::at(one.named.span, what).help(help));
    }
    errors
}

/// When the first of them expires, seconds since 1970.
pub(super) fn first_expiry(shown: &[Shown]) -> Option<i64> {
    shown.iter().map(|one| one.until).min()
}

/// The time from `now` until the next of them becomes valid, seconds.
pub(super) fn valid_in(shown: &[Shown], now: i64) -> Option<u64> {
    let waits = shown.iter().filter(|one| one.from > now).map(|one| one.from.abs_diff(now));
    waits.min()
}

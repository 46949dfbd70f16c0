//! OCSP responses (RFC 6960 4.2.1): whether one is about a certificate, and for how long it is valid.

use super::der::{Element, Reader, tag};

/// A successful response.
#[derive(Debug)]
pub(super) struct Response<'a>(Vec<Single<'a>>);

#[derive(Debug)]
struct Single<'a> {
    serial: &'a [u8],
    status: Status,
}

/// The word of a response about a certificate; times are seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) state: State,
    pub(super) from: i64,
    pub(super) until: Option<i64>,
}

/// The state of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Good,
    Revoked,
    Unknown,
}

impl Response<'_> {
    /// Reads a response. Error: the end of a sentence.
    pub(super) fn read(bytes: &[u8]) -> Result<Response<'_>, &'static str> {
        const BAD: &str = "wrong tag";
        let mut outer = Reader::new(bytes).open(tag::SEQUENCE).ok_or(BAD)?;
        if outer.next_of(tag::ENUMERATED).ok_or(BAD)?.value != [0] {
            return Err("the responder had no answer");
        }
        let mut basic = || {
            let mut typed = outer.open(tag::context(0))?.open(tag::SEQUENCE)?;
            typed.next_of(tag::OID)?;
            let mut data = typed.open(tag::OCTET_STRING)?.open(tag::SEQUENCE)?.open(tag::SEQUENCE)?;
            data.optional(tag::context(0));
            // The responder's id: by name or by key.
            data.next()?;
            data.next_of(tag::GENERALIZED_TIME)?;
            let mut responses = data.open(tag::SEQUENCE)?;
            std::iter::from_fn(|| responses.next()).map(Single::read).collect::<Option<Vec<_>>>()
        };
        basic().map(Response).ok_or(BAD)
    }

    /// The word about the certificate with this serial number.
    pub(super) fn about(&self, serial: &[u8]) -> Option<Status> {
        self.0.iter().find(|single| single.serial == serial).map(|single| single.status)
    }
}

impl<'a> Single<'a> {
    fn read(element: Element<'a>) -> Option<Single<'a>> {
        let mut parts = element.inner();
        let mut id = parts.open(tag::SEQUENCE)?;
        id.next_of(tag::SEQUENCE)?;
        id.next_of(tag::OCTET_STRING)?;
        id.next_of(tag::OCTET_STRING)?;
        let serial = id.next_of(tag::INTEGER)?.value;
        let state = match parts.next()?.tag {
            0x80 => State::Good,
            0xa1 => State::Revoked,
            _ => State::Unknown,
        };
        let from = parts.next_of(tag::GENERALIZED_TIME)?.time()?;
        let until = match parts.optional(tag::context(0)) {
            Some(next) => Some(next.inner().next()?.time()?),
            None => None,
        };
        Some(Single { serial, status: Status { state, from, until } })
    }
}

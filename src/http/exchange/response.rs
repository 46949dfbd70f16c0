//! The response of an exchange, as far as it is known.

use super::answer::Answer;
use crate::http::message::accept_encoding::Coding;

/// The properties of the response that are known by now; those of the head once it is written.
#[derive(Debug, Default)]
pub struct Response {
    /// The status code that is sent and logged; 0 while it is not known.
    pub status: u16,
    /// Seconds since 1970.
    pub last_modified: Option<i64>,
    /// The method is not one of those that the resource has.
    pub(in crate::http) method_refused: bool,
    /// The target of a redirect, also when an error page is sent in its place.
    pub(in crate::http) location: Option<Vec<u8>>,
    /// Size of the file of which a 416 has no such range.
    pub(in crate::http) unsatisfied: Option<u64>,
    pub(in crate::http) codings: Codings,
    /// The head, kept where the conf asks for `$sent_http_*`.
    head: Vec<u8>,
}

/// Content codings: the client's, and the response's.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::http) struct Codings {
    /// Whether the client gets gzip (nginx's `gzip_ok`); `None`: nobody has asked yet (`gzip_tested`).
    pub takes_gzip: Option<bool>,
    /// The response depends on Accept-Encoding (nginx's `gzip_vary`), which it says if `gzip_vary` is on.
    pub varies: bool,
    /// The response says so, whatever `gzip_vary` is.
    pub always_says_so: bool,
    /// The client won't have the file as it is.
    pub refuses_identity: bool,
    /// The coding of the file that is sent.
    pub sent: Option<Coding>,
}

impl Response {
    /// Makes it ready for the next request; keeps the memory of its buffers.
    pub(super) fn reset(&mut self) {
        // The pattern forgets none.
        let Response { status, last_modified, method_refused, location, unsatisfied, codings, head } = self;
        head.clear();
        *codings = Codings::default();
        (*status, *last_modified, *method_refused, *location, *unsatisfied) = Default::default();
    }

    /// The answer to a method that neither files nor views have.
    pub(in crate::http) fn refuse_method(&mut self) -> Answer {
        self.method_refused = true;
        Answer::Error(405)
    }

    /// The values of a field that was sent, line by line; `_` in `name` stands for `-`. While the head is being
    /// written, its lines so far.
    pub(in crate::http) fn sent<'s>(&'s self, name: &'s [u8]) -> impl Iterator<Item = &'s [u8]> {
        self.head.split(|&byte| byte == b'\n').skip(1).filter_map(move |line| {
            let colon = memchr::memchr(b':', line)?;
            let same = |(a, b): (&u8, &u8)| a.to_ascii_lowercase() == if *b == b'_' { b'-' } else { *b };
            let fits = colon == name.len() && line[..colon].iter().zip(name).all(same);
            fits.then(|| line[colon + 1..].trim_ascii())
        })
    }

    /// Keeps the lines that have been added to a head, for `$sent_http_*`.
    pub(in crate::http) fn keep(&mut self, head: &[u8]) {
        self.head.extend_from_slice(head.get(self.head.len()..).unwrap_or_default());
    }
}

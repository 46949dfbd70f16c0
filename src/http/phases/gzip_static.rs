//! Files that are there in a content coding as well: `gzip_static`, as nginx's `ngx_http_gzip_static_module.c`, and its
//! like for Brotli and Zstandard.
//!
//! With `gzip_static` alone the client's Accept-Encoding is read as nginx reads it. Beside `brotli_static` or
//! `zstd_static` it is read by RFC 9110 section 12.5.3: the coding with the greatest weight is sent, and of equal ones
//! the one that is usually the smallest. The gzip that `gzip` makes takes part, behind the one that is there.

use crate::conf::{self, Contexts, Setting};
use crate::http::answer::{file, gzip, gzip_ok};
use crate::http::exchange::{Answer, Cx, Exchange, Facts, FileKind, Flow, Found, Lookup, file_lines, media_type};
use crate::http::message::accept_encoding::{Coding, Weights};
use crate::http::message::field::Id;
use crate::http::message::head::Method;
use crate::http::site::location::Location;

/// The clients that get the file in a coding.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nobody.
    #[default]
    Off,
    /// Clients that accept the coding.
    On,
    /// All.
    Always,
}

impl conf::OneOf for Mode {
    const WORDS: &'static [(&'static str, Mode)] = &[("off", Mode::Off), ("on", Mode::On), ("always", Mode::Always)];
}

/// `gzip_static`: whether `FILE.gz` is sent for `FILE`.
pub static GZIP_STATIC: Setting<Mode> =
    Setting::one_of("gzip_static").contexts(Contexts::HTTP_ALL).default("off").about(
        "Sends FILE.gz, where there is one, in the place of FILE: to clients that accept gzip, or always. It has a \
     length, ranges and an ETag of its own.",
    );

/// `brotli_static`: whether `FILE.br` is sent for `FILE`.
pub static BROTLI_STATIC: Setting<Mode> =
    Setting::one_of("brotli_static").contexts(Contexts::HTTP_ALL).default("off").about(
        "Sends FILE.br, where there is one, in the place of FILE, to clients that accept Brotli, or always. Where \
     several codings are there, the client's weights (`q=`) decide, then the order br, zstd, gzip. What `gzip` makes \
     counts as gzip, behind FILE.gz. gzip_proxied, gzip_http_version and gzip_disable hold for all codings. `always` \
     is for clients that accept no coding that is there. A client that refuses the file as it is (`identity;q=0`) \
     gets 406 where there is nothing else.",
    );

/// `zstd_static`: whether `FILE.zst` is sent for `FILE`.
pub static ZSTD_STATIC: Setting<Mode> =
    Setting::one_of("zstd_static").contexts(Contexts::HTTP_ALL).default("off").about(
        "Sends FILE.zst, where there is one, in the place of FILE, to clients that accept Zstandard, or always; see \
     brotli_static. A FILE.zst that needs a window above 8 MiB to unpack, as `zstd --ultra` and `--long` make it of \
     large files, is left alone: browsers refuse it (RFC 9659). The error log names it at level info.",
    );

/// The files that are looked up, in this order.
#[derive(Debug, Default)]
struct Plan {
    steps: [Option<Candidate>; 4],
    /// Another client may get another coding, whichever is found.
    has_choice: bool,
    /// The file as it is won't do.
    refuses_identity: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    coding: Coding,
    mode: Mode,
    /// The file is sent if it is there; otherwise it is looked up for the sake of Vary.
    is_wanted: bool,
    /// The file as it is, which `gzip` compresses.
    is_made: bool,
}

/// Phase: looks the first candidate up.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    // An addition is a part of an answer whose coding is known by now.
    if !matches!(ex.head.method, Method::Get | Method::Head) || ex.is_aside() {
        return Flow::Next;
    }
    if ex.target.uri.ends_with(b"/") {
        return Flow::Next;
    }
    look_up(ex, cx, 0)
}

/// A candidate has been looked up: it is sent, or another is tried.
pub(super) fn opened(ex: &mut Exchange, cx: &Cx, step: usize, result: Result<Found, i32>) -> Flow {
    let plan = plan(ex, cx);
    let Some(candidate) = plan.steps.get(step).copied().flatten() else { return Flow::Next };
    let found = match result {
        Ok(found) if candidate.is_made && !may_make(ex, cx, &found) => return look_up(ex, cx, step + 1),
        // The phase of files says what is wrong with it.
        Err(_) if candidate.is_made => return look_up(ex, cx, step + 1),
        Ok(found) => found,
        Err(errno) => {
            if !matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG) {
                file_lines::open_failed(ex, cx, errno);
            }
            return look_up(ex, cx, step + 1);
        }
    };
    if candidate.mode == Mode::On || plan.has_choice {
        ex.response.codings.varies = true;
    }
    match found.kind {
        _ if candidate.is_made => leave(ex, &plan),
        // All that are wanted have been tried.
        _ if !candidate.is_wanted => leave(ex, &plan),
        FileKind::Dir => look_up(ex, cx, step + 1),
        FileKind::File if candidate.coding == Coding::Zstd && found.is_too_wide => look_up(ex, cx, step + 1),
        FileKind::File => {
            ex.response.codings.sent = Some(candidate.coding);
            let found = match candidate.coding {
                Coding::Gzip => found,
                coding => Facts { etag: found.etag.with_suffix(coding.token()), ..*found }.into(),
            };
            Flow::Answer(file::negotiate(ex, cx, found))
        }
        FileKind::Other => {
            file_lines::not_regular(ex, cx);
            Flow::Answer(Answer::Error(404))
        }
    }
}

fn look_up(ex: &mut Exchange, cx: &Cx, step: usize) -> Flow {
    let plan = plan(ex, cx);
    let Some(candidate) = plan.steps.get(step).copied().flatten() else {
        return leave(ex, &plan);
    };
    ex.map_uri_to_path(cx);
    ex.target.path.extend_from_slice(match candidate.coding {
        _ if candidate.is_made => b"",
        Coding::Brotli => b".br",
        Coding::Zstd => b".zst",
        Coding::Gzip => b".gz",
    });
    Lookup::open_as(step)
}

/// The file as it is remains, for a client that takes it.
fn leave(ex: &mut Exchange, plan: &Plan) -> Flow {
    ex.response.codings.refuses_identity = plan.refuses_identity;
    Flow::Next
}

/// The candidates for the request, from the conf and its fields: the same whenever it is asked for.
fn plan(ex: &mut Exchange, cx: &Cx) -> Plan {
    let scope = &ex.location_of(cx).scope;
    let modes = [
        (Coding::Brotli, *scope.get(&BROTLI_STATIC)),
        (Coding::Zstd, *scope.get(&ZSTD_STATIC)),
        (Coding::Gzip, *scope.get(&GZIP_STATIC)),
    ];
    let [(_, Mode::Off), (_, Mode::Off), (coding, mode)] = modes else { return plan_by_weight(ex, cx, modes) };
    let is_wanted = match mode {
        Mode::Off => return Plan::default(),
        Mode::On => gzip_ok::takes_gzip(ex, cx, |_| Default::default()),
        Mode::Always => true,
    };
    let is_tried = is_wanted || *scope.get(&gzip_ok::GZIP_VARY);
    let only = is_tried.then_some(Candidate { coding, mode, is_wanted, is_made: false });
    Plan { steps: [only, None, None, None], ..Plan::default() }
}

/// Whether `gzip` compresses the file that was found in the place of those in a coding.
fn may_make(ex: &Exchange, cx: &Cx, found: &Found) -> bool {
    found.kind == FileKind::File && may_make_of(ex, cx, Some(found.len))
}

fn may_make_of(ex: &Exchange, cx: &Cx, length: Option<u64>) -> bool {
    let status = if ex.error.status != 0 { ex.error.status } else { 200 };
    gzip::is_for(ex, cx, status, Some(media_type::of(ex, cx)), length)
}

fn plan_by_weight(ex: &mut Exchange, cx: &Cx, modes: [(Coding, Mode); 3]) -> Plan {
    let list = ex.head.list(cx.input, Id::AcceptEncoding);
    let weights = list.map_or_else(Weights::default, |list| Weights::of(&list));
    let may_code = gzip_ok::may_code(ex, cx, |_| Default::default());
    let weigh = |coding| if may_code { weights.where_worth(coding) } else { 0 };
    let may_be_made = may_make_of(ex, cx, None);
    let mut candidates: Vec<(u16, Candidate)> = modes
        .into_iter()
        .filter(|(_, mode)| *mode != Mode::Off)
        .map(|(coding, mode)| {
            let weight = weigh(coding);
            let is_wanted = weight > 0 || mode == Mode::Always;
            (weight, Candidate { coding, mode, is_wanted, is_made: false })
        })
        .collect();
    let has_choice = candidates.len() > 1 || may_be_made;
    if may_be_made && weigh(Coding::Gzip) > 0 {
        let made = Candidate { coding: Coding::Gzip, mode: Mode::On, is_wanted: true, is_made: true };
        candidates.push((weigh(Coding::Gzip), made));
    }
    // Codings that are sent whatever the client says come behind those it asks for.
    candidates.sort_by_key(|(weight, candidate)| (!candidate.is_wanted, std::cmp::Reverse(*weight)));
    // The last that is wanted is what is left anyway.
    if let Some(last) = candidates.iter().rposition(|(_, candidate)| candidate.is_wanted)
        && candidates[last].1.is_made
    {
        candidates.remove(last);
    }
    let refuses_identity = may_code && weights.identity == Some(0);
    let mut plan = Plan { has_choice, refuses_identity, ..Plan::default() };
    for (step, (_, candidate)) in plan.steps.iter_mut().zip(candidates) {
        *step = Some(candidate);
    }
    ex.response.codings.accepts_gzip = Some(weights.where_worth(Coding::Gzip) > 0);
    // Also of what `gzip` alone makes here: whether a FILE.br is tried first depends on the client.
    ex.response.codings.always_says_so = true;
    plan
}

/// Whether the location looks for files in a coding.
pub(super) fn is_needed(location: &Location) -> bool {
    [&GZIP_STATIC, &BROTLI_STATIC, &ZSTD_STATIC].iter().any(|setting| *location.scope.get(setting) != Mode::Off)
}

/// The directives of this module: `gzip_static`, `brotli_static`, `zstd_static`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&GZIP_STATIC, &BROTLI_STATIC, &ZSTD_STATIC];

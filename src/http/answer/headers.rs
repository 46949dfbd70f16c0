//! Header fields that the conf adds: `add_header` and `expires`, as nginx's `ngx_http_headers_filter_module.c`.

use super::fields::Fields;
use super::gzip_ok::{self, Cacheable};
use crate::conf::{self, Contexts, Inherit, Setting};
use crate::http::exchange::{Cx, Exchange};
use crate::http::message::date;
use crate::http::site::template::Template;

/// The value of an `add_header`.
#[derive(Debug, Clone)]
pub struct AddHeader {
    name: String,
    value: Template,
    always: bool,
}

/// `add_header`: the fields that responses get besides their own.
pub static ADD_HEADER: Setting<Vec<AddHeader>> = Setting::many(&["add_header"], AddHeader::add)
    .contexts(Contexts::HTTP_AND_IF)
    .inherits_by(&ADD_HEADER_INHERIT, AddHeader::merge)
    .args(2, 3)
    .syntax("NAME VALUE [always]")
    .about(
        "Adds a header field to responses with status 200, 201, 204, 206, 301, 302, 303, 304, 307 or 308, with \
         `always` to all. A block with one of its own inherits none, unless `add_header_inherit` says so. A field \
         whose value is empty is not sent. `Last-Modified`, `ETag` and `Allow` take the place of the response's own; \
         an empty value removes it. Conditions and ranges go by what is sent.",
    );

/// `add_header_inherit`: whether a block has the fields of the block around it as well.
pub static ADD_HEADER_INHERIT: Setting<Inherit> =
    Setting::one_of("add_header_inherit").contexts(Contexts::HTTP_ALL).default("on").about(
        "How blocks inherit `add_header`. `on`: a block with fields of its own has no others. `merge`: it has those of \
         the block around it, too, behind its own. `off`: it has its own alone, if any.",
    );

/// `expires`.
#[derive(Debug, Default)]
pub enum Expires {
    /// `off`: neither Expires nor Cache-Control is added.
    #[default]
    Off,
    /// `epoch`: Expires is one second after the beginning of 1970, and Cache-Control says no-cache.
    Epoch,
    /// `max`: Expires is the last day of 2037, and Cache-Control says ten years.
    Max,
    /// Seconds from now.
    Access(i64),
    /// Seconds from the file's last modification.
    Modified(i64),
    /// Seconds since midnight.
    Daily(i64),
    /// A value with variables: parsed for each exchange.
    Variable {
        /// The text that becomes an `expires` argument; a result that is none adds nothing.
        template: Template,
        /// Whether the argument counts from the file's last modification.
        modified: bool,
    },
}

/// `expires`: the time until which caches may keep a response.
pub static EXPIRES: Setting<Expires> = Setting::one("expires", |args| {
    let modified = args.len() == 2;
    let bad = |args: &conf::Args, i, what| {
        let message = format!("\"expires\" directive {what}");
        args.bad(i, message).help("a time such as 30d or -1, epoch, max, off, or @15h30m")
    };
    if modified && args.str(0)? != "modified" {
        return Err(bad(args, 0, "invalid value"));
    }
    let i = usize::from(modified);
    let text = args.str(i)?.to_owned();
    if text.contains('$') {
        return Ok(Expires::Variable { template: Template::parse(args, i)?, modified });
    }
    Expires::parse(&text, modified).map_err(|what| bad(args, i, what))
})
.contexts(Contexts::HTTP_AND_IF)
.args(1, 2)
.syntax("[modified] TIME | @TIME | epoch | max | off")
.default("off")
.about(
    "Adds `Expires` and `Cache-Control` to responses with the statuses that add_header names. A negative time says \
     no-cache; `modified` counts from the file's last modification; `@TIME` is a time of day.",
);

/// A byte of a token (RFC 9110, 5.6.2), which a field's name is.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Expires {
    /// Errors are nginx's words (`ngx_http_parse_expires`).
    fn parse(text: &str, modified: bool) -> Result<Expires, &'static str> {
        let seconds = |time| conf::parse_time_s(time).and_then(|time| i64::try_from(time).ok()).ok_or("invalid value");
        match text {
            "off" if !modified => return Ok(Expires::Off),
            "epoch" if !modified => return Ok(Expires::Epoch),
            "max" if !modified => return Ok(Expires::Max),
            _ => {}
        }
        if let Some(time) = text.strip_prefix('@') {
            return match seconds(time) {
                _ if modified => Err("daily time cannot be used with \"modified\" parameter"),
                Ok(seconds @ ..=86400) => Ok(Expires::Daily(seconds)),
                Ok(_) => Err("daily time value must be less than 24 hours"),
                Err(what) => Err(what),
            };
        }
        let (time, sign) = match text.strip_prefix('-') {
            Some(time) => (time, -1),
            None => (text.strip_prefix('+').unwrap_or(text), 1),
        };
        let seconds = sign * seconds(time)?;
        Ok(if modified { Expires::Modified(seconds) } else { Expires::Access(seconds) })
    }
}

/// Whether what the scope adds is the same for all exchanges, at all times.
pub(super) fn are_steady(scope: &conf::Scope) -> bool {
    matches!(scope.get(&EXPIRES), Expires::Off | Expires::Epoch | Expires::Max)
        && scope.get(&ADD_HEADER).iter().all(|header| header.value.as_text().is_some())
}

/// Whether `add_header` and `expires` add to responses with this status.
fn is_safe(status: u16) -> bool {
    matches!(status, 200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308)
}

/// A field that a response has by itself. `add_header` replaces it (ngx_http_headers_filter_module.c,
/// `ngx_http_set_response_header`): the last line counts, and an empty one removes the field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct Own(&'static str);

pub(in crate::http) const LAST_MODIFIED: Own = Own("Last-Modified");
pub(in crate::http) const ETAG: Own = Own("ETag");
pub(in crate::http) const ALLOW: Own = Own("Allow");

impl Own {
    fn is(self, header: &AddHeader) -> bool {
        header.name.eq_ignore_ascii_case(self.0)
    }

    /// The line that counts in a response with this status.
    fn line(self, headers: &[AddHeader], status: u16) -> Option<&AddHeader> {
        headers.iter().rfind(|header| self.is(header) && header.applies(status))
    }

    /// The value that a response with this status has in the field's place: empty for nothing, `None` for the field
    /// itself.
    #[inline(always)]
    pub(in crate::http) fn replacement(self, ex: &Exchange, cx: &Cx, status: u16) -> Option<Vec<u8>> {
        let headers = ex.location_of(cx).scope.get(&ADD_HEADER).as_slice();
        // Inlined: most locations say no fields, and a response asks several times.
        if headers.is_empty() { None } else { self.said(headers, ex, cx, status) }
    }

    fn said(self, headers: &[AddHeader], ex: &Exchange, cx: &Cx, status: u16) -> Option<Vec<u8>> {
        let line = self.line(headers, status)?;
        let mut value = Vec::new();
        line.value(ex, cx, &mut value);
        Some(value)
    }
}

impl AddHeader {
    /// Adds the field that a directive says.
    pub(super) fn add(args: &mut conf::Args, fields: &mut Vec<AddHeader>) -> Result<(), conf::Error> {
        let name = args.str(0)?.to_owned();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(args.bad(0, format!("invalid header name \"{name}\"")));
        }
        let always = args.len() == 3;
        if always && args.str(2)? != "always" {
            let value = format!("{} {}", args.str(1)?, args.str(2)?);
            return Err(args
                .bad(2, format!("invalid parameter \"{}\"", args.str(2)?))
                .help(format!("\"always\" can stand here; quote a value of several words: \"{value}\"")));
        }
        fields.push(AddHeader { name, value: Template::parse(args, 1)?, always });
        Ok(())
    }

    /// The fields of a block, and behind them those of the block around it.
    #[allow(clippy::ptr_arg, reason = "a setting joins values of its own type")]
    pub(super) fn merge(own: &Vec<AddHeader>, outer: &Vec<AddHeader>) -> Vec<AddHeader> {
        own.iter().chain(outer).cloned().collect()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether a response with this status has the field.
    pub(super) fn applies(&self, status: u16) -> bool {
        self.always || is_safe(status)
    }

    /// Whether the value may be another for another request.
    pub(super) fn has_variables(&self) -> bool {
        self.value.as_text().is_none()
    }

    /// Appends the value.
    pub(super) fn value(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        let start = out.len();
        self.value.eval(ex, cx, out);
        no_line_breaks(&mut out[start..]);
    }
}

/// Header filter: the fields of `expires` and `add_header`, but for those that the response has already in the place of
/// its own. The lines of the head, from `start` on, are variables of the next.
pub(super) fn filter_header(ex: &mut Exchange, cx: &Cx, fields: &Fields, out: &mut Vec<u8>, start: usize) {
    let written = fields.etag.map(|_| ETAG);
    let status = ex.response.status;
    let scope = &ex.location_of(cx).scope;
    let keep = |ex: &mut Exchange, out: &[u8]| {
        if cx.conf.keeps_heads() {
            ex.response.keep(&out[start..]);
        }
    };
    if is_safe(status) {
        keep(ex, out);
        match scope.get(&EXPIRES) {
            Expires::Off => {}
            expires => write_expires(expires, ex, cx, out),
        }
    }
    let headers = scope.get(&ADD_HEADER);
    let replaced = |header: &AddHeader| {
        let own = [LAST_MODIFIED, ETAG].into_iter().find(|own| own.is(header));
        own.is_some_and(|own| {
            written == Some(own) || own.line(headers, status).is_some_and(|it| !std::ptr::eq(it, header))
        })
    };
    for header in headers.iter().filter(|header| header.applies(status) && !replaced(header)) {
        keep(ex, out);
        let line = out.len();
        out.extend_from_slice(header.name.as_bytes());
        out.extend_from_slice(b": ");
        let value = out.len();
        header.value(ex, cx, out);
        if ETAG.is(header) && (ex.response.codings.is_coded() || ex.added.is_wanted) {
            let said = out.split_off(value);
            out.extend(gzip_ok::weaken(&said).unwrap_or_default());
        }
        if out.len() == value {
            out.truncate(line);
        } else {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// The fields of an answer with this status that say how long it may be kept.
pub(super) fn cacheable(ex: &Exchange, cx: &Cx, status: u16, has_etag: bool) -> Cacheable {
    let scope = &ex.location_of(cx).scope;
    let mut cacheable = Cacheable::default();
    if is_safe(status) {
        let mut lines = Vec::new();
        write_expires(scope.get(&EXPIRES), ex, cx, &mut lines);
        for line in lines.split(|byte| *byte == b'\n').map(|line| line.trim_ascii()) {
            if let Some(value) = line.strip_prefix(b"Expires: ") {
                cacheable.expires = Some(value.to_vec());
            } else if let Some(value) = line.strip_prefix(b"Cache-Control: ") {
                cacheable.cache_control.push(value.to_vec());
            }
        }
    }
    let says = |header: &&AddHeader| header.name.eq_ignore_ascii_case("Cache-Control") && header.applies(status);
    for header in scope.get(&ADD_HEADER).iter().filter(says) {
        let mut value = Vec::new();
        header.value(ex, cx, &mut value);
        cacheable.cache_control.extend((!value.is_empty()).then_some(value));
    }
    let sent = |own: Own| own.replacement(ex, cx, status).map(|value| !value.is_empty());
    // A file's own time is no field yet when nginx asks.
    cacheable.has_last_modified = sent(LAST_MODIFIED).unwrap_or(false);
    cacheable.has_etag = sent(ETAG).unwrap_or(has_etag);
    cacheable
}

/// A variable's value may come from the client, percent-decoded: it must not start a header field of its own.
pub(in crate::http) fn no_line_breaks(value: &mut [u8]) {
    for byte in value {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
}

fn write_expires(expires: &Expires, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
    let now = cx.clock.unix_s() as i64;
    let (at, age) = match expires {
        Expires::Off => return,
        Expires::Epoch => (1, -1),
        Expires::Max => {
            out.extend_from_slice(b"Expires: Thu, 31 Dec 2037 23:55:55 GMT\r\nCache-Control: max-age=315360000\r\n");
            return;
        }
        Expires::Access(seconds) => (now.saturating_add(*seconds), *seconds),
        Expires::Modified(seconds) => match ex.response.last_modified {
            Some(mtime) => (mtime.saturating_add(*seconds), mtime.saturating_add(*seconds).saturating_sub(now)),
            None => (now.saturating_add(*seconds), *seconds),
        },
        Expires::Daily(seconds) => {
            let at = cx.clock.next_time_of_day(*seconds);
            (at, at - now)
        }
        Expires::Variable { template, modified } => {
            let mut text = Vec::new();
            template.eval(ex, cx, &mut text);
            // Never another variable: what one holds is no template.
            if let Some(Ok(parsed)) = std::str::from_utf8(&text).ok().map(|text| Expires::parse(text, *modified)) {
                write_expires(&parsed, ex, cx, out);
            }
            return;
        }
    };
    out.extend_from_slice(b"Expires: ");
    out.extend_from_slice(&date::format(at));
    if age < 0 {
        out.extend_from_slice(b"\r\nCache-Control: no-cache\r\n");
    } else {
        out.extend_from_slice(b"\r\nCache-Control: max-age=");
        out.extend_from_slice(itoa::Buffer::new().format(age).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// The directives of this module: `add_header` and `expires`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ADD_HEADER, &ADD_HEADER_INHERIT, &EXPIRES];

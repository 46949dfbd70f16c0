//! `limit_rate` and `limit_rate_after`: how fast an answer goes out (`ngx_http_write_filter_module.c`).

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Cx, Exchange, error_lines};
use crate::http::site::template::Template;

/// A number of bytes, or a text that says it for each exchange.
#[derive(Debug)]
pub enum Size {
    /// The conf says it.
    Fixed(u64),
    /// A text with variables.
    Text(Template),
}

/// How fast an answer may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes a second.
    pub bytes: u64,
    /// Bytes that may go out at once.
    pub after: u64,
    /// When the request began, ms of the clock.
    pub started_ms: u64,
}

/// `limit_rate`: bytes a second of an answer.
pub static LIMIT_RATE: Setting<Option<Size>> = Setting::one("limit_rate", Size::parse)
    .contexts(Contexts::HTTP_AND_IF)
    .args(1, 1)
    .syntax("RATE")
    .default("0")
    .about(
        "Bytes a second that an answer may have, each connection for itself; 0: no limit. Variables may say it, and \
         `set $limit_rate` says it in a script.",
    );

/// `limit_rate_after`: bytes of an answer that may go out at once.
pub static LIMIT_RATE_AFTER: Setting<Option<Size>> = Setting::one("limit_rate_after", Size::parse)
    .contexts(Contexts::HTTP_AND_IF)
    .args(1, 1)
    .syntax("SIZE")
    .default("0")
    .about("Bytes of an answer that go out at once, before `limit_rate` counts. Variables may say it.");

impl Size {
    fn parse(args: &mut conf::Args) -> Result<Option<Size>, conf::Error> {
        let text = Template::parse(args, 0)?;
        Ok(match text.as_text() {
            None => Some(Size::Text(text)),
            Some(_) => Some(Size::Fixed(args.size(0)?)).filter(|size| !matches!(size, Size::Fixed(0))),
        })
    }

    fn of(size: Option<&Size>, ex: &Exchange, cx: &Cx) -> u64 {
        match size {
            None => 0,
            Some(Size::Fixed(bytes)) => *bytes,
            Some(Size::Text(template)) => {
                let mut text = Vec::new();
                template.eval(ex, cx, &mut text);
                parse(&text).unwrap_or_else(|| {
                    error_lines::invalid_size(ex, cx, &text);
                    0
                })
            }
        }
    }
}

fn parse(text: &[u8]) -> Option<u64> {
    conf::parse_size(std::str::from_utf8(text).ok()?)
}

/// A script gives the rate (`ngx_http_variable_set_limit_rate`).
pub(in crate::http) fn set(ex: &mut Exchange, cx: &Cx, text: &[u8]) {
    match parse(text) {
        Some(rate) => ex.limits.rate = Some(rate),
        None => error_lines::invalid_limit_rate(ex, cx, text),
    }
}

impl Exchange {
    /// How fast the answer that is queued may go out; `None`: as fast as it can.
    #[inline]
    pub fn rate(&mut self, cx: &Cx) -> Option<Rate> {
        let scope = &self.location_of(cx).scope;
        let bytes = match (self.limits.rate, scope.get(&LIMIT_RATE).as_ref()) {
            (Some(rate), _) => rate,
            (None, None) => return None,
            (None, said) => Size::of(said, self, cx),
        };
        self.limits.rate = Some(bytes);
        if bytes == 0 {
            return None;
        }
        let after = Size::of(scope.get(&LIMIT_RATE_AFTER).as_ref(), self, cx);
        Some(Rate { bytes, after, started_ms: self.account.started_ms })
    }
}

/// The directives of this module: `limit_rate` and `limit_rate_after`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&LIMIT_RATE, &LIMIT_RATE_AFTER];

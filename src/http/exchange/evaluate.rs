//! A text with variables, filled in for one exchange.

use super::cx::{Cx, Variable};
use super::state::Exchange;
use crate::http::message::uri::{self, Escape};
use crate::http::site::template::{Part, Template};
use crate::os::memory;
use std::collections::TryReserveError;

impl Template {
    /// Appends the filled-in text to `out`; a variable without a value adds nothing.
    pub fn eval(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        for part in self.parts() {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Variable(number) => {
                    if let Some(variable) = cx.conf.variable(*number) {
                        variable.get(ex, cx, out);
                    }
                }
            }
        }
    }

    /// Appends the filled-in text, with the groups of regexes escaped for a query if `escape` says so, and if the
    /// client has escaped something of the uri (nginx's `quoted_uri` and `plus_in_uri`).
    pub(in crate::http) fn eval_in_script(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>, escape: bool) {
        let escape = escape && is_escaped(ex, cx);
        for part in self.parts() {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Variable(number) => match cx.conf.variable(*number) {
                    Some(Variable::Capture(group)) if escape => {
                        uri::escape(out, ex.target.captured.borrow().get(*group).unwrap_or_default(), Escape::Argument);
                    }
                    Some(variable) => {
                        variable.get(ex, cx, out);
                    }
                    None => {}
                },
            }
        }
    }

    /// Appends the filled-in text as a log line needs it: each variable's value passes through `escape`, and `missing`
    /// stands where there is none. Error: there is not enough memory.
    pub fn eval_escaped(
        &self,
        ex: &Exchange,
        cx: &Cx,
        out: &mut Vec<u8>,
        missing: &[u8],
        escape: fn(&mut Vec<u8>, usize) -> Result<(), TryReserveError>,
    ) -> Result<(), TryReserveError> {
        // A value is no longer, but for one that the conf makes of several. Those of fields with one name are joined.
        let head_len = if ex.is_http2() { cx.input.len() } else { ex.account.head_len };
        let longest = head_len + ", ".len() * ex.head.fields.len();
        for part in self.parts() {
            match part {
                Part::Text(text) => {
                    memory::reserve(out, text.len())?;
                    out.extend_from_slice(text);
                }
                Part::Variable(number) => {
                    let Some(variable) = cx.conf.variable(*number) else { continue };
                    let start = out.len();
                    memory::reserve(out, longest + missing.len())?;
                    if !variable.get(ex, cx, out) {
                        out.extend_from_slice(missing);
                    } else if variable.is_from_client() {
                        escape(out, start)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether the path in the request line has a `%` or a `+`.
fn is_escaped(ex: &Exchange, cx: &Cx) -> bool {
    let path = ex.head.path(cx.input);
    let end = memchr::memchr(b'#', path).unwrap_or(path.len());
    memchr::memchr2(b'%', b'+', &path[..end]).is_some()
}

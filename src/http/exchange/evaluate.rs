//! A text with variables, filled in for one exchange.

use super::cx::Cx;
use super::state::Exchange;
use crate::http::site::template::{Part, Template};

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

    /// Appends the filled-in text as a log line needs it: each variable's value passes through `escape`, and `missing`
    /// stands where there is none.
    pub fn eval_escaped(
        &self,
        ex: &Exchange,
        cx: &Cx,
        out: &mut Vec<u8>,
        missing: &[u8],
        escape: fn(&mut Vec<u8>, usize),
    ) {
        for part in self.parts() {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Variable(number) => {
                    let Some(variable) = cx.conf.variable(*number) else { continue };
                    let start = out.len();
                    if !variable.get(ex, cx, out) {
                        out.extend_from_slice(missing);
                    } else if variable.is_foreign() {
                        escape(out, start);
                    }
                }
            }
        }
    }
}

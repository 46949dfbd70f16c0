//! Text with `$variables`, compiled once when the conf is read and filled in for each exchange.
//! The syntax is nginx's (`src/http/ngx_http_script.c`): `$name`, `${name}`, `$1` to `$9`.

use crate::conf;
use crate::http::exchange::variables::{self, Var};
use crate::http::exchange::{Cx, Exchange};

/// A compiled text. The empty template yields the empty text.
#[derive(Debug, Default, Clone)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(Vec<u8>),
    Var(Var),
}

/// The variable names of one conf: those that templates use and no table knows, and those that regexes capture.
/// Compared when the whole conf has been read, because a capture may be defined below its use.
#[derive(Debug, Default)]
pub struct Names {
    used: Vec<(String, conf::Span)>,
    captured: Vec<String>,
    server_addr: bool,
    accept_delay: bool,
    sent_headers: bool,
}

impl Names {
    /// Makes the named groups of a regex known as variables.
    pub fn capture<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        self.captured.extend(names.map(str::to_owned));
    }

    fn note(&mut self, template: &Template, span: conf::Span) {
        for part in &template.parts {
            match part {
                Part::Var(Var::Named(name)) => self.used.push((name.clone(), span)),
                Part::Var(Var::Sent(_)) => self.sent_headers = true,
                Part::Var(Var::Known(variable)) => {
                    self.server_addr |= variable.name == "server_addr";
                    self.accept_delay |= variable.name == "accept_delay";
                }
                _ => {}
            }
        }
    }

    /// Fails with nginx's `unknown "x" variable` for the first name that nothing defines.
    /// `captured`: named groups besides those noted.
    pub fn check(&self, captured: &[String]) -> Result<(), conf::Error> {
        let captured = [captured, &self.captured].concat();
        let Some((name, span)) = self.used.iter().find(|(name, _)| !captured.contains(name)) else {
            return Ok(());
        };
        let near = variables::nearest(name, &captured);
        let error = conf::Error::at(*span, format!("unknown \"{name}\" variable"));
        Err(match near {
            Some(near) => error.help(format!("did you mean \"${near}\"?")),
            None => error,
        })
    }

    /// Whether a template asks for the address a connection came in by, which costs a system call on a wildcard socket.
    pub fn needs_local_address(&self) -> bool {
        self.server_addr
    }

    /// Whether a template asks how long a connection waited to be accepted, which costs a system call.
    pub fn needs_accept_delay(&self) -> bool {
        self.accept_delay
    }

    /// Whether a template asks for response header fields.
    pub fn needs_heads(&self) -> bool {
        self.sent_headers
    }
}

impl Template {
    /// A text without variables.
    pub fn text(text: impl Into<Vec<u8>>) -> Template {
        let text = text.into();
        Template { parts: if text.is_empty() { Vec::new() } else { vec![Part::Text(text)] } }
    }

    /// Compiles argument `i` of a directive. Errors: a `$` without a name, `${` without `}`.
    pub fn parse(args: &mut conf::Args, i: usize) -> Result<Template, conf::Error> {
        let text = args.str(i)?;
        Template::parse_text(args, i, text)
    }

    /// Compiles `text`, which stands in argument `i`.
    pub fn parse_text(args: &mut conf::Args, i: usize, text: &str) -> Result<Template, conf::Error> {
        let span = args.span(i);
        let template = Template::compile(text).map_err(|why| args.bad(i, why))?;
        args.notes::<Names>().note(&template, span);
        Ok(template)
    }

    /// Compiles a text. Errors: what is wrong with it.
    pub(in crate::http) fn compile(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            push_text(&mut parts, &rest[..at]);
            let (name, after) = split_name(&rest[at + 1..])?;
            parts.push(Part::Var(Var::find(name)));
            rest = after;
        }
        push_text(&mut parts, rest);
        Ok(Template { parts })
    }

    /// Puts `more` behind it.
    pub fn append(&mut self, more: Template) {
        self.parts.extend(more.parts);
    }

    /// The text, when it holds no variable.
    pub fn as_text(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The names of the variables of the table that it holds.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Var(Var::Known(variable)) => Some(variable.name),
            _ => None,
        })
    }

    /// Appends the filled-in text to `out`; a variable without a value adds nothing.
    pub fn eval(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Var(var) => {
                    var.get(ex, cx, out);
                }
            }
        }
    }

    /// As [`Template::eval`], with each variable's value passed through `escape`, and `missing` where there is none:
    /// what a log line needs.
    pub fn eval_escaped(
        &self,
        ex: &Exchange,
        cx: &Cx,
        out: &mut Vec<u8>,
        missing: &[u8],
        escape: fn(&mut Vec<u8>, usize),
    ) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Var(var) => {
                    let start = out.len();
                    if !var.get(ex, cx, out) {
                        out.extend_from_slice(missing);
                    } else if var.is_foreign() {
                        escape(out, start);
                    }
                }
            }
        }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.as_bytes().to_vec()));
    }
}

/// Splits the variable's name off the text behind a `$`.
fn split_name(rest: &str) -> Result<(&str, &str), String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(braced) = rest.strip_prefix('{') {
        let missing = || format!("the closing bracket in \"{}\" variable is missing", braced.trim_end());
        let end = braced.find('}').ok_or_else(missing)?;
        let name = &braced[..end];
        if name.is_empty() || !name.chars().all(is_name) {
            return Err("invalid variable name".to_owned());
        }
        return Ok((name, &braced[end + 1..]));
    }
    let end = match rest.as_bytes().first() {
        Some(b'1'..=b'9') => 1,
        _ => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
    };
    if end == 0 { Err("invalid variable name".to_owned()) } else { Ok(rest.split_at(end)) }
}

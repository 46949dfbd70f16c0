//! Text with `$variables`, compiled once when the conf is read. An exchange fills it in (`exchange/evaluate.rs`).
//! The syntax is nginx's (`src/http/ngx_http_script.c`): `$name`, `${name}`, `$1` to `$9`.
//!
//! A template holds numbers in the place of names, as in nginx (`ngx_http_get_variable_index`): [`VariableNames`] gives
//! them out while the conf is read; when it has been read, each name is bound to its value's function.

use crate::conf;

/// A compiled text. The empty template yields the empty text.
#[derive(Debug, Default, Clone)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(in crate::http) enum Part {
    Text(Vec<u8>),
    /// The number that [`VariableNames`] has given to a variable's name.
    Variable(usize),
}

/// The names of variables in one conf: those that templates use, in lower case and numbered, the named groups of
/// regexes, and those that `set` gives a value. Names have no case.
///
/// A group may be defined below its use: names are looked up when the whole conf has been read.
#[derive(Debug, Default, Clone)]
pub struct VariableNames {
    /// Each name, and the place of its first use.
    used: Vec<(String, conf::Span)>,
    /// The number of each name that is used, and the place.
    uses: Vec<(usize, conf::Span)>,
    captured: Vec<(String, conf::Span)>,
    /// Each name that a `set` gives a value, and where one does first.
    set: Vec<(String, conf::Span)>,
}

impl VariableNames {
    /// Makes the named groups of a regex, which stands at `span`, known as variables.
    pub fn capture<'n>(&mut self, names: impl Iterator<Item = &'n str>, span: conf::Span) {
        self.captured.extend(names.map(|name| (name.to_owned(), span)));
    }

    /// Makes a name known that a `set` gives a value.
    pub fn set(&mut self, name: &str, span: conf::Span) {
        if !self.is_set(name) {
            self.set.push((name.to_owned(), span));
        }
    }

    /// Whether a `set` gives the variable a value.
    pub fn is_set(&self, name: &str) -> bool {
        self.set.iter().any(|(set, _)| set.eq_ignore_ascii_case(name))
    }

    /// The named groups and the names that `set` gives a value, and their places.
    pub fn defined(&self) -> impl Iterator<Item = (&str, conf::Span)> {
        self.captured.iter().chain(&self.set).map(|(name, span)| (name.as_str(), *span))
    }

    /// The names that templates use, in the order of their numbers, and the places of their first use.
    pub fn used(&self) -> impl Iterator<Item = (&str, conf::Span)> {
        self.used.iter().map(|(name, span)| (name.as_str(), *span))
    }

    /// The places of all uses of the name with this number.
    pub fn uses_of(&self, number: usize) -> impl Iterator<Item = conf::Span> {
        self.uses.iter().filter(move |(used, _)| *used == number).map(|(_, span)| *span)
    }

    /// Whether the variable is a named group.
    pub fn is_captured(&self, name: &str) -> bool {
        self.captured.iter().any(|(captured, _)| captured.eq_ignore_ascii_case(name))
    }

    /// Whether a template uses the variable.
    pub fn is_used(&self, name: &str) -> bool {
        self.used.iter().any(|(used, _)| used == name)
    }

    fn number(&mut self, name: &str, span: conf::Span) -> usize {
        let known = self.used.iter().position(|(used, _)| used.eq_ignore_ascii_case(name));
        let number = known.unwrap_or_else(|| {
            self.used.push((name.to_ascii_lowercase(), span));
            self.used.len() - 1
        });
        self.uses.push((number, span));
        number
    }
}

impl Template {
    /// Compiles argument `i` of a directive. Errors: a `$` without a name, `${` without `}`.
    pub fn parse(args: &mut conf::Args, i: usize) -> Result<Template, conf::Error> {
        let text = args.str(i)?;
        Template::parse_text(args, i, text)
    }

    /// Compiles `text`, which stands in argument `i`.
    pub fn parse_text(args: &mut conf::Args, i: usize, text: &str) -> Result<Template, conf::Error> {
        let span = args.span(i);
        Template::compile(text, span, args.notes()).map_err(|why| args.bad(i, why).help(help(text)))
    }

    /// The value of one variable, whose name stands in argument `i`. Errors: the name is a number, which only texts
    /// take for a group (nginx: `unknown "1" variable`).
    pub(super) fn variable(args: &mut conf::Args, i: usize, name: &str) -> Result<Template, conf::Error> {
        if matches!(name.as_bytes(), [b'1'..=b'9']) {
            let error = args.bad(i, format!("unknown \"{name}\" variable"));
            return Err(error.help("give the group a name: (?<name>...)"));
        }
        let span = args.span(i);
        Ok(Template { parts: vec![Part::Variable(args.notes::<VariableNames>().number(name, span))] })
    }

    /// Compiles a text. Errors: the reason, in nginx's words.
    pub(in crate::http) fn compile(
        text: &str,
        span: conf::Span,
        names: &mut VariableNames,
    ) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            push_text(&mut parts, &rest[..at]);
            let (name, after) = split_name(&rest[at + 1..])?;
            parts.push(Part::Variable(names.number(name, span)));
            rest = after;
        }
        push_text(&mut parts, rest);
        Ok(Template { parts })
    }

    /// Adds the parts of `more`.
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

    /// The directory that every value with an absolute path lies in: the text before the first variable, up to its last
    /// slash; the whole text where there is no variable. Empty: a variable comes first.
    pub fn fixed_path(&self) -> &[u8] {
        match (self.as_text(), self.parts.first()) {
            (Some(text), _) => text,
            (None, Some(Part::Text(text))) => &text[..memchr::memrchr(b'/', text).map_or(0, |slash| slash + 1)],
            _ => b"",
        }
    }

    /// Whether the text holds the variable `name`. `names`: of the conf that the text stands in.
    pub fn uses(&self, names: &VariableNames, name: &str) -> bool {
        let is_it = |part: &Part| match part {
            Part::Variable(number) => names.used.get(*number).is_some_and(|(used, _)| used == name),
            Part::Text(_) => false,
        };
        self.parts.iter().any(is_it)
    }

    pub(in crate::http) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// A help about a text that is no template.
pub(in crate::http) fn help(text: &str) -> &'static str {
    match text.contains("${") {
        true => "a variable is $name or ${name}",
        false => "a \"$\" begins a variable, $name or ${name}: a text can't hold it otherwise",
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
        let end = if braced.is_empty() { 0 } else { braced.find('}').ok_or_else(missing)? };
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

//! Text for manual pages, in the language of man(7).

use std::fmt::Write;

/// Text in which every character stands for itself. Letters beyond ASCII get roff's names for them.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '`' => out.push_str("\\(ga"),
            '"' => out.push_str("\\(dq"),
            c if c.is_ascii() => out.push(c),
            c => _ = write!(out, "\\[u{:04X}]", u32::from(c)),
        }
    }
    out
}

/// Lines of a text whose paragraphs are separated by empty lines. Code in backquotes becomes bold.
pub fn paragraphs(text: &str) -> String {
    let marked = |paragraph: &str| {
        let parts = paragraph.split('`').enumerate().map(|(n, part)| match n % 2 {
            0 => escape(part),
            _ => format!("\\fB{}\\fR", escape(part)),
        });
        lines(&parts.collect::<String>())
    };
    text.split("\n\n").map(marked).collect::<Vec<_>>().join(".PP\n")
}

/// Columns of the source of a page.
const WIDTH: usize = 78;

/// Breaks a text into lines, one at least for each sentence, so that roff sees where sentences end.
fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut column = 0;
    for word in text.split_whitespace() {
        // A dot would begin a request.
        let word = if word.starts_with('.') { format!("\\&{word}") } else { word.to_owned() };
        let ends_sentence = out.ends_with('.') || out.ends_with(".\\fR");
        if column > 0 {
            let fits = column + 1 + word.len() <= WIDTH && !ends_sentence;
            out.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        out.push_str(&word);
        column += word.len();
    }
    out.push('\n');
    out
}

/// Lines of code, as they are.
pub fn code<'c>(code: impl IntoIterator<Item = &'c str>) -> String {
    let mut out = String::from(".nf\n.RS 4\n");
    for line in code {
        let line = escape(line);
        let begins = if line.starts_with('.') { "\\&" } else { "" };
        // roff takes an empty line of code for a break all the same.
        out.push_str(&if line.is_empty() { ".sp\n".to_owned() } else { format!("{begins}{line}\n") });
    }
    out.push_str(".RE\n.fi\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_stands_for_itself() {
        assert_eq!(escape(r"a-b\d 'x' ^~"), r"a\-b\ed \(aqx\(aq \(ha\(ti");
        assert_eq!(escape("5 µs"), "5 \\[u00B5]s");
        assert_eq!(paragraphs("A `b-c` d. `.gz` e.\n\nNext."), "A \\fBb\\-c\\fR d.\n\\fB.gz\\fR e.\n.PP\nNext.\n");
        assert_eq!(paragraphs(".gz is"), "\\&.gz is\n");
        assert_eq!(code([".a", "", "b"]), ".nf\n.RS 4\n\\&.a\n.sp\nb\n.RE\n.fi\n");
    }

    #[test]
    fn lines_are_short_and_none_begins_with_a_dot() {
        let text = format!("{}.conf {}", "word ".repeat(40), ".htaccess ".repeat(40));
        for line in paragraphs(&text).lines() {
            assert!(line.len() <= WIDTH && !line.starts_with('.'), "{line}");
        }
    }
}

//! The reference of all directives, made from their entries.

use super::roff::{code, escape, paragraphs};
use super::{Entry, Info, Kind, Registry};
use std::fmt::Write;

/// The whole reference: the contents of conf/DIRECTIVES.md.
pub fn markdown(registry: &Registry) -> String {
    let mut text = String::from(
        "# Directives\n\nMade by `drover --help-conf` from the directives themselves. TIME: `500ms`, `75s`, `1h30m`, \
         `30d`, `1y`, seconds without a unit. SIZE: bytes, or `8k`, `1m`, `2g`.\n",
    );
    for entry in described(registry) {
        let info = entry.info();
        let _ = write!(text, "\n## {}\n\n", info.names().join(", "));
        for usage in usages(*entry) {
            let _ = writeln!(text, "    {usage}");
        }
        let _ = write!(text, "\n{}\n\n", info.about());
        if let Some(table) = choices(info) {
            let _ = writeln!(text, "{table}");
        }
        let _ = writeln!(text, "{}", facts(info).join(" "));
    }
    list(&mut text, "## Without effect", "Accepted, because nothing needs them here:", registry, |kind| {
        matches!(kind, Kind::Inert(_))
    });
    list(&mut text, "## Refused", "An error, for these reasons:", registry, |kind| matches!(kind, Kind::Refused(_)));
    text
}

/// The directives for drover.conf(5): a part for each, and the names of the others.
pub fn roff(registry: &Registry) -> String {
    let mut text = String::new();
    for entry in described(registry) {
        let info = entry.info();
        let _ = writeln!(text, ".SS {}", escape(&info.names().join(", ")));
        let usages = usages(*entry);
        let _ = write!(text, "{}.PP\n{}", code(usages.iter().map(String::as_str)), paragraphs(info.about()));
        for choice in info.choices() {
            let _ = write!(text, ".TP\n\\fB{}\\fR\n{}", escape(&choice.usage), paragraphs(choice.about));
        }
        let _ = write!(text, ".PP\n{}", paragraphs(&facts(info).join(" ")));
    }
    for (title, is_refused) in [("Without effect", false), ("Refused", true)] {
        let entries = registry.entries().iter().filter(|entry| match entry.kind() {
            Kind::Inert(_) => !is_refused,
            Kind::Refused(_) => is_refused,
            Kind::Setting(_) | Kind::Section(_) => false,
        });
        let mut names: Vec<&str> = entries.flat_map(|entry| entry.info().names()).copied().collect();
        names.sort_unstable();
        if !names.is_empty() {
            let _ = write!(text, ".SS {title}\n{}", paragraphs(&format!("{}.", names.join(", "))));
        }
    }
    text
}

/// The reference of one directive. The error is a sentence, with the name that may have been meant.
pub fn one(registry: &Registry, name: &str) -> Result<String, String> {
    let entries = registry.named(name);
    if name == "include" {
        return Ok(INCLUDE.to_owned());
    }
    if entries.is_empty() {
        let near = registry.nearest(name, super::Contexts::all());
        let help = near.map(|near| format!(", did you mean \"{near}\"?")).unwrap_or_default();
        return Err(format!("unknown directive \"{name}\"{help}"));
    }
    let mut text = String::new();
    for entry in entries {
        let info = entry.info();
        match entry.kind() {
            Kind::Inert(_) => {
                let _ = writeln!(text, "{name}: accepted without effect: {}", info.about());
            }
            Kind::Refused(entry) => {
                let _ = writeln!(text, "{name}: not supported{}: {}", entry.exception(), info.about());
            }
            Kind::Setting(_) | Kind::Section(_) => {
                for usage in usages(*entry) {
                    let _ = writeln!(text, "{usage}");
                }
                let _ = writeln!(text, "\n{}\n", wrapped(info.about()));
                for choice in info.choices() {
                    let _ = writeln!(text, "{}\n{}\n", choice.usage, indented(&wrapped(choice.about)));
                }
                let _ = writeln!(text, "{}", facts(info).join("\n").replace('`', ""));
            }
        }
    }
    Ok(text)
}

/// The things that a directive's first argument can name, as a Markdown table; `None`: there is no such list.
pub fn choices(info: &Info) -> Option<String> {
    let choices = info.choices();
    let name = info.names().first()?;
    let mut text = format!("| `{name}` | meaning |\n|---|---|\n");
    for choice in &choices {
        // In Markdown a bar ends a cell, even inside backquotes.
        let _ = writeln!(text, "| `{}` | {} |", choice.usage.replace('|', "\\|"), choice.about.replace('|', "\\|"));
    }
    (!choices.is_empty()).then_some(text)
}

/// The names of all settings and sections, with the first sentence about each.
pub fn names(registry: &Registry) -> String {
    let mut lines = vec![("include", "Reads other files in this place.")];
    for entry in described(registry) {
        let info = entry.info();
        let first = info.about().split_inclusive(". ").next().unwrap_or_default().trim_end();
        lines.extend(info.names().iter().map(|name| (*name, first)));
    }
    lines.sort();
    lines.iter().fold(String::new(), |mut text, (name, first)| {
        let _ = writeln!(text, "{name:<30} {first}");
        text
    })
}

/// Breaks a text into lines that fit a terminal.
fn wrapped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 {
            let fits = column + 1 + width <= WIDTH;
            out.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        out.push_str(word);
        column += width;
    }
    out
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// Columns of a text for a terminal.
const WIDTH: usize = 96;

const INCLUDE: &str = "include FILE | PATTERN;\n\nReads the named file, or all that the pattern fits, in the order of \
    their names, as if they stood here. Relative to the directory of the conf file. No file for a pattern is no \
    error.\n\nContext: any.\n";

/// The entries with a page of their own, by name.
fn described(registry: &Registry) -> Vec<&&'static dyn Entry> {
    let mut entries: Vec<_> = registry.entries().iter().collect();
    entries.retain(|entry| matches!(entry.kind(), Kind::Setting(_) | Kind::Section(_)));
    entries.sort_by_key(|entry| (entry.info().names().first().copied(), entry.info().contexts().bits()));
    entries
}

fn usages(entry: &'static dyn Entry) -> Vec<String> {
    let info = entry.info();
    let block = match entry.kind() {
        Kind::Section(_) => true,
        Kind::Setting(store) => store.takes_block(),
        Kind::Inert(inert) => inert.takes_block,
        Kind::Refused(_) => false,
    };
    let end = if block { " { ... }" } else { ";" };
    info.names().iter().map(|name| format!("{}{end}", format!("{name} {}", info.syntax()).trim_end())).collect()
}

fn facts(info: &Info) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(default) = info.default() {
        facts.push(format!("Default: `{default}`."));
    }
    facts.push(format!("Context: {}.", info.contexts().words().collect::<Vec<_>>().join(", ")));
    facts
}

fn list(text: &mut String, title: &str, intro: &str, registry: &Registry, wanted: fn(Kind) -> bool) {
    let mut entries: Vec<_> = registry.entries().iter().filter(|entry| wanted(entry.kind())).collect();
    entries.sort_by_key(|entry| entry.info().names().first().copied());
    if entries.is_empty() {
        return;
    }
    let _ = write!(text, "\n{title}\n\n{intro}\n\n");
    for entry in entries {
        let names: Vec<String> = entry.info().names().iter().map(|name| format!("`{name}`")).collect();
        let but = match entry.kind() {
            Kind::Refused(refused) => refused.exception(),
            _ => String::new(),
        };
        let _ = writeln!(text, "- {}{but}: {}", names.join(", "), entry.info().about());
    }
}

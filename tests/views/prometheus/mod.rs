//! `conf/prometheus`: the alerts fire when they should, the dashboard is one of today's Grafana, and a real Prometheus
//! answers whatever both ask.

mod live;
mod rules;
mod schema;

use std::path::PathBuf;

use serde_json::Value;

/// The path of a file in `conf/prometheus`.
fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/prometheus")).join(name)
}

/// Its text.
fn text(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dashboard() -> Value {
    serde_json::from_str(&text("drover.json")).expect("JSON")
}

/// The selectors of series in an expression: `drover_NAME{...}`, and `up{...}`.
fn selectors(expr: &str) -> Vec<&str> {
    let is_word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = expr.as_bytes().get(at) {
        let rest = &expr[at..];
        let word = rest.bytes().take_while(|&byte| is_word(byte)).count();
        let braces = if rest[word..].starts_with('{') { rest[word..].find('}').map_or(0, |end| end + 1) } else { 0 };
        if rest.starts_with("drover_") || &rest[..word] == "up" {
            found.push(&rest[..word + braces]);
        }
        at += match byte {
            // A text between quotes holds no names.
            b'"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            _ => (word + braces).max(1),
        };
    }
    found
}

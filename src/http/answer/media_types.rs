//! Sets of media types, as `charset_types` and `gzip_types` say them (`ngx_http_types_slot`).

use std::collections::HashSet;

use crate::conf;

/// The media types that something is done to.
#[derive(Debug, Default)]
pub enum MediaTypes {
    /// No directive says any: those that the module has by itself.
    #[default]
    Own,
    /// text/html and these, in lower case.
    Said(HashSet<Box<str>>),
    /// All.
    Any,
}

impl MediaTypes {
    /// Adds the arguments of a directive.
    pub(super) fn add(&mut self, args: &mut conf::Args) -> Result<(), conf::Error> {
        if matches!(self, MediaTypes::Own) {
            *self = MediaTypes::Said(HashSet::from(["text/html".into()]));
        }
        for i in 0..args.len() {
            let name = args.str(i)?.to_ascii_lowercase();
            let MediaTypes::Said(said) = self else { return Ok(()) };
            if name == "*" {
                *self = MediaTypes::Any;
            } else if !said.insert(name.as_str().into()) {
                args.warn(i, format!("duplicate MIME type \"{name}\""));
            }
        }
        Ok(())
    }

    /// Whether the type is one of them, in any case; `own`: the module's, in lower case.
    pub(super) fn has(&self, media_type: &[u8], own: &[&str]) -> bool {
        match self {
            MediaTypes::Any => true,
            MediaTypes::Own => own.iter().any(|name| media_type.eq_ignore_ascii_case(name.as_bytes())),
            MediaTypes::Said(said) => std::str::from_utf8(media_type)
                .is_ok_and(|text| said.contains(text) || said.contains(text.to_ascii_lowercase().as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_no_case_and_count_whole() {
        let own = ["text/html", "text/plain"];
        assert!(MediaTypes::Own.has(b"Text/HTML", &own) && !MediaTypes::Own.has(b"text/css", &own));
        let said = MediaTypes::Said(HashSet::from(["text/css".into()]));
        assert!(said.has(b"text/CSS", &own) && !said.has(b"text/plain", &own));
        assert!(!said.has(b"text/css; charset=utf-8", &own) && !said.has(b"\xff", &own));
        assert!(MediaTypes::Any.has(b"", &own));
    }
}

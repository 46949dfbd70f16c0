//! PEM files (RFC 7468), as OpenSSL reads them: sections between lines, whatever else stands around them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

/// A section of a PEM file.
pub(super) struct Section {
    /// The words behind `BEGIN`: `CERTIFICATE`, `PRIVATE KEY`.
    pub(super) label: String,
    /// The header lines of an encrypted key (RFC 1421), `Name: value`.
    pub(super) headers: Vec<String>,
    /// The bytes.
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// The reason why a section can't be read: a sentence's end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadPem {
    /// `-----BEGIN X-----` without `-----END X-----`.
    NoEnd,
    /// Something between the lines that is no Base64.
    NoBase64,
    /// An END line that a BEGIN line follows without a line feed, as `cat` makes it of files without their last one.
    Glued,
}

impl BadPem {
    /// OpenSSL's words for the mistake, and advice.
    pub(super) fn words(&self) -> (&'static str, &'static str) {
        match self {
            BadPem::NoEnd => ("bad end line", "the file is cut off: it has a BEGIN line without its END line"),
            BadPem::Glued => (
                "bad end line",
                "an END and a BEGIN line stand in one: a file lacks its last line feed, put it between",
            ),
            BadPem::NoBase64 => {
                ("bad base64 decode", "the text between its BEGIN and END lines is damaged: copy the file anew")
            }
        }
    }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The byte order mark of some editors, which OpenSSL 3 passes by (sanitize_line in pem_lib.c).
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The sections of a file, in their order.
pub(super) fn sections(text: &[u8]) -> Result<Vec<Section>, BadPem> {
    // Anything may stand between sections: texts of certificates in Latin-1, for example.
    let text = text.strip_prefix(UTF8_MARK).unwrap_or(text);
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    let mut lines = text.lines().map(str::trim_end);
    let mut sections = Vec::new();
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) else { continue };
        sections.push(section(label, &mut lines)?);
    }
    Ok(sections)
}

fn section<'t>(label: &str, lines: &mut impl Iterator<Item = &'t str>) -> Result<Section, BadPem> {
    let mut headers = Vec::new();
    let mut body = Zeroizing::new(String::new());
    for line in lines {
        if let Some(end) = line.strip_prefix(END).and_then(|rest| rest.strip_suffix(DASHES)) {
            if end != label {
                let is_glued = end.contains("----------BEGIN ");
                return Err(if is_glued { BadPem::Glued } else { BadPem::NoEnd });
            }
            let der = STANDARD.decode(body.as_bytes()).map_err(|_| BadPem::NoBase64)?;
            return Ok(Section { label: label.to_owned(), headers, der: Zeroizing::new(der) });
        }
        if line.starts_with(BEGIN) {
            return Err(BadPem::NoEnd);
        }
        match line.contains(':') {
            true => headers.push(line.to_owned()),
            false => body.extend(line.chars().filter(|c| !c.is_ascii_whitespace())),
        }
    }
    body.zeroize();
    Err(BadPem::NoEnd)
}

/// The file is in UTF-16, as some editors write it.
pub(super) fn is_utf16(text: &[u8]) -> bool {
    text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Result<Vec<String>, BadPem> {
        Ok(sections(text.as_bytes())?.into_iter().map(|section| section.label).collect())
    }

    #[test]
    fn sections_stand_between_anything() {
        let text = "subject=x\r\n-----BEGIN CERTIFICATE-----\r\nQUJD\r\nREVG\r\n-----END CERTIFICATE-----\n\
                    -----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nQUJD\n\
                    -----END RSA PRIVATE KEY-----";
        let found = sections(text.as_bytes()).unwrap();
        assert_eq!(found[0].der.as_slice(), b"ABCDEF");
        assert_eq!(found[1].label, "RSA PRIVATE KEY");
        assert_eq!(found[1].headers, ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00"]);
        assert_eq!(labels(""), Ok(Vec::new()));
        assert_eq!(labels("\u{feff}-----BEGIN X-----\nQQ==\n-----END X-----"), Ok(vec!["X".to_owned()]));
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_an_error() {
        assert_eq!(labels("-----BEGIN X-----\nQQ==\n"), Err(BadPem::NoEnd));
        assert_eq!(labels("-----BEGIN X-----\nQQ==\n-----BEGIN X-----\nQQ==\n-----END X-----"), Err(BadPem::NoEnd));
        assert_eq!(labels("-----BEGIN X-----\nQQ==\n-----END Y-----"), Err(BadPem::NoEnd));
        let glued = "-----BEGIN X-----\nQQ==\n-----END X----------BEGIN X-----\nQQ==\n-----END X-----";
        assert_eq!(labels(glued), Err(BadPem::Glued));
        assert_eq!(labels("-----BEGIN X-----\nQ(==\n-----END X-----"), Err(BadPem::NoBase64));
    }
}

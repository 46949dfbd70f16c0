//! A reason why a file can't be used, in nginx's words, and advice.

use super::pem;

/// A reason, with advice.
#[derive(Debug)]
pub(super) struct Trouble {
    /// The end of nginx's sentence: the call of OpenSSL's that fails there, and why.
    pub(super) words: String,
    pub(super) help: String,
}

impl Trouble {
    pub(super) fn new(call: &str, why: &str, help: impl Into<String>) -> Trouble {
        Trouble { words: format!("{call} failed ({why})"), help: help.into() }
    }

    /// The trouble with a file that has nothing of the wanted kind; `other` knows advice about the labels that it has.
    pub(super) fn nothing_in(
        call: &str,
        wanted: &str,
        text: &[u8],
        other: impl Fn(&[String]) -> Option<&'static str>,
    ) -> Trouble {
        let labels: Vec<String> =
            pem::sections(text).unwrap_or_default().into_iter().map(|section| section.label).collect();
        let help = match text {
            [] => "the file is empty".to_owned(),
            _ if pem::is_utf16(text) => "the file is in UTF-16: save it as plain text".to_owned(),
            // A SEQUENCE: no text begins so and goes on with its length.
            [0x30, 0x02..=0x7f, 0x02 | 0x30, ..] | [0x30, 0x81..=0x84, ..] => {
                format!("the file is DER, and PEM is wanted: {}", as_pem(wanted))
            }
            _ => match other(&labels) {
                Some(help) => help.to_owned(),
                None if labels.is_empty() => format!("no \"-----BEGIN {wanted}-----\" is in it: is it the right file?"),
                None => format!("no {wanted} is in it, but: {}", labels.join(", ")),
            },
        };
        Trouble::new(call, &format!("no start line, expecting: {wanted}"), help)
    }
}

/// The command that makes PEM of a DER file.
fn as_pem(wanted: &str) -> &'static str {
    match wanted {
        "CERTIFICATE" => "openssl x509 -inform DER -in FILE -out FILE.pem",
        "X509 CRL" => "openssl crl -inform DER -in FILE -out FILE.pem",
        _ => "openssl pkey -inform DER -in FILE -out FILE.pem",
    }
}

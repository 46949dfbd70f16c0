//! A certificate with its chain and key, read and checked: both fit together, and the dates are known.

use super::key::{self, Passwords};
use super::pem;
use super::provider;
use super::settings::Named;
use super::trouble::Trouble;
use super::x509::{Certificate, date_text};
use crate::os::ErrnoText;
use rustls::Error;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey};
use std::fs;
use std::sync::Arc;
use zeroize::Zeroizing;

/// OpenSSL's function that nginx's sentence names.
const CALL: &str = "PEM_read_bio_X509_AUX()";

/// A certificate is warned about this long before its end, seconds.
const SOON: i64 = 14 * 86400;

/// Days are counted up to here, seconds.
const YEARS: i64 = 3 * 365 * 86400;

/// An error with its place: the file of the certificate or that of the key.
pub(super) struct PairError {
    pub(super) is_key: bool,
    /// nginx's sentence.
    pub(super) sentence: String,
    pub(super) help: String,
}

/// The content of a file that a directive names, or the text behind `data:`. Error: the end of nginx's sentence.
pub(super) fn content(named: &Named) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    if let Some(data) = named.data() {
        return Ok(Zeroizing::new(data.as_bytes().to_vec()));
    }
    fs::read(&named.path).map(Zeroizing::new).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file: relative names start at the directory of the conf",
            std::io::ErrorKind::PermissionDenied => "it is read by the master, with the rights of who starts it",
            _ => "it must be a file that can be read",
        };
        Trouble { words: format!("BIO_new_file() failed ({})", ErrnoText(&error)), help: help.to_owned() }
    })
}

/// The name of a file in messages: a text behind `data:` may hold a key.
pub(super) fn shown(named: &Named) -> &str {
    if named.data().is_some() { "data:..." } else { &named.path }
}

/// The same as the conf spells it.
pub(super) fn said(named: &Named) -> &str {
    if named.data().is_some() { shown(named) } else { &named.text }
}

/// Reads a certificate with its chain, and its key. Errors: that of each file, or that the two are no pair.
pub(super) fn load(certificate: &Named, key: &Named, passwords: &Passwords) -> Result<CertifiedKey, Vec<PairError>> {
    let chain = content(certificate).and_then(|text| chain(&text)).map_err(|trouble| PairError {
        is_key: false,
        sentence: format!("cannot load certificate \"{}\": {}", shown(certificate), trouble.words),
        help: trouble.help,
    });
    match (chain, load_key(key, passwords)) {
        (Ok(chain), Ok(signer)) => {
            pair(CertifiedKey::new(chain, signer), certificate, key).map_err(|error| vec![error])
        }
        (chain, signer) => Err(chain.err().into_iter().chain(signer.err()).collect()),
    }
}

fn load_key(key: &Named, passwords: &Passwords) -> Result<Arc<dyn SigningKey>, PairError> {
    let bad_key = |trouble: Trouble| PairError {
        is_key: true,
        sentence: format!("cannot load certificate key \"{}\": {}", shown(key), trouble.words),
        help: trouble.help,
    };
    let text = content(key).map_err(bad_key)?;
    let der = key::read(&text, passwords).map_err(bad_key)?;
    let unusable = |error: Error| PairError {
        is_key: true,
        sentence: format!("SSL_CTX_use_PrivateKey(\"{}\") failed ({error})", shown(key)),
        help: "an RSA key of 2048 to 8192 bits, or a key on P-256, P-384, P-521 or Ed25519 is wanted".to_owned(),
    };
    provider::key_provider().load_private_key(der).map_err(unusable)
}

/// Checks that the key is that of the certificate.
fn pair(pair: CertifiedKey, certificate: &Named, key: &Named) -> Result<CertifiedKey, PairError> {
    if pair.cert.first().is_some_and(|own| is_of(&*pair.key, own)) {
        return Ok(pair);
    }
    Err(PairError {
        is_key: true,
        sentence: format!("SSL_CTX_use_PrivateKey(\"{}\") failed (key values mismatch)", shown(key)),
        help: mismatch(&pair, shown(certificate)),
    })
}

/// Whether the key is that of the certificate, of whatever version (rustls compares in version 3 alone).
fn is_of(key: &dyn SigningKey, certificate: &CertificateDer) -> bool {
    // Every key of the provider knows its public half.
    let public = key.public_key();
    Certificate::read(certificate).is_some_and(|read| public.is_none_or(|public| *public == *read.key))
}

/// Advice about a key that is not that of the certificate.
fn mismatch(pair: &CertifiedKey, certificate: &str) -> String {
    match pair.cert.iter().position(|other| is_of(&*pair.key, other)) {
        Some(at) => format!(
            "the key is that of certificate {} in \"{certificate}\": the server's own must be the first, its issuer \
             next",
            at + 1
        ),
        None => format!("the key does not belong to the certificate in \"{certificate}\""),
    }
}

/// The certificates of a PEM file: at least one.
pub(super) fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let sections = pem::sections(text).map_err(|bad| {
        let (why, help) = bad.words();
        Trouble::new(CALL, why, help)
    })?;
    let is_certificate = |label: &str| matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE");
    let mut chain = Vec::new();
    for section in sections.iter().filter(|section| is_certificate(&section.label)) {
        let der = own_part(&section.label, &section.der).filter(|der| Certificate::read(der).is_some());
        let Some(der) = der else {
            let help = format!("certificate {} of the file is damaged", chain.len() + 1);
            return Err(Trouble::new(CALL, "nested asn1 error", help));
        };
        chain.push(CertificateDer::from(der.to_vec()));
    }
    if chain.is_empty() {
        return Err(Trouble::nothing_in(CALL, "CERTIFICATE", text, other_than_certificate));
    }
    Ok(chain)
}

/// The certificate of a section: a TRUSTED CERTIFICATE has OpenSSL's own data behind it.
fn own_part<'d>(label: &str, der: &'d [u8]) -> Option<&'d [u8]> {
    let element = super::der::Reader::new(der).next()?;
    (label == "TRUSTED CERTIFICATE" || element.whole.len() == der.len()).then_some(element.whole)
}

/// Advice about a file without a certificate, by what is in it instead.
fn other_than_certificate(labels: &[String]) -> Option<&'static str> {
    let has = |end: &str| labels.iter().any(|label| label.ends_with(end));
    match () {
        () if has("PRIVATE KEY") => {
            Some("it holds a private key: are ssl_certificate and ssl_certificate_key swapped?")
        }
        () if has("CERTIFICATE REQUEST") => {
            Some("it holds the request for a certificate, which an authority makes a certificate of")
        }
        () if has("PKCS7") => Some("it holds PKCS #7: openssl pkcs7 -print_certs -in FILE -out FILE.pem"),
        () => None,
    }
}

/// A remark about a setting, or the dates of a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remark {
    /// Something that can't be meant so, or needs to be done.
    Warning(String),
    /// Something to know.
    Notice(String),
}

/// The remark about a certificate that is valid at `now`, seconds since 1970, or is not.
pub(super) fn remark(pair: &CertifiedKey, shown: &str, now: i64) -> Option<Remark> {
    let read = Certificate::read(pair.cert.first()?)?;
    let mut names = read.names();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let of = match (names.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" of {}", names.join(", ")),
        (false, more) => format!(" of {} and {more} more", names.join(", ")),
    };
    let what = format!("certificate \"{shown}\"{of}");
    let version = if read.is_old { "; it is of X.509 version 1, which browsers refuse" } else { "" };
    let (end, left) = (date_text(read.not_after), read.not_after - now);
    Some(match left {
        ..=0 => Remark::Warning(format!("{what} has expired on {end}: clients will refuse it")),
        _ if read.not_before > now => {
            Remark::Warning(format!("{what} is not valid before {}", date_text(read.not_before)))
        }
        1..=SOON => Remark::Warning(format!("{what} expires on {end}, in {}", days(left))),
        _ if left <= YEARS => Remark::Notice(format!("{what} is valid until {end}, for {}{version}", days(left))),
        _ => Remark::Notice(format!("{what} is valid until {end}{version}")),
    })
}

fn days(seconds: i64) -> String {
    match seconds / 86400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

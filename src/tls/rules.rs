//! The settings of a server that are no certificates: versions, suites, groups, tickets, clients' certificates.

use super::certificate::{self, Remark};
use super::settings::{self, Named, Verify, Versions};
use super::tickets::{FileKeys, Keyring, SharedKeys, Ticketer};
use super::trouble::Trouble;
use super::verify::Rules;
use super::{ciphers, groups, pem, server_config};
use crate::conf::{self, Mistakes, Scope, Span};
use crate::http::exchange::secure::ClientCheck;
use crate::os::Failure;
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use zeroize::Zeroizing;

type Remarks = Vec<(Span, Remark)>;

/// Suites, groups and versions.
pub(super) fn cryptography(
    scope: &Scope,
    remarks: &mut Remarks,
) -> Result<(Arc<CryptoProvider>, Vec<&'static SupportedProtocolVersion>), conf::Error> {
    let versions = versions(scope, remarks)?;
    let span = scope.span_of(&settings::CIPHERS).unwrap_or(Span::NOWHERE);
    let text = scope.get(&settings::CIPHERS);
    let chosen = ciphers::choose(text).ok_or_else(|| {
        let what = format!("SSL_CTX_set_cipher_list(\"{text}\") failed (no cipher match)");
        conf::Error::at(span, what).help("for example: ssl_ciphers HIGH:!aNULL:!MD5; or leave it out")
    })?;
    if !chosen.missing.is_empty() {
        let text = format!("cipher suites that can't be had are left out: {}", chosen.missing.join(", "));
        remarks.push((span, Remark::Notice(text)));
    }
    let groups = groups(scope, remarks)?;
    // By the suites of a version that is off, rustls would offer keys that no suite in common signs with.
    let suites = chosen.suites.into_iter().filter(|suite| versions.contains(&suite.version())).collect();
    Ok((server_config::provider_of(suites, groups), versions))
}

fn versions(scope: &Scope, remarks: &mut Remarks) -> Result<Vec<&'static SupportedProtocolVersion>, conf::Error> {
    let said = *scope.get(&settings::PROTOCOLS);
    let span = scope.span_of(&settings::PROTOCOLS).unwrap_or(Span::NOWHERE);
    let mut versions = Vec::new();
    if said.contains(Versions::TLSV1_3) {
        versions.push(&TLS13);
    }
    if said.contains(Versions::TLSV1_2) {
        versions.push(&TLS12);
    }
    if versions.is_empty() {
        let error = conf::Error::at(span, "no version of \"ssl_protocols\" can be had");
        return Err(error.help("those before TLSv1.2 are broken: ssl_protocols TLSv1.2 TLSv1.3;"));
    }
    if said.intersects(Versions::OLD) {
        let text = "versions of \"ssl_protocols\" before TLSv1.2 are left out: they are broken";
        remarks.push((span, Remark::Notice(text.to_owned())));
    }
    Ok(versions)
}

fn groups(
    scope: &Scope,
    remarks: &mut Remarks,
) -> Result<Vec<&'static dyn rustls::crypto::SupportedKxGroup>, conf::Error> {
    let text = scope.get(&settings::ECDH_CURVE);
    let span = scope.span_of(&settings::ECDH_CURVE).unwrap_or(Span::NOWHERE);
    let chosen = groups::choose(text).map_err(|unusable| {
        let what = |why: &str| conf::Error::at(span, format!("SSL_CTX_set1_curves_list(\"{text}\") failed{why}"));
        const KNOWN: &str = "groups are X25519MLKEM768, X25519, prime256v1 and secp384r1";
        match unusable {
            groups::Unusable::Unknown(name) if name.is_empty() => what("").help(KNOWN),
            groups::Unusable::Unknown(name) => {
                what(&format!(" (passed invalid argument:group '{name}' cannot be set)")).help(KNOWN)
            }
            groups::Unusable::Twice(name) => what("").help(format!("\"{name}\" stands there twice")),
            groups::Unusable::NoneLeft => what(" (no group of it is here)").help(KNOWN),
        }
    })?;
    if !chosen.missing.is_empty() {
        let text = format!("groups that can't be had are left out: {}", chosen.missing.join(", "));
        remarks.push((span, Remark::Notice(text)));
    }
    Ok(chosen.groups)
}

/// The most bytes of an answer in a record.
pub(super) fn buffer_size(scope: &Scope) -> usize {
    // Records have 16 KiB at most (RFC 8446 5.1), and rustls makes none below 32 bytes.
    usize::try_from(*scope.get(&settings::BUFFER_SIZE)).unwrap_or(usize::MAX).clamp(32, 16 << 10)
}

/// The sealer of a server's tickets; `None`: it has none.
pub(super) fn ticketer(
    scope: &Scope,
    shared: &Arc<SharedKeys>,
    context: [u8; 32],
    lifetime_s: u64,
    mistakes: &mut Mistakes,
) -> Option<Arc<Ticketer>> {
    let files = scope.get(&settings::SESSION_TICKET_KEY);
    let contents: Vec<_> = files.iter().filter_map(|named| mistakes.keep(ticket_key(named))).collect();
    if contents.len() < files.len() || !*scope.get(&settings::SESSION_TICKETS) {
        return None;
    }
    let keys: Arc<dyn Keyring> = match files.is_empty() {
        true => shared.clone(),
        false => Arc::new(FileKeys::new(&contents)),
    };
    Some(Arc::new(Ticketer::new(keys, context, lifetime_s)))
}

fn ticket_key(named: &Named) -> Result<Zeroizing<Vec<u8>>, conf::Error> {
    let read = fs::read(&named.path).map(Zeroizing::new);
    let bytes =
        read.map_err(|e| conf::Error::failed(named.span, Failure::on_path("open", Path::new(&named.path), e)))?;
    if !matches!(bytes.len(), 48 | 80) {
        let error = conf::Error::at(named.span, format!("\"{}\" must be 48 or 80 bytes", named.path));
        return Err(error.help("openssl rand 80 >FILE"));
    }
    Ok(bytes)
}

/// The rules of a server about clients' certificates, and a digest of it.
pub(super) fn of_clients(scope: &Scope, mistakes: &mut Mistakes) -> (Rules, [u8; 32]) {
    let verify = *scope.get(&settings::VERIFY_CLIENT);
    let check = match verify {
        Verify::Off => ClientCheck::Off,
        Verify::On => ClientCheck::On,
        Verify::Optional => ClientCheck::Optional,
        Verify::OptionalNoCa => ClientCheck::OptionalNoCa,
    };
    let mut rules = Rules::new(check, *scope.get(&settings::VERIFY_DEPTH));
    let (hinted, trusted) = (scope.get(&settings::CLIENT_CERTIFICATE), scope.get(&settings::TRUSTED_CERTIFICATE));
    let is_needed = matches!(verify, Verify::On | Verify::Optional);
    if is_needed && hinted.is_none() && trusted.is_none() {
        let span = scope.span_of(&settings::VERIFY_CLIENT).unwrap_or(Span::NOWHERE);
        let what = "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client";
        mistakes.add(conf::Error::at(span, what).help("ssl_client_certificate names the file of the issuers"));
    }
    let mut texts = Vec::new();
    // nginx looks at the first file only where clients are asked.
    let files = [(hinted.as_ref().filter(|_| verify != Verify::Off), true), (trusted.as_ref(), false)];
    for (named, is_hint) in files {
        let Some(named) = named else { continue };
        mistakes.keep(add_issuers(&mut rules, named, is_hint, &mut texts));
    }
    if let Some(crl) = scope.get(&settings::CRL) {
        rules.crls = mistakes.keep(crls(crl, &mut texts)).unwrap_or_default();
    }
    let digest = rules.digest(&texts);
    (rules, digest)
}

fn add_issuers(rules: &mut Rules, named: &Named, is_hint: bool, texts: &mut Vec<Vec<u8>>) -> Result<(), conf::Error> {
    let bad = |trouble: Trouble| {
        let what = format!("cannot load certificate \"{}\": {}", named.path, trouble.words);
        conf::Error::at(named.span, what).help(trouble.help)
    };
    let text = certificate::content(named).map_err(bad)?;
    for der in certificate::chain(&text).map_err(bad)? {
        if !rules.add_issuer(&der, is_hint) {
            let what = format!("X509_STORE_add_cert(\"{}\") failed", named.path);
            return Err(conf::Error::at(named.span, what).help("a certificate of the file is no issuer's"));
        }
    }
    texts.push(text.to_vec());
    Ok(())
}

/// OpenSSL's function that nginx's sentence names.
const CRL_CALL: &str = "PEM_read_bio_X509_CRL()";

fn crls(named: &Named, texts: &mut Vec<Vec<u8>>) -> Result<Vec<CertRevocationList<'static>>, conf::Error> {
    let bad = |trouble: Trouble| {
        let what = format!("cannot load CRL \"{}\": {}", named.path, trouble.words);
        conf::Error::at(named.span, what).help(trouble.help)
    };
    let text = certificate::content(named).map_err(bad)?;
    let sections = pem::sections(&text).map_err(|error| {
        let (why, help) = error.words();
        bad(Trouble::new(CRL_CALL, why, help))
    })?;
    let mut crls = Vec::new();
    for section in sections.iter().filter(|section| section.label == "X509 CRL") {
        let read = OwnedCertRevocationList::from_der(&section.der).map_err(|error| {
            let help = "a list of version 2 without indirect entries is wanted";
            bad(Trouble::new(CRL_CALL, &format!("{error:?}"), help))
        })?;
        crls.push(CertRevocationList::from(read));
    }
    if crls.is_empty() {
        return Err(bad(Trouble::nothing_in(CRL_CALL, "X509 CRL", &text, |_| None)));
    }
    texts.push(text.to_vec());
    Ok(crls)
}

/// Checks that the file of `ssl_dhparam` is there, which has no effect.
pub(super) fn check_dhparam(scope: &Scope, remarks: &mut Remarks) -> Result<(), conf::Error> {
    let Some(named) = scope.get(&settings::DHPARAM) else { return Ok(()) };
    let bad = |what: String, help: &str| Err(conf::Error::at(named.span, what).help(help));
    let text = match fs::read(&named.path) {
        Ok(text) => text,
        Err(error) => {
            let what = format!("BIO_new_file(\"{}\") failed ({})", named.path, crate::os::ErrnoText(&error));
            return bad(what, "it has no effect here: leave it out");
        }
    };
    let sections = pem::sections(&text).unwrap_or_default();
    if !sections.iter().any(|section| section.label.ends_with("DH PARAMETERS")) {
        let what =
            format!("PEM_read_bio_DHparams(\"{}\") failed (no start line, expecting: DH PARAMETERS)", named.path);
        return bad(what, "it has no effect here: leave it out");
    }
    let text = "without effect here, and not needed: \"ssl_dhparam\"";
    remarks.push((named.span, Remark::Notice(text.to_owned())));
    Ok(())
}

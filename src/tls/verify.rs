//! Clients' certificates: asked for in the handshake, and checked once it is over, so that a client whose certificate
//! won't do gets a page that says so, as in nginx.

use super::old_version;
use super::provider;
use super::x509::{Certificate, hex, serial_text, time_text};
use crate::http::exchange::secure::{Checked, ClientCertificate, ClientCheck};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use std::time::Duration;
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationOptionsBuilder, VerifiedPath,
};

/// The rules of a server about clients' certificates.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) check: ClientCheck,
    /// The most intermediate certificates.
    depth: u64,
    anchors: Vec<TrustAnchor<'static>>,
    /// The certificates of the anchors.
    roots: Vec<CertificateDer<'static>>,
    /// Certificates of the conf that lead to an anchor.
    intermediates: Vec<CertificateDer<'static>>,
    hints: Vec<DistinguishedName>,
    pub(super) crls: Vec<CertRevocationList<'static>>,
}

impl Rules {
    pub(super) fn new(check: ClientCheck, depth: u64) -> Rules {
        Rules { check, depth, ..Rules::default() }
    }

    /// Adds an issuer; `is_hint`: clients are told its name. False: the certificate can't be one.
    pub(super) fn add_issuer(&mut self, der: &CertificateDer<'static>, is_hint: bool) -> bool {
        let Some(read) = Certificate::read(der) else { return false };
        if is_hint {
            self.hints.push(DistinguishedName::from(read.subject.der.to_vec()));
        }
        // OpenSSL wants a chain up to a root that signs itself.
        if read.subject.der != read.issuer.der {
            self.intermediates.push(der.clone());
            return true;
        }
        let Ok(anchor) = webpki::anchor_from_trusted_cert(der) else { return false };
        self.anchors.push(anchor.to_owned());
        self.roots.push(der.clone());
        true
    }

    /// The check of the chain that a client has sent; its own certificate is the first.
    pub(super) fn check(&self, chain: &[CertificateDer], unix_s: u64) -> Checked {
        let Some((leaf, sent)) = chain.split_first() else { return Checked::None };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(unix_s));
        match self.verify(leaf, sent, now) {
            Ok(()) => Checked::Success,
            Err(error) => self.failed(&error, chain),
        }
    }

    fn verify(&self, leaf: &CertificateDer, sent: &[CertificateDer], now: UnixTime) -> Result<(), Error> {
        let algorithms = provider::provider().signature_verification_algorithms.all;
        if self.is_own(leaf) {
            return old_version::check_dates(leaf, now);
        }
        let end_entity = match EndEntityCert::try_from(leaf) {
            Err(Error::UnsupportedCertVersion) if self.crls.is_empty() => {
                return old_version::check(leaf, &self.anchors, algorithms, now);
            }
            Err(Error::UnsupportedCertVersion) => return Err(Error::UnknownRevocationStatus),
            read => read?,
        };
        let intermediates: Vec<CertificateDer> = sent.iter().chain(&self.intermediates).cloned().collect();
        let crls: Vec<&CertRevocationList> = self.crls.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&crls)
            .ok()
            .map(|options| options.with_expiration_policy(ExpirationPolicy::Enforce).build());
        let is_short = |path: &VerifiedPath<'_>| {
            let count = path.intermediate_certificates().count() as u64;
            if count > self.depth { Err(Error::MaximumPathDepthExceeded) } else { Ok(()) }
        };
        let usage = KeyUsage::client_auth();
        end_entity.verify_for_usage(
            algorithms,
            &self.anchors,
            &intermediates,
            now,
            usage,
            revocation,
            Some(&is_short),
        )?;
        Ok(())
    }

    /// Whether the conf names the certificate itself, as it may one that has signed itself, and which is an authority's
    /// by what `openssl req -x509` writes. webpki takes none that is (OpenSSL: `check_trust`).
    fn is_own(&self, leaf: &CertificateDer) -> bool {
        self.crls.is_empty()
            && self.roots.contains(leaf)
            && Certificate::read(leaf).is_some_and(|read| !read.limits_usage())
    }

    /// The reason in OpenSSL's words and numbers (x509_txt.c). nginx lets OpenSSL go on after each that it finds, and
    /// the last one holds: want of an issuer of the client's own certificate is found after its purpose.
    fn failed(&self, error: &Error, chain: &[CertificateDer]) -> Checked {
        let is_alone = chain.len() == 1;
        let (number, reason) = match error {
            Error::CertExpired { .. } => (10, "certificate has expired"),
            Error::CertNotValidYet { .. } => (9, "certificate is not yet valid"),
            Error::RequiredEkuNotFoundContext(_) | Error::CaUsedAsEndEntity | Error::UnknownIssuer
                if self.has_no_issuer(chain) =>
            {
                (21, "unable to verify the first certificate")
            }
            Error::CertRevoked => (23, "certificate revoked"),
            Error::CrlExpired { .. } => (12, "CRL has expired"),
            Error::UnknownRevocationStatus => (3, "unable to get certificate CRL"),
            Error::PathLenConstraintViolated => (25, "path length constraint exceeded"),
            Error::RequiredEkuNotFoundContext(_) => (26, "unsuitable certificate purpose"),
            Error::EndEntityUsedAsCa => (79, "invalid CA certificate"),
            Error::InvalidSignatureForPublicKey => (7, "certificate signature failure"),
            Error::UnknownIssuer | Error::CaUsedAsEndEntity if is_alone && is_self_signed(chain.first()) => {
                (18, "self-signed certificate")
            }
            Error::UnknownIssuer if is_self_signed(chain.last()) => {
                (19, "self-signed certificate in certificate chain")
            }
            Error::UnknownIssuer if is_alone => (21, "unable to verify the first certificate"),
            // OpenSSL looks for no further issuer in a chain that is too long, and says last that it has none.
            Error::MaximumPathDepthExceeded if self.ends_in_conf(chain) => (2, "unable to get issuer certificate"),
            Error::UnknownIssuer | Error::MaximumPathDepthExceeded => (20, "unable to get local issuer certificate"),
            _ => (1, "unspecified certificate verification error"),
        };
        Checked::Failed { number, reason: reason.to_owned() }
    }

    /// Whether the issuer of the client's own certificate is neither in the conf nor sent.
    fn has_no_issuer(&self, chain: &[CertificateDer]) -> bool {
        let Some((leaf, sent)) = chain.split_first() else { return false };
        let known = self.roots.iter().chain(&self.intermediates);
        !is_self_signed(Some(leaf)) && known.chain(sent).all(|other| !has_issued(other, leaf))
    }

    /// Whether the last certificate of a chain that is cut at the depth is one of the conf (OpenSSL: `build_chain`,
    /// which prefers those).
    fn ends_in_conf(&self, chain: &[CertificateDer]) -> bool {
        let Some((mut last, sent)) = chain.split_first() else { return false };
        let mut is_of_conf = false;
        for _ in 0..=self.depth.min(chain.len() as u64 + self.intermediates.len() as u64) {
            let of_conf = self.intermediates.iter().find(|other| has_issued(other, last));
            let Some(next) = of_conf.or_else(|| sent.iter().find(|other| has_issued(other, last))) else { break };
            (last, is_of_conf) = (next, of_conf.is_some());
        }
        is_of_conf
    }

    /// A digest of the rules: the context of tickets.
    pub(super) fn digest(&self, files: &[Vec<u8>]) -> [u8; 32] {
        let head = [&[self.check as u8][..], &self.depth.to_be_bytes()].concat();
        let hashes: Vec<[u8; 32]> = files.iter().map(|file| provider::sha256([file.as_slice()])).collect();
        provider::sha256(std::iter::once(head.as_slice()).chain(hashes.iter().map(<[u8; 32]>::as_slice)))
    }
}

fn is_self_signed(der: Option<&CertificateDer>) -> bool {
    der.is_some_and(|der| has_issued(der, der))
}

/// Whether the names say so.
fn has_issued(issuer: &CertificateDer, subject: &CertificateDer) -> bool {
    match (Certificate::read(issuer), Certificate::read(subject)) {
        (Some(issuer), Some(subject)) => issuer.subject.der == subject.issuer.der,
        _ => false,
    }
}

/// The words of a client's certificate.
pub(super) fn words(der: &CertificateDer) -> ClientCertificate {
    let Some(read) = Certificate::read(der) else { return ClientCertificate::default() };
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    ClientCertificate {
        pem: format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")),
        subject: read.subject.rfc2253(),
        issuer: read.issuer.rfc2253(),
        legacy_subject: read.subject.oneline(),
        legacy_issuer: read.issuer.oneline(),
        serial: serial_text(read.serial),
        fingerprint: hex(&provider::sha1(der), false),
        starts: time_text(read.not_before),
        ends: time_text(read.not_after),
        ends_unix_s: read.not_after,
    }
}

/// Asks clients for certificates, and takes any whose key has signed the handshake.
#[derive(Debug)]
pub(super) struct Asking {
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Asking {
    pub(super) fn new(rules: &Rules) -> Asking {
        Asking { hints: rules.hints.clone(), algorithms: provider::provider().signature_verification_algorithms }
    }
}

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match EndEntityCert::try_from(cert) {
            Ok(_) => verify_tls12_signature(message, cert, dss, &self.algorithms),
            Err(_) => old_version::has_signed(message, cert, dss, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match EndEntityCert::try_from(cert) {
            Ok(_) => verify_tls13_signature(message, cert, dss, &self.algorithms),
            Err(_) => old_version::has_signed(message, cert, dss, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

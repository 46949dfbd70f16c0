//! Certificates of X.509 version 1, as `openssl x509 -req` makes them without extensions: webpki reads version 3 alone.
//! A client may have one, if a root of the conf has issued it: OpenSSL takes such a certificate at the end of a chain,
//! and none as an issuer but a root.

use super::x509::{Certificate, Signature};
use rustls::DigitallySignedStruct;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime,
};
use std::time::Duration;
use webpki::{Error, RawPublicKeyEntity};

/// Whether the certificate's key has signed a handshake's `message`. For a certificate that webpki does not read.
pub(super) fn has_signed(
    message: &[u8],
    cert: &CertificateDer,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let bad = || rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature);
    let read = Certificate::read(cert).ok_or(rustls::CertificateError::BadEncoding)?;
    let known = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
    let fitting = known.map(|(_, fitting)| *fitting).unwrap_or_default();
    match is_signature(fitting, read.key, message, signed.signature()) {
        true => Ok(HandshakeSignatureValid::assertion()),
        false => Err(bad()),
    }
}

/// Whether one of the algorithms finds `signature` to be that of `message` by `key`, a SubjectPublicKeyInfo.
fn is_signature(
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let key = SubjectPublicKeyInfoDer::from(key);
    let Ok(key) = RawPublicKeyEntity::try_from(&key) else { return false };
    algorithms.iter().any(|algorithm| key.verify_signature(*algorithm, message, signature).is_ok())
}

/// Checks that a root has issued the certificate, and its dates.
pub(super) fn check(
    leaf: &CertificateDer,
    anchors: &[TrustAnchor],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    now: UnixTime,
) -> Result<(), Error> {
    let read = Certificate::read(leaf).ok_or(Error::BadDer)?;
    let signature = Signature::read(leaf).ok_or(Error::BadDer)?;
    let issuer = read.issuer.content();
    let fitting: Vec<_> = algorithms
        .iter()
        .copied()
        .filter(|algorithm| algorithm.signature_alg_id().as_ref() == signature.algorithm)
        .collect();
    // Constraints of names speak of an extension that is not here.
    let mut roots = anchors
        .iter()
        .filter(|anchor| anchor.subject.as_ref() == issuer && anchor.name_constraints.is_none())
        .peekable();
    if roots.peek().is_none() {
        return Err(Error::UnknownIssuer);
    }
    let is_by =
        |anchor: &TrustAnchor| is_signature(&fitting, &webpki::spki_for_anchor(anchor), signature.of, signature.value);
    if !roots.any(is_by) {
        return Err(Error::InvalidSignatureForPublicKey);
    }
    check_dates(leaf, now)
}

/// Checks the dates of a certificate alone.
pub(super) fn check_dates(leaf: &CertificateDer, now: UnixTime) -> Result<(), Error> {
    let read = Certificate::read(leaf).ok_or(Error::BadDer)?;
    let time = |unix_s: i64| UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(unix_s).unwrap_or(0)));
    let (not_before, not_after) = (time(read.not_before), time(read.not_after));
    match () {
        () if now < not_before => Err(Error::CertNotValidYet { time: now, not_before }),
        () if now > not_after => Err(Error::CertExpired { time: now, not_after }),
        () => Ok(()),
    }
}

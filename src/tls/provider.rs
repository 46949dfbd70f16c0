//! The cryptography: aws-lc-rs, which this file alone names.

use aws_lc_rs::aead::{self, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::digest;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rustls::crypto::{CryptoProvider, KeyProvider, aws_lc_rs as rustls_aws};
use std::num::NonZeroU32;

pub(super) use rustls_aws::cipher_suite as suite;
pub(super) use rustls_aws::kx_group as group;

/// The suites, groups and algorithms of rustls that are used without a word of the conf.
pub(super) fn provider() -> CryptoProvider {
    rustls_aws::default_provider()
}

/// The reader of private keys.
pub(super) fn key_provider() -> &'static dyn KeyProvider {
    provider().key_provider
}

/// Fills `bytes` with random ones; false: the kernel has none.
pub(super) fn random(bytes: &mut [u8]) -> bool {
    SystemRandom::new().fill(bytes).is_ok()
}

/// The SHA-256 of some texts, one after the other.
pub(super) fn sha256<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> [u8; 32] {
    hashed(&digest::SHA256, texts)
}

/// The SHA-1 of a text, which names certificates.
pub(super) fn sha1(text: &[u8]) -> [u8; 20] {
    hashed(&digest::SHA1_FOR_LEGACY_USE_ONLY, [text])
}

fn hashed<'t, const N: usize>(
    algorithm: &'static digest::Algorithm,
    texts: impl IntoIterator<Item = &'t [u8]>,
) -> [u8; N] {
    let mut context = digest::Context::new(algorithm);
    texts.into_iter().for_each(|text| context.update(text));
    let mut out = [0; N];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// A key that seals session tickets: AES-256-GCM, a random nonce for each.
pub(super) struct Seal(RandomizedNonceKey);

const NONCE: usize = aead::NONCE_LEN;

impl Seal {
    pub(super) fn new(key: &[u8; 32]) -> Option<Seal> {
        RandomizedNonceKey::new(&aead::AES_256_GCM, key).ok().map(Seal)
    }

    /// The nonce, the encrypted text and its tag.
    pub(super) fn seal(&self, context: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(text.len() + aead::MAX_TAG_LEN);
        sealed.extend_from_slice(text);
        let nonce = self.0.seal_in_place_append_tag(Aad::from(context), &mut sealed).ok()?;
        Some([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// The text that was sealed in this context; `None`: it was not, or has changed.
    pub(super) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = sealed.to_vec();
        let len = self.0.open_in_place(nonce, Aad::from(context), &mut text).ok()?.len();
        text.truncate(len);
        Some(text)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

/// The hash of a key derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prf {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// Derives a key from a password (PBKDF2, RFC 8018); `iterations` of 0 give none.
pub(super) fn derive(prf: Prf, iterations: u32, salt: &[u8], password: &[u8], key: &mut [u8]) -> bool {
    let algorithm = match prf {
        Prf::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Prf::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Prf::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Prf::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
    };
    let Some(iterations) = NonZeroU32::new(iterations) else { return false };
    pbkdf2::derive(algorithm, iterations, salt, password, key);
    true
}

/// A cipher that private keys are encrypted with, in CBC mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cbc {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
}

impl Cbc {
    /// Bytes of its key.
    pub(super) fn key_len(self) -> usize {
        match self {
            Cbc::Aes128 => 16,
            Cbc::Aes192 | Cbc::TripleDes => 24,
            Cbc::Aes256 => 32,
        }
    }

    /// Decrypts `text` in its place, and returns the length without the padding; `None`: the key is wrong.
    #[expect(deprecated, reason = "OpenSSL has written private keys with triple DES for decades")]
    pub(super) fn decrypt(self, key: &[u8], iv: &[u8], text: &mut [u8]) -> Option<usize> {
        let algorithm = match self {
            Cbc::Aes128 => &cipher::AES_128,
            Cbc::Aes192 => &cipher::AES_192,
            Cbc::Aes256 => &cipher::AES_256,
            Cbc::TripleDes => &cipher::DES_EDE3_FOR_LEGACY_USE_ONLY,
        };
        let key = UnboundCipherKey::new(algorithm, key).ok()?;
        let context = match iv.len() {
            16 => DecryptionContext::Iv128(FixedLength::from(<[u8; 16]>::try_from(iv).ok()?)),
            _ => DecryptionContext::Iv64(FixedLength::from(<[u8; 8]>::try_from(iv).ok()?)),
        };
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
        key.decrypt(text, context).ok().map(|text| text.len())
    }
}

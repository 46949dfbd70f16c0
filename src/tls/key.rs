//! Private keys: PKCS #8, PKCS #1 and SEC 1, in the clear or encrypted with a password. Their bytes are wiped when they
//! are dropped, as far as the libraries let it; no message has any of them.

use super::der::{Reader, tag};
use super::pem::{self, Section};
use super::provider::{self, Cbc, Prf};
use super::trouble::Trouble;
use md5::{Digest, Md5};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use zeroize::Zeroizing;

/// The passwords of keys, in the order in which they are tried.
pub(super) type Passwords = Vec<Zeroizing<Vec<u8>>>;

/// OpenSSL's function that nginx's sentence names.
const CALL: &str = "PEM_read_bio_PrivateKey()";

/// More iterations than this take seconds: a start would seem to hang.
const MOST_ITERATIONS: u64 = 50_000_000;

/// The first private key of a PEM file.
pub(super) fn read(text: &[u8], passwords: &[Zeroizing<Vec<u8>>]) -> Result<PrivateKeyDer<'static>, Trouble> {
    let sections = pem::sections(text).map_err(|bad| {
        let (why, help) = bad.words();
        Trouble::new(CALL, why, help)
    })?;
    let is_key = |section: &&Section| section.label.ends_with("PRIVATE KEY");
    let Some(section) = sections.iter().find(is_key) else {
        return Err(Trouble::nothing_in(CALL, "ANY PRIVATE KEY", text, other_than_key));
    };
    match section.label.as_str() {
        "PRIVATE KEY" => Ok(pkcs8(&section.der)),
        "ENCRYPTED PRIVATE KEY" => decrypt_with(passwords, |password| pkcs8_decrypted(&section.der, password)),
        label @ ("RSA PRIVATE KEY" | "EC PRIVATE KEY") => {
            let made = |der: &[u8]| match label {
                "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der.to_vec())),
                _ => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der.to_vec())),
            };
            match section.headers.is_empty() {
                true => Ok(made(&section.der)),
                false => {
                    decrypt_with(passwords, |password| traditional_decrypted(section, password).map(|der| made(&der)))
                }
            }
        }
        "OPENSSH PRIVATE KEY" => {
            Err(Trouble::new(CALL, "unsupported", "the key is in OpenSSH's format: ssh-keygen -p -m PEM -f FILE"))
        }
        label => Err(Trouble::new(CALL, "unsupported", format!("no {label} can be used here: take an RSA or EC key"))),
    }
}

fn pkcs8(der: &[u8]) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.to_vec()))
}

/// Advice about a file without a private key, by what is in it instead.
fn other_than_key(labels: &[String]) -> Option<&'static str> {
    let has = |end: &str| labels.iter().any(|label| label.ends_with(end));
    match () {
        () if has("CERTIFICATE") => {
            Some("it holds a certificate: are ssl_certificate and ssl_certificate_key swapped?")
        }
        () if has("PUBLIC KEY") => Some("it holds the public key, and the private one is wanted"),
        () if has("CERTIFICATE REQUEST") => Some("it holds the request for a certificate, and no key"),
        () => None,
    }
}

/// The reason why an encrypted key stays so.
enum Locked {
    /// The password does not fit.
    Wrong,
    /// A way of encryption that is not known here.
    Unsupported(&'static str),
}

fn decrypt_with(
    passwords: &[Zeroizing<Vec<u8>>],
    decrypt: impl Fn(&[u8]) -> Result<PrivateKeyDer<'static>, Locked>,
) -> Result<PrivateKeyDer<'static>, Trouble> {
    if passwords.is_empty() {
        let help = "the key is encrypted: name the file with its password in \"ssl_password_file\"";
        return Err(Trouble::new(CALL, "processing error: while reading the pass phrase", help));
    }
    for password in passwords {
        match decrypt(password) {
            Ok(key) => return Ok(key),
            Err(Locked::Wrong) => {}
            Err(Locked::Unsupported(what)) => {
                let help = format!("the key is encrypted with {what}: openssl pkey -in FILE -out FILE.new -aes256");
                return Err(Trouble::new(CALL, "unsupported", help));
            }
        }
    }
    Err(Trouble::new(CALL, "bad decrypt", "no password of \"ssl_password_file\" fits the key"))
}

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMACS: [(&[u8], Prf); 4] = [
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x07], Prf::Sha1),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09], Prf::Sha256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x0a], Prf::Sha384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x0b], Prf::Sha512),
];
const CIPHERS: [(&[u8], Cbc); 4] = [
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02], Cbc::Aes128),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16], Cbc::Aes192),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a], Cbc::Aes256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07], Cbc::TripleDes),
];

/// How a PKCS #8 key is encrypted (RFC 8018 6.2, 5.2).
struct Pbes2<'a> {
    salt: &'a [u8],
    iterations: u32,
    prf: Prf,
    cipher: Cbc,
    iv: &'a [u8],
    text: &'a [u8],
}

fn pkcs8_decrypted(der: &[u8], password: &[u8]) -> Result<PrivateKeyDer<'static>, Locked> {
    let scheme = Pbes2::read(der)?;
    let mut key = Zeroizing::new(vec![0; scheme.cipher.key_len()]);
    if !provider::derive(scheme.prf, scheme.iterations, scheme.salt, password, &mut key) {
        return Err(Locked::Unsupported("no iterations"));
    }
    decrypted(scheme.cipher, &key, scheme.iv, scheme.text).map(|der| pkcs8(&der))
}

impl Pbes2<'_> {
    fn read(der: &[u8]) -> Result<Pbes2<'_>, Locked> {
        let damaged = Locked::Unsupported("something damaged");
        let parts = || {
            let mut outer = Reader::new(der).open(tag::SEQUENCE)?;
            let mut algorithm = outer.open(tag::SEQUENCE)?;
            let text = outer.next_of(tag::OCTET_STRING)?.value;
            Some((algorithm.next_of(tag::OID)?.value, algorithm, text))
        };
        let (scheme, algorithm, text) = parts().ok_or(damaged)?;
        if scheme != PBES2 {
            return Err(Locked::Unsupported("an old way (PBES1)"));
        }
        Pbes2::read_parameters(algorithm, text)
    }

    fn read_parameters<'a>(mut algorithm: Reader<'a>, text: &'a [u8]) -> Result<Pbes2<'a>, Locked> {
        let damaged = || Locked::Unsupported("something damaged");
        let mut parameters = algorithm.open(tag::SEQUENCE).ok_or_else(damaged)?;
        let mut derivation = parameters.open(tag::SEQUENCE).ok_or_else(damaged)?;
        let mut encryption = parameters.open(tag::SEQUENCE).ok_or_else(damaged)?;
        if derivation.next_of(tag::OID).ok_or_else(damaged)?.value != PBKDF2 {
            return Err(Locked::Unsupported("scrypt or the like"));
        }
        let mut how = derivation.open(tag::SEQUENCE).ok_or_else(damaged)?;
        let salt = how.next_of(tag::OCTET_STRING).ok_or_else(damaged)?.value;
        let count = how.next_of(tag::INTEGER).ok_or_else(damaged)?.value;
        let count = count.iter().take(8).fold(0, |count: u64, byte| count << 8 | u64::from(*byte));
        let iterations = u32::try_from(count).ok().filter(|_| count <= MOST_ITERATIONS);
        let iterations = iterations.ok_or(Locked::Unsupported("too many iterations"))?;
        how.optional(tag::INTEGER);
        let prf = match how.open(tag::SEQUENCE).and_then(|mut prf| prf.next_of(tag::OID)) {
            // The default of RFC 8018.
            None => Prf::Sha1,
            Some(oid) => *named(&HMACS, oid.value).ok_or(Locked::Unsupported("an unknown hash"))?,
        };
        let oid = encryption.next_of(tag::OID).ok_or_else(damaged)?.value;
        let cipher = *named(&CIPHERS, oid).ok_or(Locked::Unsupported("an unknown cipher"))?;
        let iv = encryption.next_of(tag::OCTET_STRING).ok_or_else(damaged)?.value;
        Ok(Pbes2 { salt, iterations, prf, cipher, iv, text })
    }
}

fn named<'t, T>(table: &'t [(&[u8], T)], oid: &[u8]) -> Option<&'t T> {
    table.iter().find(|(known, _)| *known == oid).map(|(_, value)| value)
}

/// Decrypts a key of OpenSSL's old form (`DEK-Info`), whose key is derived by one round of MD5 (EVP_BytesToKey).
fn traditional_decrypted(section: &Section, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Locked> {
    let info = section.headers.iter().find_map(|line| line.strip_prefix("DEK-Info:"));
    let (name, iv) = info.and_then(|info| info.trim().split_once(',')).ok_or(Locked::Unsupported("an unknown way"))?;
    let cipher = match name {
        "AES-128-CBC" => Cbc::Aes128,
        "AES-192-CBC" => Cbc::Aes192,
        "AES-256-CBC" => Cbc::Aes256,
        "DES-EDE3-CBC" => Cbc::TripleDes,
        _ => return Err(Locked::Unsupported("an unknown cipher")),
    };
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let iv: Option<Vec<u8>> = iv.as_bytes().chunks(2).map(byte).collect();
    let iv = iv.filter(|iv| matches!(iv.len(), 8 | 16)).ok_or(Locked::Unsupported("something damaged"))?;
    let mut key = Zeroizing::new(Vec::new());
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < cipher.key_len() {
        *last = Md5::new().chain(&*last).chain(password).chain(&iv[..8]).finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(cipher.key_len());
    decrypted(cipher, &key, &iv, &section.der)
}

fn decrypted(cipher: Cbc, key: &[u8], iv: &[u8], text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Locked> {
    let mut der = Zeroizing::new(text.to_vec());
    let len = cipher.decrypt(key, iv, &mut der).ok_or(Locked::Wrong)?;
    der.truncate(len);
    // A wrong password in 256 leaves something that looks padded.
    let mut reader = Reader::new(&der);
    match reader.next_of(tag::SEQUENCE) {
        Some(_) if reader.is_empty() => Ok(der),
        _ => Err(Locked::Wrong),
    }
}

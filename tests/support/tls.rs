//! TLS for tests: an authority of our own, certificates, and clients by rustls.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SigningKey};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::client::Client;
use super::server::Server;

/// An authority that signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, in PEM.
    pub pem: String,
}

/// A certificate with its key, both in PEM.
#[derive(Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for these names, of the kind that most sites have: ECDSA, P-256.
    pub fn sign(&self, names: &[&str]) -> Pair {
        self.sign_key(names, &KeyPair::generate().expect("a key"))
    }

    /// A certificate that is valid from the beginning of one year to that of another.
    pub fn sign_for_years(&self, names: &[&str], from: i32, until: i32) -> Pair {
        let mut params = named(names);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        self.sign_params(params, &KeyPair::generate().expect("a key"))
    }

    /// The certificate of the authority itself, and its key.
    pub fn own(&self) -> Pair {
        Pair { certificate: self.pem.clone(), key: self.issuer.key().serialize_pem() }
    }

    /// A certificate of X.509 version 1: without the version's number and extensions (RFC 5280 4.1).
    pub fn sign_version_1(&self, name: &str) -> Pair {
        let pair = self.sign(&[name]);
        let der = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("PEM");
        let (_, whole, _) = element(&der);
        let (_, mut fields, rest) = element(whole);
        let (_, algorithm, _) = element(rest);
        let mut body = Vec::new();
        while !fields.is_empty() {
            let (tag, content, rest) = element(fields);
            if !matches!(tag, 0xa0 | 0xa3) {
                body.extend(written(tag, content));
            }
            fields = rest;
        }
        let body = written(0x30, &body);
        let signature = [&[0], &*self.issuer.key().sign(&body).expect("a signature")].concat();
        let parts = [body, written(0x30, algorithm), written(0x03, &signature)].concat();
        let text = BASE64.encode(written(0x30, &parts));
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        Pair { certificate, key: pair.key }
    }

    pub fn sign_rsa(&self, names: &[&str]) -> Pair {
        self.sign_key(names, &KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key"))
    }

    fn sign_key(&self, names: &[&str], key: &KeyPair) -> Pair {
        self.sign_params(named(names), key)
    }

    fn sign_params(&self, params: CertificateParams, key: &KeyPair) -> Pair {
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate").pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names.clone()).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("client", String::as_str));
    params
}

/// The first element of DER: its tag, its content, and what is behind it.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let digits = usize::from(der[1].saturating_sub(0x80));
    let length = match digits {
        0 => usize::from(der[1]),
        _ => der[2..2 + digits].iter().fold(0, |length, digit| length << 8 | usize::from(*digit)),
    };
    let (content, rest) = der[2 + digits..].split_at(length);
    (der[0], content, rest)
}

fn written(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u16;
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}

impl Pair {
    /// Writes `NAME.crt` and `NAME.key` into the server's directory.
    pub fn write(&self, server: &Server, name: &str) {
        self.write_to(server.dir(), name);
    }

    pub fn write_to(&self, dir: &std::path::Path, name: &str) {
        std::fs::write(dir.join(format!("{name}.crt")), &self.certificate).expect("write a certificate");
        std::fs::write(dir.join(format!("{name}.key")), &self.key).expect("write a key");
    }
}

/// The wishes of a client.
#[derive(Clone, Debug)]
pub struct Wish {
    pub name: &'static str,
    pub config: Arc<ClientConfig>,
}

impl Wish {
    /// A client that trusts `authority`, and asks for `localhost`.
    pub fn new(authority: &Authority) -> Wish {
        Wish::of(authority, rustls::ALL_VERSIONS, None)
    }

    pub fn of(authority: &Authority, versions: &[&'static SupportedProtocolVersion], pair: Option<&Pair>) -> Wish {
        Wish::by(rustls::crypto::aws_lc_rs::default_provider(), authority, versions, pair)
    }

    /// A client of these versions, with a certificate of its own or without one.
    pub fn by(
        provider: CryptoProvider,
        authority: &Authority,
        versions: &[&'static SupportedProtocolVersion],
        pair: Option<&Pair>,
    ) -> Wish {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM");
        roots.add(root).expect("a root");
        let builder =
            ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions).expect("versions");
        let builder = builder.with_root_certificates(roots);
        let config = match pair {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("PEM")];
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("a certificate")
            }
        };
        Wish { name: "localhost", config: Arc::new(config) }
    }

    pub fn named(&self, name: &'static str) -> Wish {
        Wish { name, config: self.config.clone() }
    }

    /// The same client without memory of the sessions it had.
    pub fn without_resumption(mut self) -> Wish {
        Arc::make_mut(&mut self.config).resumption = rustls::client::Resumption::disabled();
        self
    }

    pub fn server_name(&self) -> ServerName<'static> {
        ServerName::try_from(self.name).expect("a name")
    }

    /// Connects, and does the handshake.
    #[track_caller]
    pub fn connect(&self, addr: SocketAddr) -> Client {
        Client::try_connect_tls(addr, self).expect("a handshake")
    }
}

//! From the rules of a server and its certificates to the settings of rustls.

use super::provider;
use super::session_cache::Store;
use super::tickets::Ticketer;
use super::verify::Asking;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The rules of a server for handshakes, but for the certificates.
#[derive(Debug)]
pub(super) struct ServerRules {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    pub(super) prefers_own_order: bool,
    pub(super) buffer_size: usize,
    pub(super) ticketer: Option<Arc<Ticketer>>,
    /// The memory for sessions where there are no tickets.
    pub(super) sessions: Option<Arc<Store>>,
    pub(super) asking: Option<Arc<Asking>>,
}

/// The protocols that ALPN may choose (NGX_HTTP_ALPN_PROTOS).
const PROTOCOLS: [&[u8]; 4] = [HTTP2, b"http/1.1", b"http/1.0", b"http/0.9"];

/// The protocol that ALPN may choose where the conf says so (NGX_HTTP_V2_ALPN_PROTO).
pub const HTTP2: &[u8] = b"h2";

/// Bytes of a record's head, which rustls counts as a part of the fragment.
const RECORD_HEAD: usize = 5;

impl ServerRules {
    /// The settings of rustls with these certificates.
    pub(super) fn configs(&self, certificates: Vec<Stapled>) -> Result<Configs, Error> {
        let with_http2 = self.config(certificates)?;
        let mut http1 = with_http2.clone();
        http1.alpn_protocols.retain(|name| name != HTTP2);
        Ok(Configs { http1: Arc::new(http1), with_http2: Arc::new(with_http2) })
    }

    fn config(&self, certificates: Vec<Stapled>) -> Result<ServerConfig, Error> {
        let builder =
            ServerConfig::builder_with_provider(self.provider.clone()).with_protocol_versions(&self.versions)?;
        let builder = match &self.asking {
            Some(asking) => builder.with_client_cert_verifier(asking.clone()),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Choice(certificates)));
        config.ignore_client_order = self.prefers_own_order;
        config.max_fragment_size = Some(self.buffer_size + RECORD_HEAD);
        config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
        // Sessions in a process's own memory would be resumed there alone.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match (&self.ticketer, &self.sessions) {
            (Some(ticketer), _) => config.ticketer = ticketer.clone(),
            (None, Some(sessions)) => config.session_storage = sessions.clone(),
            (None, None) => config.send_tls13_tickets = 0,
        }
        Ok(config)
    }
}

/// The settings of rustls for the clients of a server.
#[derive(Debug, Clone)]
pub(super) struct Configs {
    http1: Arc<ServerConfig>,
    with_http2: Arc<ServerConfig>,
}

impl Configs {
    /// The settings for an address where HTTP/2 is spoken, or is not.
    pub(super) fn get(&self, speaks_http2: bool) -> Arc<ServerConfig> {
        if speaks_http2 { self.with_http2.clone() } else { self.http1.clone() }
    }
}

/// A certificate and its key, and the same with an OCSP response, while that is valid.
#[derive(Debug, Clone)]
pub(super) struct Stapled {
    pub(super) plain: Arc<CertifiedKey>,
    /// The pair with the response, and until when, seconds since 1970.
    pub(super) stapled: Option<(Arc<CertifiedKey>, i64)>,
}

impl Stapled {
    pub(super) fn new(pair: CertifiedKey) -> Stapled {
        Stapled { plain: Arc::new(pair), stapled: None }
    }

    /// Adds an OCSP response, to be sent until `until`.
    pub(super) fn staple(&mut self, response: &[u8], until: i64) {
        let mut pair = CertifiedKey::clone(&self.plain);
        pair.ocsp = Some(response.to_vec());
        self.stapled = Some((Arc::new(pair), until));
    }

    fn now(&self) -> Arc<CertifiedKey> {
        match &self.stapled {
            Some((pair, until)) if *until > unix_s() => pair.clone(),
            _ => self.plain.clone(),
        }
    }
}

fn unix_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// The certificates of a server. The client's preference among signatures chooses; among those of one kind the last
/// one, which in nginx takes the place of the others.
#[derive(Debug)]
struct Choice(Vec<Stapled>);

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let [only] = self.0.as_slice() {
            return Some(only.now());
        }
        let signs = |pair: &&Stapled, scheme| pair.plain.key.choose_scheme(&[scheme]).is_some();
        let of_scheme = |scheme| self.0.iter().rev().find(|pair| signs(pair, scheme));
        let chosen = hello.signature_schemes().iter().find_map(|scheme| of_scheme(*scheme));
        chosen.or(self.0.first()).map(Stapled::now)
    }
}

/// The suites and groups of a server, with all else that rustls needs of the cryptography.
pub(super) fn provider_of(
    suites: Vec<rustls::SupportedCipherSuite>,
    groups: Vec<&'static dyn rustls::crypto::SupportedKxGroup>,
) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { cipher_suites: suites, kx_groups: groups, ..provider::provider() })
}

//! TLS on the connection of an exchange, as the layers above tell of it.

use std::sync::Arc;

/// Whether clients are asked for a certificate (`ssl_verify_client`, nginx's `verify`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCheck {
    /// No certificate is asked for.
    #[default]
    Off,
    /// Requests without a certificate that fits are answered with 496 or 495.
    On,
    /// A certificate that does not fit is answered with 495.
    Optional,
    /// The same, but a certificate whose issuer is not known will do.
    OptionalNoCa,
}

/// The outcome of the check of a client's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Checked {
    /// The client sent none.
    #[default]
    None,
    /// The certificate fits.
    Success,
    /// The certificate does not fit.
    Failed {
        /// OpenSSL's number of the reason, `X509_V_ERR_*`.
        number: i32,
        /// The reason in OpenSSL's words.
        reason: String,
    },
}

/// OpenSSL's numbers of the reasons that `optional_no_ca` lets pass (`ngx_ssl_verify_error_optional`):
/// `X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT`, `_SELF_SIGNED_CERT_IN_CHAIN`, `_UNABLE_TO_GET_ISSUER_CERT_LOCALLY`,
/// `_CERT_UNTRUSTED`, `_UNABLE_TO_VERIFY_LEAF_SIGNATURE`.
const UNKNOWN_ISSUER: [i32; 5] = [18, 19, 20, 27, 21];

impl Checked {
    /// Whether the check failed for want of a known issuer alone.
    pub fn is_unknown_issuer(&self) -> bool {
        matches!(self, Checked::Failed { number, .. } if UNKNOWN_ISSUER.contains(number))
    }
}

/// The words of a client's certificate, as the `$ssl_client_*` variables show them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate in PEM, with its last line break (`$ssl_client_raw_cert`).
    pub pem: String,
    /// The subject by RFC 2253.
    pub subject: String,
    /// The issuer by RFC 2253.
    pub issuer: String,
    /// The subject in OpenSSL's older form, `/C=.../CN=...`.
    pub legacy_subject: String,
    /// The issuer in that form.
    pub legacy_issuer: String,
    /// The serial number in hex.
    pub serial: String,
    /// SHA-1 of the certificate in hex.
    pub fingerprint: String,
    /// From when on it is valid, as OpenSSL prints it.
    pub starts: String,
    /// Until when it is valid.
    pub ends: String,
    /// The same, seconds since 1970.
    pub ends_unix_s: i64,
}

/// The lists that a client offered in its hello, by the numbers of IANA; kept where a variable of the conf shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// Cipher suites.
    pub ciphers: Vec<u16>,
    /// Groups.
    pub groups: Vec<u16>,
}

/// The layer below HTTP.
#[derive(Clone, Debug, Default)]
pub enum Transport {
    /// The bytes are HTTP.
    #[default]
    Plain,
    /// The bytes are HTTP, and came to a listen address whose clients should speak TLS.
    PlainAtTls,
    /// The bytes are HTTP within TLS.
    Tls(Arc<Secure>),
}

/// TLS on a connection, once its handshake is over.
#[derive(Clone, Debug, Default)]
pub struct Secure {
    /// The server that the client has named, and whose settings hold until a request names another; `None`: none fits.
    pub server: Option<usize>,
    /// The name in its hello, byte for byte.
    pub name: Option<Box<[u8]>>,
    /// The version, in OpenSSL's spelling.
    pub protocol: &'static str,
    /// The cipher suite, in OpenSSL's spelling.
    pub cipher: &'static str,
    /// The group that agreed on the keys, in OpenSSL's spelling.
    pub curve: &'static str,
    /// The protocol that ALPN chose.
    pub alpn: Option<Box<[u8]>>,
    /// Whether a session was resumed.
    pub is_reused: bool,
    /// The id of the session that a client of TLS 1.2 has resumed.
    pub session_id: Box<[u8]>,
    /// The lists of the hello.
    pub offered: Option<Box<Offered>>,
    /// The client's certificate.
    pub client: Option<Arc<ClientCertificate>>,
    /// The outcome of its check.
    pub checked: Checked,
}

//! The `ssl_*` directives that http has (`ngx_http_ssl_commands`).

use super::session_cache::SESSION_CACHE;
use crate::conf::{self, Args, Contexts, Inert, OneOf, Refused, Setting, Span};
use crate::http::compat::form_of;
use crate::os::Failure;
use bitflags::bitflags;
use std::fs::File;
use std::path::Path;

const SERVERS: Contexts = Contexts::HTTP.union(Contexts::SERVER);

/// A file that a directive names.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The name as the conf has it.
    pub(super) text: String,
    /// The whole path; relative ones start at the conf's directory. A text behind `data:` stays as it is.
    pub(super) path: String,
    pub(super) span: Span,
}

const NO_RESPONDER: &str = "No responder is asked: `ssl_stapling_file` has the response.";

/// The beginning of a text that is itself what a file would hold.
const DATA: &str = "data:";

impl Named {
    fn parse(args: &mut Args) -> Result<Named, conf::Error> {
        let text = args.str(0)?.to_owned();
        let path = if text.starts_with(DATA) { text.clone() } else { args.conf_path(0)? };
        Ok(Named { text, path, span: args.span(0) })
    }

    /// The text behind `data:`.
    pub(super) fn data(&self) -> Option<&str> {
        self.path.strip_prefix(DATA)
    }

    /// Whether the name holds variables.
    pub(super) fn has_variables(&self) -> bool {
        self.text.contains('$')
    }
}

fn push(args: &mut Args, files: &mut Vec<Named>) -> Result<(), conf::Error> {
    files.push(Named::parse(args)?);
    Ok(())
}

const fn file(name: &'static str) -> Setting<Option<Named>> {
    Setting::one(name, |args| Named::parse(args).map(Some)).contexts(SERVERS).args(1, 1).syntax("FILE")
}

/// `ssl_certificate`: the certificates of a server.
pub(super) static CERTIFICATE: Setting<Vec<Named>> =
    Setting::many(&["ssl_certificate"], push).contexts(SERVERS).args(1, 1).syntax("FILE | data:TEXT").about(
        "The server's certificate in PEM, followed by those that lead to the root. Several pairs of this directive and \
         `ssl_certificate_key` give a server an RSA and an ECDSA certificate. `data:` is followed by the PEM itself. \
         With `$ssl_server_name` in the name the file is read during a handshake, by the worker: see \
         `ssl_certificate_cache`; whatever its dates are, it is used. Files are read again at a reload, which does not \
         replace a valid certificate by one that has expired or is not valid yet; a start and an upgrade (USR2) take \
         any. See also `certificate_watch`. `-t` tells until when each certificate is valid.",
    );

/// `ssl_certificate_key`: the keys of the certificates.
pub(super) static CERTIFICATE_KEY: Setting<Vec<Named>> =
    Setting::many(&["ssl_certificate_key"], push).contexts(SERVERS).args(1, 1).syntax("FILE | data:TEXT").about(
        "The private key of the `ssl_certificate` at the same place in the order: PKCS #8, PKCS #1 or SEC 1, in PEM, \
         encrypted or not (`ssl_password_file`). The master reads it before the workers give up root's powers.",
    );

/// `ssl_password_file`: the passwords of encrypted keys.
pub(super) static PASSWORD_FILE: Setting<Option<Named>> = Setting::one("ssl_password_file", |args| {
    let named = Named::parse(args)?;
    // nginx reads the file at once, whether a key needs it or not.
    match File::open(&named.path) {
        Ok(_) => Ok(Some(named)),
        Err(error) => Err(conf::Error::failed(named.span, Failure::on_path("open", Path::new(&named.path), error))),
    }
})
.contexts(SERVERS)
.args(1, 1)
.syntax("FILE")
.about("The passwords of encrypted keys, a line each. They are tried in their order.");

/// `ssl_certificate_cache`: keeps certificates whose names hold variables.
pub(super) static CERTIFICATE_CACHE: Setting<Cache> = Setting::one("ssl_certificate_cache", Cache::parse)
    .contexts(SERVERS)
    .args(1, 3)
    .syntax("off | max=NUMBER [inactive=TIME] [valid=TIME]")
    .default("off")
    .about(
        "How many certificates with variables in their names are kept, for how long without a use (10s), and after \
         which time a file is looked at again (60s).",
    );

/// The limits of `ssl_certificate_cache`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cache {
    /// 0: off.
    pub(super) max: usize,
    pub(super) inactive_s: u64,
    pub(super) valid_s: u64,
}

impl Cache {
    fn parse(args: &mut Args) -> Result<Cache, conf::Error> {
        let (mut cache, mut is_off) = (Cache { max: 0, inactive_s: 10, valid_s: 60 }, false);
        for i in 0..args.len() {
            let text = args.str(i)?;
            let invalid =
                || args.bad(i, format!("invalid parameter \"{text}\"")).help("write max=1000 inactive=20s valid=1m");
            let time = |text: &str| conf::parse_time_s(text).ok_or_else(invalid);
            match text.split_once('=') {
                None if text == "off" => is_off = true,
                Some(("max", max)) => {
                    let max = conf::parse_count(max).filter(|max| *max > 0).and_then(|max| usize::try_from(max).ok());
                    cache.max = max.ok_or_else(invalid)?;
                }
                Some(("inactive", text)) => cache.inactive_s = time(text)?,
                Some(("valid", text)) => cache.valid_s = time(text)?,
                _ => return Err(invalid()),
            }
        }
        match (is_off, cache.max) {
            (true, _) => Ok(Cache::default()),
            (false, 0) => Err(args.bad(0, "\"ssl_certificate_cache\" must have the \"max\" parameter")),
            _ => Ok(cache),
        }
    }
}

bitflags! {
    /// Versions of SSL and TLS.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Versions: u8 {
        const OLD = 0b1_1110;
        const SSLV2 = 0b0_0010;
        const SSLV3 = 0b0_0100;
        const TLSV1 = 0b0_1000;
        const TLSV1_1 = 0b1_0000;
        const TLSV1_2 = 0b10_0000;
        const TLSV1_3 = 0b100_0000;
    }
}

const VERSIONS: &[(&str, Versions)] = &[
    ("SSLv2", Versions::SSLV2),
    ("SSLv3", Versions::SSLV3),
    ("TLSv1", Versions::TLSV1),
    ("TLSv1.1", Versions::TLSV1_1),
    ("TLSv1.2", Versions::TLSV1_2),
    ("TLSv1.3", Versions::TLSV1_3),
];

/// `ssl_protocols`: the versions of TLS that clients may use.
pub(super) static PROTOCOLS: Setting<Versions> = Setting::many(&["ssl_protocols"], |args, versions: &mut Versions| {
    for i in 0..args.len() {
        let version = args.one_of(i, VERSIONS)?;
        if versions.contains(version) {
            args.warn(i, format!("duplicate value \"{}\"", args.str(i)?));
        }
        *versions |= version;
    }
    Ok(())
})
.contexts(SERVERS)
.args(1, usize::MAX)
.syntax("[TLSv1.2] [TLSv1.3]")
.default("TLSv1.2 TLSv1.3")
.about(
    "The versions of TLS that clients may use. Those before TLSv1.2, and SSL, are broken and not to be had: a notice \
     says that they are left out.",
);

/// `ssl_ciphers`: the cipher suites of TLSv1.2.
pub(super) static CIPHERS: Setting<String> = Setting::one("ssl_ciphers", |args| Ok(args.str(0)?.to_owned()))
    .contexts(SERVERS)
    .args(1, 1)
    .syntax("CIPHERS")
    .default("HIGH:!aNULL:!MD5")
    .about(
        "The cipher suites of TLSv1.2, in OpenSSL's language. There are the six that are still safe: \
         ECDHE-ECDSA- and ECDHE-RSA- with AES128-GCM-SHA256, AES256-GCM-SHA384 and CHACHA20-POLY1305. Others that \
         the text names are left out, which a notice says; a text that leaves none is an error. TLSv1.3 has its own.",
    );

/// `ssl_prefer_server_ciphers`: whose order of suites counts.
pub(super) static PREFER_SERVER_CIPHERS: Setting<bool> = Setting::flag("ssl_prefer_server_ciphers")
    .contexts(SERVERS)
    .default("off")
    .about("Whether the server's order of cipher suites counts, and not the client's.");

/// `ssl_ecdh_curve`: the groups of the key exchange.
pub(super) static ECDH_CURVE: Setting<String> = Setting::one("ssl_ecdh_curve", |args| Ok(args.str(0)?.to_owned()))
    .contexts(SERVERS)
    .args(1, 1)
    .syntax("auto | GROUP[:GROUP ...]")
    .default("auto")
    .about(
        "The groups of the key exchange, the preferred ones first: X25519MLKEM768, SecP256r1MLKEM768, X25519, \
         prime256v1 (P-256), secp384r1 (P-384). `auto` is X25519MLKEM768:X25519:prime256v1:secp384r1.",
    );

/// `ssl_buffer_size`: the largest record.
pub(super) static BUFFER_SIZE: Setting<u64> = Setting::size("ssl_buffer_size")
    .contexts(SERVERS)
    .default("16k")
    .about("How much of an answer goes into a TLS record. 4k shows the beginning of a page sooner on slow lines.");

impl OneOf for Verify {
    const WORDS: &'static [(&'static str, Verify)] = &[
        ("off", Verify::Off),
        ("on", Verify::On),
        ("optional", Verify::Optional),
        ("optional_no_ca", Verify::OptionalNoCa),
    ];
}

/// The values of `ssl_verify_client`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    #[default]
    Off,
    On,
    Optional,
    OptionalNoCa,
}

/// `ssl_verify_client`: whether clients show certificates.
pub(super) static VERIFY_CLIENT: Setting<Verify> =
    Setting::one_of("ssl_verify_client").contexts(SERVERS).default("off").about(
        "Whether clients show a certificate that one of `ssl_client_certificate` or `ssl_trusted_certificate` has \
         issued. With `on` others get status 400. `optional`: clients without one are served as well. \
         `optional_no_ca`: whoever issued it; `$ssl_client_verify` tells.",
    );

/// `ssl_verify_depth`: the length of clients' chains.
pub(super) static VERIFY_DEPTH: Setting<u64> = Setting::count("ssl_verify_depth")
    .contexts(SERVERS)
    .default("1")
    .about("How many intermediate certificates may stand between that of a client and a root.");

/// `ssl_client_certificate`: the issuers of clients' certificates, whose names are sent to clients.
pub(super) static CLIENT_CERTIFICATE: Setting<Option<Named>> = file("ssl_client_certificate")
    .about("The issuers of clients' certificates, in PEM. Their names are sent to clients: see `ssl_verify_client`.");

/// `ssl_trusted_certificate`: the same, without names.
pub(super) static TRUSTED_CERTIFICATE: Setting<Option<Named>> = file("ssl_trusted_certificate")
    .about("Issuers of clients' certificates, in PEM, whose names are not sent to clients.");

/// `ssl_crl`: revoked certificates of clients.
pub(super) static CRL: Setting<Option<Named>> = file("ssl_crl")
    .about("Lists of revoked certificates, in PEM: one of each issuer in the chains of clients, and not out of date.");

/// `ssl_session_tickets`: whether sessions are resumed by tickets.
pub(super) static SESSION_TICKETS: Setting<bool> =
    Setting::flag("ssl_session_tickets").contexts(SERVERS).default("on").about(
        "Whether clients resume sessions by tickets. Their keys are random, in memory that all workers share, and are \
         replaced each `ssl_session_timeout`; they outlive reloads and upgrades.",
    );

/// `ssl_session_ticket_key`: files with the keys of tickets.
pub(super) static SESSION_TICKET_KEY: Setting<Vec<Named>> =
    Setting::many(&["ssl_session_ticket_key"], push).contexts(SERVERS).args(1, 1).syntax("FILE").about(
        "A file with 48 or 80 random bytes, a key of session tickets, for several machines with one name. The first \
         key seals, the others of a server open what they sealed before.",
    );

/// `ssl_session_timeout`: how long a session can be resumed.
pub(super) static SESSION_TIMEOUT: Setting<u64> = Setting::time_s("ssl_session_timeout")
    .contexts(SERVERS)
    .default("5m")
    .about("How long a client may resume a session.");

/// `ssl_stapling`: whether an OCSP response is sent along.
pub(super) static STAPLING: Setting<bool> = Setting::flag("ssl_stapling")
    .contexts(SERVERS)
    .default("off")
    .about("Whether the response of `ssl_stapling_file` is sent with the certificate. drover asks no responder.");

/// `ssl_stapling_file`: the OCSP response.
pub(super) static STAPLING_FILE: Setting<Option<Named>> = file("ssl_stapling_file").about(
    "An OCSP response in DER, as `openssl ocsp -respout` writes it. Sent while it is valid, and if it is about the \
     server's certificate.",
);

/// `ssl_reject_handshake`: whether all handshakes are refused.
pub(super) static REJECT_HANDSHAKE: Setting<bool> = Setting::flag("ssl_reject_handshake")
    .contexts(SERVERS)
    .default("off")
    .about("Refuses every handshake of the server: for a default server, so that unknown names see no certificate.");

/// `ssl_dhparam`: nothing but checked.
pub(super) static DHPARAM: Setting<Option<Named>> = file("ssl_dhparam")
    .about("Without effect: there are no DHE suites here, nor in browsers. The file must be there, as for nginx.");

/// `ssl_early_data`: can't be had.
pub(super) static EARLY_DATA: Setting<bool> = Setting::one("ssl_early_data", |args| match args.flag(0)? {
    false => Ok(false),
    true => Err(args.bad(0, "\"ssl_early_data\" can't be on").help(
        "TLS 1.3's early data can be replayed by an attacker, and tickets that all workers share can't prevent that: \
         leave it out",
    )),
})
.contexts(SERVERS)
.args(1, 1)
.syntax("off")
.default("off")
.about("Early data of TLSv1.3 is never accepted: it can be replayed. `on` is refused.");

/// `certificate_watch`: takes replaced files without a reload.
pub(super) static CERTIFICATE_WATCH: Setting<bool> =
    Setting::flag("certificate_watch").contexts(Contexts::HTTP).default("off").about(
        "Takes certificates and keys that a renewal tool has replaced, without a reload: the master looks at the files \
         each second. A key and certificate are taken once both are there and fit; until then the old ones serve, as \
         they do where the new certificate has expired or is not valid yet, as at a reload. Files whose names have a \
         variable are read at the handshake and not watched.",
    );

/// The directives of this module.
pub(super) static DIRECTIVES: &[&dyn conf::Entry] = &[
    &CERTIFICATE,
    &CERTIFICATE_KEY,
    &PASSWORD_FILE,
    &CERTIFICATE_CACHE,
    &CERTIFICATE_WATCH,
    &PROTOCOLS,
    &CIPHERS,
    &PREFER_SERVER_CIPHERS,
    &ECDH_CURVE,
    &BUFFER_SIZE,
    &SESSION_CACHE,
    &SESSION_TICKETS,
    &SESSION_TICKET_KEY,
    &SESSION_TIMEOUT,
    &VERIFY_CLIENT,
    &VERIFY_DEPTH,
    &CLIENT_CERTIFICATE,
    &TRUSTED_CERTIFICATE,
    &CRL,
    &STAPLING,
    &STAPLING_FILE,
    &REJECT_HANDSHAKE,
    &EARLY_DATA,
    &DHPARAM,
    &Inert::new("ssl_stapling_responder", SERVERS, (1, 1), NO_RESPONDER).formed(form_of),
    &Inert::new("ssl_stapling_verify", SERVERS, (1, 1), NO_RESPONDER).formed(form_of),
    &Refused::new(
        "ssl_conf_command",
        "it speaks to OpenSSL, which is not used here: say it by ssl_protocols, ssl_ciphers or ssl_ecdh_curve.",
    ),
    &Refused::elsewhere(
        "ssl_alpn",
        "it is of nginx's stream module. In http ALPN needs no list: \"http2 on\" and \"http2 off\" say whether h2 is \
         offered, and $ssl_alpn_protocol tells what a client got.",
    ),
    &Refused::new("ssl_ocsp", "no responder is asked about clients' certificates: name revoked ones in \"ssl_crl\".")
        .but("off"),
    &Inert::family(&["ssl_ocsp_cache", "ssl_ocsp_responder"], SERVERS, (1, 1), "There is no \"ssl_ocsp\".")
        .formed(form_of),
];

//! The TLS side of all servers of a conf: certificates, keys and rules, ready for handshakes.

use super::by_name::ByName;
use super::certificate::{self, Remark};
use super::key::Passwords;
use super::renewal::Shown;
use super::server_config::{Configs, ServerRules, Stapled};
use super::session_cache::{SESSION_CACHE, Store, Zone};
use super::settings::{self, Named};
use super::tickets::{self, SharedKeys};
use super::verify::{self, Rules};
use super::watch::Watch;
use super::{files, renewal, rules};
use crate::conf::{self, Mistakes, Scope, Span};
use crate::http::exchange::HttpConf;
use crate::http::exchange::secure::{Checked, ClientCertificate, ClientCheck};
use crate::os::Failure;
use crate::shm::TicketKeys;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The reason why a handshake gets no settings.
#[derive(Debug)]
pub enum Refused {
    /// `ssl_reject_handshake on`.
    Rejected,
    /// The certificate of the name can't be read: a sentence for the error log.
    Certificate(String),
}

/// The TLS side of the servers of a conf.
#[derive(Debug, Default)]
pub struct Endpoints {
    /// By the servers' indices.
    servers: Vec<Option<Endpoint>>,
    keys: Arc<SharedKeys>,
    /// The memory of sessions where tickets are off.
    zones: Vec<Arc<Zone>>,
    /// The first names of the servers and their settings, to read the files again.
    named_scopes: Vec<(String, Scope)>,
    /// The certificates of all servers, but for those that a client's name leads to.
    shown: Vec<Shown>,
    watch: Watch,
    remarks: Vec<(Span, Remark)>,
}

/// The TLS side of a server.
#[derive(Debug)]
pub struct Endpoint {
    rules: ServerRules,
    certificates: Certificates,
    client: Rules,
    lifetime_s: u64,
}

#[derive(Debug)]
enum Certificates {
    /// Read when the conf was.
    Fixed(Configs),
    ByName(ByName),
    /// `ssl_reject_handshake on`.
    Rejected,
}

impl Endpoints {
    /// Reads certificates and keys, with the rights of this process. Mistakes: nginx's sentences for files that can't
    /// be used, and for `listen ... ssl` without a certificate.
    pub fn build(site: &HttpConf, mistakes: &mut Mistakes) -> Endpoints {
        let scopes = site.all_servers().iter().map(|server| (server.name.clone(), server.scope.clone())).collect();
        let endpoints = Endpoints::of_scopes(scopes, mistakes);
        check_listens(site, mistakes);
        endpoints
    }

    /// The directories that handshakes have certificates and keys read in: those whose names hold variables.
    pub fn paths_to_read(&self) -> impl Iterator<Item = PathBuf> {
        let certificates = self.servers.iter().flatten().map(|endpoint| &endpoint.certificates);
        certificates
            .filter_map(|it| if let Certificates::ByName(by_name) = it { Some(by_name) } else { None })
            .flat_map(ByName::paths_to_read)
    }

    fn of_scopes(named_scopes: Vec<(String, Scope)>, mistakes: &mut Mistakes) -> Endpoints {
        let watch = Watch::of(named_scopes.iter().map(|(_, scope)| scope));
        let mut endpoints = Endpoints { watch, ..Endpoints::default() };
        for (name, scope) in &named_scopes {
            let endpoint = endpoints.endpoint(name, scope).unwrap_or_else(|own| {
                mistakes.append(own);
                None
            });
            endpoints.servers.push(endpoint);
        }
        endpoints.named_scopes = named_scopes;
        endpoints
    }

    /// The TLS side of a server (`ngx_http_ssl_merge_srv_conf`); `None`: it has none.
    fn endpoint(&mut self, name: &str, scope: &Scope) -> Result<Option<Endpoint>, Mistakes> {
        let mut mistakes = Mistakes::default();
        let certificates = scope.get(&settings::CERTIFICATE);
        let keys = scope.get(&settings::CERTIFICATE_KEY);
        let is_rejecting = *scope.get(&settings::REJECT_HANDSHAKE);
        if let Some(last) = certificates.last()
            && keys.len() < certificates.len()
        {
            let what = format!("no \"ssl_certificate_key\" is defined for certificate \"{}\"", certificate::said(last));
            let error = conf::Error::at(last.span, what).misses("ssl_certificate_key");
            mistakes.add(error.help("each ssl_certificate takes an ssl_certificate_key"));
            // Which key belongs to which certificate can't be told.
            return Err(mistakes);
        }
        if !has_handshakes(scope) {
            return Ok(None);
        }
        let mut remarks = Vec::new();
        let cryptography = mistakes.keep(rules::cryptography(scope, &mut remarks));
        let passwords = mistakes.keep(files::passwords(scope));
        let pairs = certificates.iter().cloned().zip(keys.iter().cloned());
        let (mut fixed, mut by_name) = (None, None);
        if certificates.iter().chain(keys).any(Named::has_variables) {
            let limits = *scope.get(&settings::CERTIFICATE_CACHE);
            by_name = mistakes.keep(ByName::new(pairs, passwords.unwrap_or_default(), limits));
        } else {
            fixed = Some(load(pairs, passwords.as_ref(), &mut remarks, &mut mistakes));
        }
        let (client, digest) = rules::of_clients(scope, &mut mistakes);
        mistakes.keep(rules::check_dhparam(scope, &mut remarks));
        let lifetime_s = *scope.get(&settings::SESSION_TIMEOUT);
        let ticketer = rules::ticketer(scope, &self.keys, digest, lifetime_s, &mut mistakes);
        if let Some(pairs) = &mut fixed {
            mistakes.keep(files::staple(scope, pairs, now(), &mut remarks));
        }
        if let Some(pairs) = &fixed {
            let all = certificates.iter().zip(pairs);
            self.shown.extend(all.filter_map(|(named, pair)| Shown::new(name, named, pair)));
        }
        self.add_remarks(remarks);
        let Some((provider, versions)) = cryptography.filter(|_| mistakes.is_empty()) else { return Err(mistakes) };
        let rules = ServerRules {
            provider,
            versions,
            prefers_own_order: *scope.get(&settings::PREFER_SERVER_CIPHERS),
            buffer_size: rules::buffer_size(scope),
            asking: (client.check != ClientCheck::Off).then(|| Arc::new(verify::Asking::new(&client))),
            sessions: self.sessions(scope, digest, lifetime_s),
            ticketer,
        };
        let certificates = match (is_rejecting, by_name, fixed) {
            (true, ..) | (_, None, None) => Certificates::Rejected,
            (_, Some(by_name), _) => Certificates::ByName(by_name),
            (_, None, Some(pairs)) => {
                let span = scope.span_of(&settings::CERTIFICATE).unwrap_or(Span::NOWHERE);
                let made = rules.configs(pairs).map_err(|error| conf::Error::at(span, error.to_string()));
                Certificates::Fixed(mistakes.keep(made).ok_or(mistakes)?)
            }
        };
        Ok(Some(Endpoint { rules, certificates, client, lifetime_s }))
    }

    /// The memory for a server's sessions; `None`: it has tickets, or no `shared` cache.
    fn sessions(&mut self, scope: &Scope, context: [u8; 32], lifetime_s: u64) -> Option<Arc<Store>> {
        let zone = scope.get(&SESSION_CACHE).zone.as_ref().filter(|_| !*scope.get(&settings::SESSION_TICKETS))?;
        if !self.zones.iter().any(|known| Arc::ptr_eq(known, zone)) {
            self.zones.push(zone.clone());
        }
        Some(Arc::new(Store::new(zone.clone(), context, lifetime_s)))
    }

    /// Adds remarks; a certificate of several servers gets one.
    fn add_remarks(&mut self, remarks: Vec<(Span, Remark)>) {
        for (span, remark) in remarks {
            if !self.remarks.iter().any(|(_, said)| *said == remark) {
                self.remarks.push((span, remark));
            }
        }
    }

    /// Remarks about certificates and settings, which are said once: the warnings, and the notices.
    pub fn take_remarks(&mut self) -> (Vec<conf::Error>, Vec<conf::Error>) {
        let (mut warnings, mut notices) = (Vec::new(), Vec::new());
        for (span, remark) in self.remarks.drain(..) {
            match remark {
                Remark::Warning(text) => warnings.push(conf::Error::at(span, text)),
                Remark::Notice(text) => notices.push(conf::Error::at(span, text)),
            }
        }
        (warnings, notices)
    }

    /// Takes over the keys of tickets of the generation before, or of the binary before, or makes some. To be called
    /// before the fork.
    ///
    /// # Errors
    /// The memory can't be made: a sentence.
    pub fn prepare(&mut self, old: Option<&Endpoints>, inherited: Option<Arc<TicketKeys>>) -> Result<(), String> {
        if self.is_empty() {
            return Ok(());
        }
        let failed = |error| Failure::new("memfd_create()", error).to_string();
        let zones = old.map_or(&[][..], |old| &old.zones);
        self.zones.iter().try_for_each(|zone| zone.prepare(zones)).map_err(failed)?;
        let old = old.and_then(|old| old.keys.memory().cloned()).or(inherited);
        self.keys.prepare(old).map_err(failed)
    }

    /// The TLS side of a server; `None`: it has no certificate, and that of the default server counts.
    pub fn of_server(&self, server: usize) -> Option<&Endpoint> {
        self.servers.get(server)?.as_ref()
    }

    /// Whether no server has a certificate.
    pub fn is_empty(&self) -> bool {
        self.servers.iter().all(Option::is_none)
    }

    /// The files to be watched (`certificate_watch on`), as they were before they were read.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Reads the files again, by the same conf. Mistakes: as of [`Endpoints::build`].
    pub fn again(&self, mistakes: &mut Mistakes) -> Endpoints {
        Endpoints::of_scopes(self.named_scopes.clone(), mistakes)
    }

    /// Checks that no certificate that clients refuse takes the place of one of `old` that they accept. Mistakes: those
    /// that would.
    pub fn check_renewal(&self, old: &Endpoints, mistakes: &mut Mistakes) {
        renewal::refused(&self.shown, &old.shown, now()).into_iter().for_each(|error| mistakes.add(error));
    }

    /// Seconds until the next certificate becomes valid; `None`: all are, or have been.
    pub fn valid_in(&self) -> Option<u64> {
        renewal::valid_in(&self.shown, now())
    }

    /// When the first certificate expires, or has expired, seconds since 1970; `None`: there are only those that a
    /// client's name leads to, or none.
    pub fn first_expiry(&self) -> Option<u64> {
        u64::try_from(renewal::first_expiry(&self.shown)?.max(1)).ok()
    }

    /// Replaces the newest key of tickets when it is old. Returns the seconds until the next one is due; `None`: never.
    /// To be called by the master.
    pub fn rotate_ticket_keys(&self) -> Option<u64> {
        // A key lives for two periods: a ticket of its last second is good for one.
        let period = self.servers.iter().flatten().map(|endpoint| endpoint.lifetime_s).max()?;
        Some(tickets::rotate(self.keys.memory()?, period.max(1)))
    }

    /// The memory of the keys of tickets, for the next binary.
    pub fn ticket_keys(&self) -> Option<&Arc<TicketKeys>> {
        self.keys.memory()
    }
}

impl Endpoint {
    /// The settings of rustls for a client that names this server.
    ///
    /// # Errors
    /// The handshake has to end.
    pub fn config(&self, name: Option<&str>, speaks_http2: bool) -> Result<Arc<ServerConfig>, Refused> {
        match &self.certificates {
            Certificates::Fixed(configs) => Ok(configs.get(speaks_http2)),
            Certificates::ByName(by_name) => {
                let configs = by_name.configs(name, &self.rules).map_err(Refused::Certificate)?;
                Ok(configs.get(speaks_http2))
            }
            Certificates::Rejected => Err(Refused::Rejected),
        }
    }

    /// The most bytes of an answer in a record.
    pub fn buffer_size(&self) -> usize {
        self.rules.buffer_size
    }

    /// Whether clients are asked for certificates.
    pub fn client_check(&self) -> ClientCheck {
        self.client.check
    }

    /// The check of the chain that a client has sent, once the handshake is over.
    pub fn check_client(&self, chain: &[CertificateDer], unix_s: u64) -> Checked {
        self.client.check(chain, unix_s)
    }

    /// The words of a client's certificate, for variables.
    pub fn client_certificate(&self, leaf: &CertificateDer) -> ClientCertificate {
        verify::words(leaf)
    }
}

/// Whether a server has handshakes of its own: a certificate, or the rule to reject all.
fn has_handshakes(scope: &Scope) -> bool {
    !scope.get(&settings::CERTIFICATE).is_empty() || *scope.get(&settings::REJECT_HANDSHAKE)
}

/// Checks that handshakes have a certificate wherever `listen` says `ssl` (`ngx_http_ssl_init`).
fn check_listens(site: &HttpConf, mistakes: &mut Mistakes) {
    let servers = site.all_servers();
    let has = |server: usize| servers.get(server).is_some_and(|server| has_handshakes(&server.scope));
    let has_certificate =
        |server: usize| servers.get(server).is_some_and(|server| !server.scope.get(&settings::CERTIFICATE).is_empty());
    for (default, all) in site.tls_servers() {
        let without = match has(default) {
            true if has_certificate(default) => None,
            // A default server that rejects all leaves handshakes to the others.
            true => all.iter().copied().find(|server| !has(*server)),
            false => Some(default),
        };
        if let Some(server) = without.and_then(|server| servers.get(server)) {
            let what = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
            let help = "name the files of its certificate and key: ssl_certificate and ssl_certificate_key";
            mistakes.add(conf::Error::at(server.span, what).misses("ssl_certificate").help(help));
        }
    }
}

/// Reads certificates and their keys. Without passwords nothing is said about keys, which may need one.
fn load(
    pairs: impl Iterator<Item = (Named, Named)>,
    passwords: Option<&Passwords>,
    remarks: &mut Vec<(Span, Remark)>,
    mistakes: &mut Mistakes,
) -> Vec<Stapled> {
    let mut loaded = Vec::new();
    for (certificate, key) in pairs {
        match certificate::load(&certificate, &key, passwords.unwrap_or(&Vec::new())) {
            Ok(pair) => {
                let remark = certificate::remark(&pair, certificate::shown(&certificate), now());
                remarks.extend(remark.map(|remark| (certificate.span, remark)));
                loaded.push(Stapled::new(pair));
            }
            Err(errors) => errors.into_iter().filter(|error| !error.is_key || passwords.is_some()).for_each(|error| {
                let span = if error.is_key { key.span } else { certificate.span };
                mistakes.add(conf::Error::at(span, error.sentence).help(error.help));
            }),
        }
    }
    loaded
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

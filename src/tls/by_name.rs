//! Certificates whose file names hold `$ssl_server_name`: read in a handshake, with the rights of a worker, and kept as
//! `ssl_certificate_cache` says.

use super::certificate::{self, PairError};
use super::key::Passwords;
use super::server_config::{Configs, ServerRules, Stapled};
use super::settings::{Cache, Named};
use crate::conf;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A file name with places for the server's name.
#[derive(Debug)]
struct Pattern {
    /// The texts around the name.
    parts: Vec<String>,
    span: conf::Span,
}

/// The only variable that is known before a request.
const VARIABLE: &str = "ssl_server_name";

impl Pattern {
    fn new(named: &Named) -> Result<Pattern, conf::Error> {
        let mut parts = vec![String::new()];
        let mut rest = named.path.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let (name, behind) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
                Some(braced) => braced,
                None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
            };
            if !name.eq_ignore_ascii_case(VARIABLE) {
                let error = conf::Error::at(named.span, format!("unknown \"{name}\" variable"));
                return Err(
                    error.help("a certificate is chosen before there is a request: $ssl_server_name alone is known")
                );
            }
            parts.last_mut().into_iter().for_each(|last| last.push_str(before));
            parts.push(String::new());
            rest = behind;
        }
        parts.last_mut().into_iter().for_each(|last| last.push_str(rest));
        Ok(Pattern { parts, span: named.span })
    }

    /// The directory in which the file of any name is.
    fn directory(&self) -> PathBuf {
        let directory =
            self.parts.first().and_then(|fixed| fixed.rsplit_once('/')).map_or("", |(directory, _)| directory);
        PathBuf::from(if directory.is_empty() { "/" } else { directory })
    }

    fn named(&self, name: &str) -> Named {
        let path = self.parts.join(name);
        Named { text: path.clone(), path, span: self.span }
    }
}

/// The certificates of a server whose names hold variables.
pub(super) struct ByName {
    pairs: Vec<(Pattern, Pattern)>,
    passwords: Passwords,
    limits: Cache,
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    configs: Configs,
    read: Instant,
    used: Instant,
}

impl ByName {
    /// The pairs of a server, one of whose names holds a variable.
    pub(super) fn new(
        pairs: impl Iterator<Item = (Named, Named)>,
        passwords: Passwords,
        limits: Cache,
    ) -> Result<ByName, conf::Error> {
        let pair = |(certificate, key): (Named, Named)| Ok((Pattern::new(&certificate)?, Pattern::new(&key)?));
        let pairs = pairs.map(pair).collect::<Result<_, _>>()?;
        Ok(ByName { pairs, passwords, limits, kept: Mutex::default() })
    }

    /// The directories that handshakes have files read in.
    pub(super) fn paths_to_read(&self) -> impl Iterator<Item = PathBuf> {
        self.pairs.iter().flat_map(|(certificate, key)| [certificate.directory(), key.directory()])
    }

    /// The settings for a client that names this server; `None` names none. Error: a sentence for the error log.
    pub(super) fn configs(&self, name: Option<&str>, rules: &ServerRules) -> Result<Configs, String> {
        let name = name.unwrap_or_default().to_ascii_lowercase();
        if !is_plain(&name) {
            return Err(format!("the name \"{}\" of a client is in no file's name", name.escape_default()));
        }
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.get_mut(&name)
            && now.duration_since(entry.read) < Duration::from_secs(self.limits.valid_s)
        {
            entry.used = now;
            return Ok(entry.configs.clone());
        }
        let configs = self.load(&name, rules)?;
        if self.limits.max > 0 {
            self.make_room(&mut kept, now);
            kept.insert(name, Kept { configs: configs.clone(), read: now, used: now });
        }
        Ok(configs)
    }

    fn load(&self, name: &str, rules: &ServerRules) -> Result<Configs, String> {
        let load = |(certificate, key): &(Pattern, Pattern)| {
            let pair = certificate::load(&certificate.named(name), &key.named(name), &self.passwords);
            let sentences = |errors: Vec<PairError>| errors.into_iter().map(|error| error.sentence).collect::<Vec<_>>();
            pair.map(Stapled::new).map_err(|errors| sentences(errors).join("; "))
        };
        let pairs = self.pairs.iter().map(load).collect::<Result<_, _>>()?;
        rules.configs(pairs).map_err(|error| error.to_string())
    }

    /// Drops those that nobody has asked for, and the one that was used least recently when there are too many.
    fn make_room(&self, kept: &mut HashMap<String, Kept>, now: Instant) {
        kept.retain(|_, entry| now.duration_since(entry.used) < Duration::from_secs(self.limits.inactive_s));
        if kept.len() >= self.limits.max
            && let Some(name) = kept.iter().min_by_key(|(_, entry)| entry.used).map(|(name, _)| name.clone())
        {
            kept.remove(&name);
        }
    }
}

impl std::fmt::Debug for ByName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ByName").field(&self.pairs).finish()
    }
}

/// Whether a name leads to no other directory.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) && !name.contains("..")
}

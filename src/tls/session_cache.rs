//! `ssl_session_cache`: the memory for sessions where tickets are off (`ssl_session_tickets off`), in which a client
//! finds its session whichever process it comes to.

use crate::conf::{self, Args, Contexts, Setting, parse_count, parse_size};
use crate::shm::{SessionName, Sessions};
use rustls::server::StoresServerSessions;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// `ssl_session_cache`: where sessions are kept.
pub(super) static SESSION_CACHE: Setting<SessionCache> = Setting::many(&["ssl_session_cache"], SessionCache::parse)
    .contexts(Contexts::HTTP.union(Contexts::SERVER))
    .args(1, 2)
    .syntax("off | none | [builtin[:SIZE]] [shared:NAME:SIZE]")
    .default("none")
    .about(
        "Sessions are resumed by tickets, which need no memory. Where `ssl_session_tickets` is off, `shared` keeps \
         sessions, 1k each, in memory that all workers share; servers of one NAME share it as well. `builtin` keeps \
         none: a worker alone would find it.",
    );

/// The smallest memory that nginx takes: eight pages.
const MIN_BYTES: u64 = 8 * 4096;

/// The value of `ssl_session_cache`.
#[derive(Debug, Default)]
pub(super) struct SessionCache {
    /// The zone of `shared`.
    pub(super) zone: Option<Arc<Zone>>,
}

/// A zone: memory for sessions, once it has been prepared.
#[derive(Debug)]
pub(super) struct Zone {
    name: String,
    bytes: u64,
    memory: OnceLock<Arc<Sessions>>,
}

/// A note: the zones of a conf.
#[derive(Debug, Default)]
struct Zones(Vec<Arc<Zone>>);

impl SessionCache {
    fn parse(args: &mut Args, cache: &mut SessionCache) -> Result<(), conf::Error> {
        for i in 0..args.len() {
            let text = args.str(i)?;
            let invalid = || {
                let help = "off, none, builtin, or shared with a name and a size: shared:SSL:10m";
                args.bad(i, format!("invalid session cache \"{text}\"")).help(help)
            };
            if let Some(shared) = text.strip_prefix("shared:") {
                let (name, size) = shared.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or_else(invalid)?;
                let bytes = parse_size(size).ok_or_else(invalid)?;
                if bytes < MIN_BYTES {
                    return Err(args.bad(i, format!("session cache \"{text}\" is too small")).help("at least 32k"));
                }
                cache.zone = Some(Zone::declare(args, i, name, bytes)?);
                continue;
            }
            let is_known = match text.strip_prefix("builtin:") {
                Some(count) => parse_count(count).is_some(),
                None => matches!(text, "off" | "none" | "builtin"),
            };
            if !is_known {
                return Err(invalid());
            }
        }
        Ok(())
    }
}

impl Zone {
    fn declare(args: &mut Args, i: usize, name: &str, bytes: u64) -> Result<Arc<Zone>, conf::Error> {
        let zones = &mut args.notes::<Zones>().0;
        if let Some(known) = zones.iter().find(|zone| zone.name == name) {
            let (known, first) = (known.clone(), known.bytes);
            if first == bytes {
                return Ok(known);
            }
            let conflict = "conflicts with already declared size";
            let what = format!("the size {bytes} of shared memory zone \"{name}\" {conflict} {first}");
            return Err(args.bad(i, what));
        }
        let zone = Arc::new(Zone { name: name.to_owned(), bytes, memory: OnceLock::new() });
        zones.push(zone.clone());
        Ok(zone)
    }

    /// Takes the memory of the zone of this name and size among `old` ones, or new memory. To be called before the
    /// fork.
    pub(super) fn prepare(&self, old: &[Arc<Zone>]) -> io::Result<()> {
        if self.memory.get().is_some() {
            return Ok(());
        }
        let same = old.iter().find(|zone| (&zone.name, zone.bytes) == (&self.name, self.bytes));
        let memory = match same.and_then(|zone| zone.memory.get()) {
            Some(memory) => memory.clone(),
            None => Arc::new(Sessions::create(self.bytes)?),
        };
        // A conf is made ready once.
        let _ = self.memory.set(memory);
        Ok(())
    }
}

/// The sessions of a server.
#[derive(Debug)]
pub(super) struct Store {
    zone: Arc<Zone>,
    /// Sessions of other rules about clients' certificates have another.
    context: [u8; 32],
    lifetime_s: u64,
}

impl Store {
    pub(super) fn new(zone: Arc<Zone>, context: [u8; 32], lifetime_s: u64) -> Store {
        Store { zone, context, lifetime_s }
    }

    fn find(&self, key: &[u8], takes: bool) -> Option<Vec<u8>> {
        let name: SessionName = [key.try_into().ok()?, self.context];
        self.zone.memory.get()?.get(&name, unix_s(), takes)
    }
}

impl StoresServerSessions for Store {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let (Ok(key), Some(memory)) = (<[u8; 32]>::try_from(key), self.zone.memory.get()) else { return false };
        memory.put(&[key, self.context], &value, unix_s().saturating_add(self.lifetime_s))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.find(key, false)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.find(key, true)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

//! Zones: the shared memory that `limit_req_zone` and `limit_conn_zone` declare (`ngx_shared_memory_add`,
//! `ngx_init_cycle`).

use super::template::Template;
use crate::conf;
use crate::log::Level;
use crate::os::Failure;
use crate::shm;
use std::sync::{Arc, OnceLock};

/// The directive that counts in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// `limit_req`.
    Requests,
    /// `limit_conn`.
    Connections,
}

/// A zone of the conf. Directives may name it above the one that declares it.
#[derive(Debug)]
pub struct Zone {
    /// The name of the zone.
    pub name: String,
    user: User,
    /// The place of its first name.
    span: conf::Span,
    declared: OnceLock<Declared>,
    memory: OnceLock<Arc<shm::Zone>>,
}

/// The declaration of a zone.
#[derive(Debug)]
pub struct Declared {
    /// The text by which clients are told apart.
    pub key: Template,
    /// The same as the conf has it.
    pub key_text: String,
    /// Thousandths of a request that go by in a second; of a zone of `limit_req`.
    pub rate: u64,
    bytes: u64,
    span: conf::Span,
}

/// A note ([`conf::Args::notes`]): the zones of a conf, in the order of their names.
#[derive(Debug, Default, Clone)]
pub struct Zones(Vec<Arc<Zone>>);

/// The smallest zone: eight pages.
const MIN_BYTES: u64 = 8 * 4096;

impl Zones {
    /// The zone that argument `i` names.
    pub fn named(args: &mut conf::Args, i: usize, name: &str, user: User) -> Result<Arc<Zone>, conf::Error> {
        let known = args.notes::<Zones>().0.iter().find(|zone| zone.name == name).cloned();
        match known {
            Some(zone) if zone.user == user => Ok(zone),
            Some(_) => Err(args
                .bad(i, format!("the shared memory zone \"{name}\" is already declared for a different use"))
                .help("give the zones of limit_req and limit_conn different names")),
            None => {
                let (name, span) = (name.to_owned(), args.span(i));
                let (declared, memory) = Default::default();
                let zone = Arc::new(Zone { name, user, span, declared, memory });
                args.notes::<Zones>().0.push(zone.clone());
                Ok(zone)
            }
        }
    }

    /// Declares a zone: argument 0 is the key, one of the others says `zone=NAME:SIZE`; `other` reads those that don't.
    pub fn declare(
        args: &mut conf::Args,
        user: User,
        mut other: impl FnMut(&conf::Args, usize, &str) -> Result<u64, conf::Error>,
    ) -> Result<(), conf::Error> {
        let key = Template::parse(args, 0)?;
        let key_text = args.str(0)?.to_owned();
        let (mut said, mut rate) = (None, 1000);
        for i in 1..args.len() {
            let text = args.str(i)?;
            match text.strip_prefix("zone=") {
                Some(zone) => said = Some((i, zone_and_size(args, i, zone)?)),
                None => rate = other(args, i, text)?,
            }
        }
        let no_zone = |args: &conf::Args| {
            let error = args.bad(0, format!("\"{}\" must have \"zone\" parameter", args.name()));
            error.help("zone=NAME:SIZE, such as zone=clients:10m")
        };
        let (i, (name, bytes)) = said.filter(|(_, (name, _))| !name.is_empty()).ok_or_else(|| no_zone(args))?;
        let zone = Zones::named(args, i, name, user)?;
        if let Some(first) = zone.declared.get() {
            if first.bytes != bytes {
                let message = format!(
                    "the size {bytes} of shared memory zone \"{name}\" conflicts with already declared size {}",
                    first.bytes
                );
                return Err(args.bad(i, message).first_at(first.span));
            }
            let message = format!("{} \"{name}\" is already bound to key \"{}\"", args.name(), first.key_text);
            return Err(args.bad(i, message).first_at(first.span));
        }
        // Nobody else sets it while the conf is read.
        let _ = zone.declared.set(Declared { key, key_text, rate, bytes, span: args.span(i) });
        Ok(())
    }

    /// Checks that each zone of the conf is declared.
    pub(super) fn check(&self, mistakes: &mut conf::Mistakes) {
        for zone in self.0.iter().filter(|zone| zone.declared.get().is_none()) {
            let declaration = match zone.user {
                User::Requests => format!("limit_req_zone KEY zone={}:10m rate=10r/s;", zone.name),
                User::Connections => format!("limit_conn_zone KEY zone={}:10m;", zone.name),
            };
            let error = conf::Error::at(zone.span, format!("zero size shared memory zone \"{}\"", zone.name));
            let declared = |zone: &&Arc<Zone>| zone.declared.get().is_some();
            let known = self.0.iter().filter(declared).filter(|other| other.user == zone.user);
            let near = conf::did_you_mean(&zone.name, known.map(|zone| zone.name.as_str()));
            mistakes.add(error.misses(&*zone.name).help(match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("nothing declares it: {declaration}"),
            }));
        }
    }

    /// Gives each zone its memory: that of the zone of the same name, use and size of the conf before this one, or new
    /// memory. To be called before the fork.
    ///
    /// # Errors
    /// The sentence of nginx's for a zone that has another key now; a system call failed.
    pub fn make(&self, before: &Zones) -> Result<(), String> {
        for zone in &self.0 {
            let Some(declared) = zone.declared.get() else { continue };
            let same = |old: &&Arc<Zone>| {
                let bytes = old.declared.get().map(|old| old.bytes);
                old.name == zone.name && old.user == zone.user && bytes == Some(declared.bytes)
            };
            let memory = match before.0.iter().find(same) {
                Some(old) => {
                    check_key(zone, declared, old)?;
                    old.memory.get().cloned()
                }
                None => None,
            };
            let new = || shm::Zone::create("drover-zone", declared.bytes).map(Arc::new);
            let memory = memory.map_or_else(new, Ok);
            let memory = memory.map_err(|error| Failure::new("memfd_create()", error).to_string())?;
            // A conf is made ready once.
            let _ = zone.memory.set(memory);
        }
        Ok(())
    }
}

fn check_key(zone: &Zone, declared: &Declared, old: &Zone) -> Result<(), String> {
    let before = old.declared.get().map_or("", |old| &old.key_text);
    if before == declared.key_text {
        return Ok(());
    }
    let (name, key) = (&zone.name, &declared.key_text);
    let directive = match zone.user {
        User::Requests => "limit_req",
        User::Connections => "limit_conn_zone",
    };
    Err(format!("{directive} \"{name}\" uses the \"{key}\" key while previously it used the \"{before}\" key"))
}

/// Reads `NAME:SIZE`.
fn zone_and_size<'a>(args: &conf::Args, i: usize, text: &'a str) -> Result<(&'a str, u64), conf::Error> {
    let invalid = || {
        let error = args.bad(i, format!("invalid zone size \"zone={text}\""));
        error.help("a name and a size, such as zone=clients:10m")
    };
    let (name, size) = text.split_once(':').ok_or_else(invalid)?;
    let bytes = conf::parse_size(size).ok_or_else(invalid)?;
    if bytes < MIN_BYTES {
        let error = args.bad(i, format!("zone \"zone={text}\" is too small"));
        return Err(error.help("at least 32k; 1m is enough for some 15,000 addresses"));
    }
    Ok((name, bytes))
}

impl Zone {
    /// The declaration and the memory; a conf that serves has both.
    pub fn ready(&self) -> Option<(&Declared, &Arc<shm::Zone>)> {
        self.declared.get().zip(self.memory.get())
    }
}

/// A level of the error log that a limit may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitLevel(pub Level);

impl Default for LimitLevel {
    fn default() -> LimitLevel {
        LimitLevel(Level::Error)
    }
}

impl conf::OneOf for LimitLevel {
    const WORDS: &'static [(&'static str, LimitLevel)] = &[
        ("info", LimitLevel(Level::Info)),
        ("notice", LimitLevel(Level::Notice)),
        ("warn", LimitLevel(Level::Warn)),
        ("error", LimitLevel(Level::Error)),
    ];
}

/// The status of answers that a limit refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus(pub u16);

impl Default for LimitStatus {
    fn default() -> LimitStatus {
        LimitStatus(503)
    }
}

impl LimitStatus {
    /// Reads a status (`ngx_conf_check_num_bounds`).
    pub fn parse(args: &mut conf::Args) -> Result<LimitStatus, conf::Error> {
        match args.count(0)? {
            status @ 400..=599 => Ok(LimitStatus(status as u16)),
            _ => Err(args.bad(0, "value must be between 400 and 599").help("429 says that there were too many")),
        }
    }
}

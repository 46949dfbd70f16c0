//! `ssl_session_cache`: nginx's memory for sessions. Tickets do without.

use crate::conf::{self, Args, Contexts, Setting, parse_count, parse_size};

/// `ssl_session_cache`: where sessions would be kept.
pub(super) static SESSION_CACHE: Setting<SessionCache> = Setting::many(&["ssl_session_cache"], SessionCache::parse)
    .contexts(Contexts::HTTP.union(Contexts::SERVER))
    .args(1, 2)
    .syntax("off | none | [builtin[:SIZE]] [shared:NAME:SIZE]")
    .default("none")
    .about(
        "Sessions are resumed by tickets (`ssl_session_tickets`), which need no memory: the sizes have no effect. \
         `off` and `none` are as in nginx, where tickets work without a cache as well.",
    );

/// The smallest memory that nginx takes: eight pages.
const MIN_BYTES: u64 = 8 * 4096;

/// The value of `ssl_session_cache`.
#[derive(Debug, Default)]
pub(super) struct SessionCache;

/// A note: the zones of a conf and their sizes.
#[derive(Debug, Default)]
struct ZoneSizes(Vec<(String, u64)>);

impl SessionCache {
    fn parse(args: &mut Args, _: &mut SessionCache) -> Result<(), conf::Error> {
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
                SessionCache::declare(args, i, name, bytes)?;
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

    fn declare(args: &mut Args, i: usize, name: &str, bytes: u64) -> Result<(), conf::Error> {
        let zones = &mut args.notes::<ZoneSizes>().0;
        let first = match zones.iter().find(|(known, _)| known == name) {
            Some((_, first)) => *first,
            None => {
                zones.push((name.to_owned(), bytes));
                bytes
            }
        };
        if first != bytes {
            let what = format!(
                "the size {bytes} of shared memory zone \"{name}\" conflicts with already declared size {first}"
            );
            return Err(args.bad(i, what));
        }
        Ok(())
    }
}

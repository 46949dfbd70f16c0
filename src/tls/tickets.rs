//! Session tickets (RFC 8446 4.6.1, RFC 5077) that every process of the service can open, also after a reload: their
//! keys are in shared memory (`shm/ticket_keys.rs`), or in files.
//!
//! A ticket: the name of its key, a nonce, the sealed time and session, a tag. Sealed in the context of a server's
//! rules about clients' certificates, so that a session of one that asks for none can't be resumed where one is wanted.

use super::provider::{self, Seal};
use crate::shm::{TicketKey, TicketKeys};
use rustls::server::ProducesTickets;
use std::io;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroize;

/// The keys that a server seals its tickets with.
pub(super) trait Keyring: std::fmt::Debug + Send + Sync {
    /// The key of new tickets.
    fn newest(&self) -> Option<Arc<Key>>;
    /// The key of this name.
    fn named(&self, name: &[u8]) -> Option<Arc<Key>>;
}

/// A key, ready for use.
#[derive(Debug)]
pub(super) struct Key {
    name: [u8; 16],
    seal: Seal,
}

impl Key {
    fn new(mut key: TicketKey) -> Option<Key> {
        let seal = Seal::new(&key.secret);
        key.secret.zeroize();
        Some(Key { name: key.name, seal: seal? })
    }
}

/// Keys of files, the newest first.
#[derive(Debug)]
pub(super) struct FileKeys(Vec<Arc<Key>>);

impl FileKeys {
    /// The keys of the files' contents, each of 48 or 80 bytes.
    pub(super) fn new(contents: &[impl AsRef<[u8]>]) -> FileKeys {
        let key = |bytes: &[u8]| {
            let (name, secret) = bytes.split_first_chunk::<16>()?;
            Key::new(TicketKey { name: *name, secret: provider::sha256([secret]) })
        };
        FileKeys(contents.iter().filter_map(|bytes| key(bytes.as_ref())).map(Arc::new).collect())
    }
}

impl Keyring for FileKeys {
    fn newest(&self) -> Option<Arc<Key>> {
        self.0.first().cloned()
    }

    fn named(&self, name: &[u8]) -> Option<Arc<Key>> {
        self.0.iter().find(|key| key.name == name).cloned()
    }
}

/// The keys in shared memory, which the master replaces now and then.
#[derive(Debug, Default)]
pub(super) struct SharedKeys {
    memory: OnceLock<Arc<TicketKeys>>,
    /// Keys as this process has read them last.
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    number: u64,
    newest: Option<Arc<Key>>,
    previous: Option<Arc<Key>>,
}

impl SharedKeys {
    /// Takes the memory that the generation before has, or new memory. To be called before the fork.
    pub(super) fn prepare(&self, old: Option<Arc<TicketKeys>>) -> io::Result<()> {
        let memory = match old {
            Some(memory) => memory,
            None => Arc::new(TicketKeys::create()?),
        };
        if memory.newest() == 0 {
            add_key(&memory);
        }
        // A conf is made ready once.
        let _ = self.memory.set(memory);
        Ok(())
    }

    /// The memory, once it is there.
    pub(super) fn memory(&self) -> Option<&Arc<TicketKeys>> {
        self.memory.get()
    }

    /// Gives the two last keys to `take`.
    fn with<R>(&self, take: impl FnOnce(&Known) -> R) -> Option<R> {
        let memory = self.memory.get()?;
        let number = memory.newest();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.number == number {
            return Some(take(&known));
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let read = |number: u64| Key::new(memory.key(number)).map(Arc::new);
        let previous = (number > 1).then(|| read(number - 1)).flatten();
        *known = Known { number, newest: read(number), previous };
        Some(take(&known))
    }
}

impl Keyring for SharedKeys {
    fn newest(&self) -> Option<Arc<Key>> {
        self.with(|known| known.newest.clone())?
    }

    fn named(&self, name: &[u8]) -> Option<Arc<Key>> {
        self.with(|known| [&known.newest, &known.previous].into_iter().flatten().find(|key| key.name == name).cloned())?
    }
}

/// Replaces the newest key once it is `period` seconds old. Returns the seconds until the next is due.
pub(super) fn rotate(memory: &TicketKeys, period: u64) -> u64 {
    let age = unix_s().saturating_sub(memory.made());
    if age < period {
        return period - age;
    }
    add_key(memory);
    period
}

fn add_key(memory: &TicketKeys) {
    let mut key = TicketKey { name: [0; 16], secret: [0; 32] };
    let before = memory.made();
    if provider::random(&mut key.name) && provider::random(&mut key.secret) {
        memory.add(&key, before, unix_s());
    }
    key.secret.zeroize();
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Seals the tickets of a server.
#[derive(Debug)]
pub(super) struct Ticketer {
    keys: Arc<dyn Keyring>,
    /// Sessions of other rules about clients' certificates have another.
    context: [u8; 32],
    lifetime_s: u32,
}

/// Seconds since 1970 at the start of a sealed text.
const TIME: usize = 8;

impl Ticketer {
    pub(super) fn new(keys: Arc<dyn Keyring>, context: [u8; 32], lifetime_s: u64) -> Ticketer {
        Ticketer { keys, context, lifetime_s: u32::try_from(lifetime_s).unwrap_or(u32::MAX) }
    }

    fn sealed_at(&self, plain: &[u8], now: u64) -> Option<Vec<u8>> {
        let key = self.keys.newest()?;
        let mut text = [&now.to_be_bytes(), plain].concat();
        let sealed = key.seal.seal(&self.context, &text);
        text.zeroize();
        Some([&key.name[..], &sealed?].concat())
    }

    fn opened_at(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let (name, sealed) = ticket.split_first_chunk::<16>()?;
        let mut text = self.keys.named(name)?.seal.open(&self.context, sealed)?;
        let sealed_at = u64::from_be_bytes(*text.first_chunk::<TIME>()?);
        if now.saturating_sub(sealed_at) > u64::from(self.lifetime_s) {
            text.zeroize();
            return None;
        }
        text.drain(..TIME);
        Some(text)
    }
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.lifetime_s
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.sealed_at(plain, unix_s())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.opened_at(cipher, unix_s())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::{self, Fork};

    fn shared() -> Arc<SharedKeys> {
        let keys = Arc::new(SharedKeys::default());
        keys.prepare(None).unwrap();
        keys
    }

    #[test]
    fn a_ticket_is_opened_by_every_process_also_after_a_rotation() {
        let keys = shared();
        let memory = keys.memory().unwrap().clone();
        let ticketer = Ticketer::new(keys.clone(), [1; 32], 300);
        let ticket = ticketer.encrypt(b"session").unwrap();
        assert_ne!(ticket, ticketer.encrypt(b"session").unwrap());
        let in_child = |expected: Option<&[u8]>| {
            let pid = match process::fork().unwrap() {
                Fork::Child => {
                    let fits = ticketer.decrypt(&ticket).as_deref() == expected && ticketer.encrypt(b"x").is_some();
                    process::exit_now(i32::from(!fits))
                }
                Fork::Parent(pid) => pid,
            };
            let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
            assert_eq!(status, nix::sys::wait::WaitStatus::Exited(nix::unistd::Pid::from_raw(pid), 0));
        };
        in_child(Some(b"session"));
        add_key(&memory);
        in_child(Some(b"session"));
        // The next generation of the conf.
        let after = SharedKeys::default();
        after.prepare(Some(memory.clone())).unwrap();
        let after = Ticketer::new(Arc::new(after), [1; 32], 300);
        assert_eq!(after.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        add_key(&memory);
        in_child(None);
        assert_eq!(after.decrypt(&ticket), None);
    }

    #[test]
    fn tickets_end_and_belong_to_their_context() {
        let keys = shared();
        let ticketer = Ticketer::new(keys.clone(), [1; 32], 300);
        let ticket = ticketer.sealed_at(b"session", 1000).unwrap();
        assert!(ticketer.opened_at(&ticket, 1300).is_some());
        assert!(ticketer.opened_at(&ticket, 1301).is_none());
        assert!(Ticketer::new(keys, [2; 32], 300).opened_at(&ticket, 1000).is_none());
        for at in 0..ticket.len() {
            let mut other = ticket.clone();
            other[at] ^= 1;
            assert!(ticketer.opened_at(&other, 1000).is_none(), "byte {at}");
            assert!(ticketer.opened_at(&ticket[..at], 1000).is_none(), "{at} bytes");
        }
    }

    #[test]
    fn keys_of_files_are_used_in_their_order() {
        let (new, old) = ([7_u8; 80], [9_u8; 48]);
        let ticketer = |contents: &[&[u8]]| Ticketer::new(Arc::new(FileKeys::new(contents)), [0; 32], 300);
        let ticket = ticketer(&[&old]).encrypt(b"x").unwrap();
        assert!(ticketer(&[&new, &old]).decrypt(&ticket).is_some());
        assert!(ticketer(&[&old]).decrypt(&ticketer(&[&new, &old]).encrypt(b"x").unwrap()).is_none());
    }

    #[test]
    fn the_master_replaces_a_key_when_it_is_old() {
        let keys = shared();
        let memory = keys.memory().unwrap();
        assert!((1..=300).contains(&rotate(memory, 300)));
        assert_eq!(memory.newest(), 1);
        rotate(memory, 0);
        assert_eq!(memory.newest(), 2);
    }
}

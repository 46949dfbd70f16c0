//! Checks of passwords, which take long on purpose: a thread of their own makes them where an event loop would have to
//! stand still, and those that fit are known for a while.

use crate::event::Source;
use crate::http::exchange::Check;
use crate::log;
use crate::os::{ErrnoText, EventFd, Interest, Poller};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// How long a password that fits is known after its last use, ms: a page and its pictures need one check.
const KNOWN_MS: u64 = 10_000;

/// Passwords known at most.
const MAX_KNOWN: usize = 4096;

/// Password and hash, digested with a secret of the process.
type Digested = [u8; 32];

/// The checks of one engine.
#[derive(Debug, Default)]
pub(crate) struct Passwords {
    secret: Option<[u8; 32]>,
    /// The passwords that fit, and until when that is known, ms of the clock.
    known: HashMap<Digested, u64>,
    /// Checks are for a helper, not for the thread that asks.
    has_helper: bool,
    helper: Option<Helper>,
    /// The check that a connection has just asked for.
    pending: Option<(Digested, Check)>,
}

/// A thread that makes checks, one after the other.
#[derive(Debug)]
struct Helper {
    jobs: Sender<(u64, Digested, Check)>,
    results: Receiver<(u64, Digested, bool)>,
    waker: Arc<EventFd>,
}

impl Passwords {
    /// Leaves checks to a thread, whose results come by `take_checked`.
    pub(crate) fn use_helper(&mut self) {
        self.has_helper = true;
    }

    /// Whether the password fits; `None`: the helper will tell, once `submit` has given it the check.
    pub(crate) fn check(&mut self, check: Check, now_ms: u64) -> Option<bool> {
        let digested = self.digest(&check);
        if let Some(until) = self.known.get_mut(&digested).filter(|until| **until > now_ms) {
            *until = now_ms + KNOWN_MS;
            return Some(true);
        }
        if self.has_helper {
            self.pending = Some((digested, check));
            return None;
        }
        let fits = check.run();
        self.note(digested, fits, now_ms);
        Some(fits)
    }

    fn digest(&mut self, check: &Check) -> Digested {
        let secret = self.secret.get_or_insert_with(|| {
            let mut secret = [0; 32];
            for (i, bytes) in secret.chunks_mut(8).enumerate() {
                bytes.copy_from_slice(&RandomState::new().hash_one(i).to_ne_bytes());
            }
            secret
        });
        let length = (check.hash.len() as u64).to_ne_bytes();
        Sha256::new().chain(secret).chain(length).chain(&check.hash).chain(&check.password).finalize().into()
    }

    fn note(&mut self, digested: Digested, fits: bool, now_ms: u64) {
        if !fits {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.retain(|_, until| *until > now_ms);
        }
        if self.known.len() < MAX_KNOWN {
            self.known.insert(digested, now_ms + KNOWN_MS);
        }
    }

    /// Gives the check that connection `key` has just asked for, if it has, to the helper.
    pub(crate) fn submit(&mut self, key: u64, poller: &Poller) {
        let Some((digested, check)) = self.pending.take() else { return };
        if self.helper.is_none() {
            match Helper::start(poller) {
                Ok(helper) => self.helper = Some(helper),
                Err(error) => log::alert!("the helper that checks passwords can't be started ({})", ErrnoText(&error)),
            }
        }
        if let Some(helper) = &self.helper {
            // The helper ends when the other end of this channel is dropped, not before.
            let _ = helper.jobs.send((key, digested, check));
        }
    }

    /// The connections whose passwords have been checked, and whether they fit.
    pub(crate) fn take_checked(&mut self, now_ms: u64) -> Vec<(u64, bool)> {
        let Some(helper) = &self.helper else { return Vec::new() };
        if let Err(error) = helper.waker.drain() {
            log::alert!("read() from an eventfd failed ({})", ErrnoText(&error));
        }
        let results: Vec<_> = helper.results.try_iter().collect();
        let note = |(key, digested, fits)| {
            self.note(digested, fits, now_ms);
            (key, fits)
        };
        results.into_iter().map(note).collect()
    }
}

impl Helper {
    fn start(poller: &Poller) -> io::Result<Helper> {
        let waker = Arc::new(EventFd::new()?);
        poller.add(&*waker, Source::Passwords.key(), Interest::READ)?;
        let (jobs, to_do) = channel::<(u64, Digested, Check)>();
        let (done, results) = channel();
        let own_waker = waker.clone();
        thread::Builder::new().name("passwords".to_owned()).spawn(move || {
            for (key, digested, check) in to_do {
                let fits = check.run();
                if done.send((key, digested, fits)).is_err() || own_waker.notify().is_err() {
                    return;
                }
            }
        })?;
        Ok(Helper { jobs, results, waker })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Check {
        Check { password: password.into(), hash: b"{PLAIN}secret".to_vec() }
    }

    #[test]
    fn a_password_that_fits_is_known_for_a_while_and_a_wrong_one_is_not() {
        let mut passwords = Passwords::default();
        assert_eq!(passwords.check(check("secret"), 0), Some(true));
        assert_eq!(passwords.check(check("wrong"), 0), Some(false));
        passwords.use_helper();
        assert_eq!(passwords.check(check("wrong"), 1), None);
        assert_eq!(passwords.check(check("secret"), KNOWN_MS - 1), Some(true));
        assert_eq!(passwords.check(check("secret"), 2 * KNOWN_MS - 2), Some(true), "each use counts");
        assert_eq!(passwords.check(check("secret"), 4 * KNOWN_MS), None);
        let other = Check { hash: b"{PLAIN}secre".to_vec(), password: b"tsecret".to_vec() };
        assert_eq!(passwords.check(other, 2 * KNOWN_MS), None);
    }

    #[test]
    fn the_helper_wakes_the_loop_with_each_result() {
        let (mut passwords, poller) = (Passwords::default(), Poller::new().unwrap());
        passwords.use_helper();
        for (key, password) in [(7, "secret"), (8, "wrong")] {
            assert_eq!(passwords.check(check(password), 0), None);
            passwords.submit(key, &poller);
        }
        let mut events = crate::os::Events::with_capacity(4);
        let mut results = Vec::new();
        while results.len() < 2 {
            poller.wait(&mut events, None).unwrap();
            assert_eq!(Source::of(events.iter().next().unwrap().0), Source::Passwords);
            results.extend(passwords.take_checked(0));
        }
        assert_eq!(results, [(7, true), (8, false)]);
        assert_eq!(passwords.check(check("secret"), 1), Some(true));
    }
}

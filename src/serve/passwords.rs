//! Passwords that fit are known for a while: their checks take long on purpose.

use crate::http::exchange::Check;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// How long a password that fits is known after its last use, ms: a page and its pictures need one check.
const KNOWN_MS: u64 = 10_000;

/// Passwords known at most.
const MAX_KNOWN: usize = 4096;

/// Password and hash, digested with a secret of the process.
pub(crate) type Digested = [u8; 32];

/// The passwords that one engine knows.
#[derive(Debug, Default)]
pub(crate) struct Passwords {
    secret: Option<[u8; 32]>,
    /// The passwords that fit, and until when that is known, ms of the clock.
    known: HashMap<Digested, u64>,
}

impl Passwords {
    /// Whether the password is known to fit; if not, the name of the check, which is to be noted with its result.
    pub(crate) fn known(&mut self, check: &Check, now_ms: u64) -> Result<(), Digested> {
        let digested = self.digest(check);
        let until = self.known.get_mut(&digested).filter(|until| **until > now_ms).ok_or(digested)?;
        *until = now_ms + KNOWN_MS;
        Ok(())
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

    /// Keeps the result of a check in mind.
    pub(crate) fn note(&mut self, digested: Digested, fits: bool, now_ms: u64) {
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
        let run = |passwords: &mut Passwords, password: &str, now_ms| {
            let check = check(password);
            let digested = passwords.known(&check, now_ms).unwrap_err();
            passwords.note(digested, check.run(), now_ms);
        };
        run(&mut passwords, "secret", 0);
        run(&mut passwords, "wrong", 0);
        assert!(passwords.known(&check("wrong"), 1).is_err());
        assert_eq!(passwords.known(&check("secret"), KNOWN_MS - 1), Ok(()));
        assert_eq!(passwords.known(&check("secret"), 2 * KNOWN_MS - 2), Ok(()), "each use counts");
        assert!(passwords.known(&check("secret"), 4 * KNOWN_MS).is_err());
        let other = Check { hash: b"{PLAIN}secre".to_vec(), password: b"tsecret".to_vec() };
        assert!(passwords.known(&other, 2 * KNOWN_MS).is_err());
    }
}

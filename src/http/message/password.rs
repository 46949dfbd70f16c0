//! Hashes of passwords, in the forms that nginx compares: those of its `ngx_crypt.c`, and those of crypt(3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha1::Sha1;

/// Whether a check of this hash takes so long, milliseconds or more, that other clients would notice it.
pub fn is_slow(hash: &[u8]) -> bool {
    hash.starts_with(b"$") && !hash.starts_with(b"$apr1$") && !hash.starts_with(b"$1$") || hash.starts_with(b"_")
}

/// The reason why no password has a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// The text is of no form that is known.
    Unknown,
    /// The form of another program, by its name.
    Foreign(&'static str),
    /// A known form whose digest is cut off or has letters that none has.
    Broken,
}

/// Whether some password may have this hash. A hash that begins with `*` or `!` locks its user out on purpose.
pub fn check_form(hash: &[u8]) -> Result<(), Unusable> {
    let foreign = [("$y$", "yescrypt"), ("$gy$", "gost-yescrypt"), ("$7$", "scrypt"), ("$argon2", "Argon2")];
    if let Some((_, name)) = foreign.into_iter().find(|(prefix, _)| hash.starts_with(prefix.as_bytes())) {
        return Err(Unusable::Foreign(name));
    }
    let base64 = |prefix: &[u8], fits: fn(usize) -> bool| {
        Some(STANDARD.decode(hash.strip_prefix(prefix)?).is_ok_and(|digest| fits(digest.len())))
    };
    // The digest is what follows the last `$`.
    let crypt = |prefix: &[u8], len: usize| {
        let rest = hash.strip_prefix(prefix)?;
        let digest = rest.rsplit(|byte| *byte == b'$').next().filter(|digest| digest.len() < rest.len());
        Some(digest.is_some_and(|digest| digest.len() == len && is_itoa64(digest)))
    };
    let bcrypt = || {
        let (_, rest) = hash.strip_prefix(b"$2")?.split_at_checked(1)?;
        let (cost, digest) = rest.strip_prefix(b"$")?.split_at_checked(2)?;
        let digest = digest.strip_prefix(b"$").unwrap_or_default();
        Some(cost.iter().all(u8::is_ascii_digit) && digest.len() == 53 && is_itoa64(digest))
    };
    let is_whole = match hash {
        [b'*' | b'!', ..] => Some(true),
        _ if hash.starts_with(b"{PLAIN}") => Some(true),
        [b'_', rest @ ..] => Some(rest.len() == 19 && is_itoa64(rest)),
        _ if hash.len() == 13 && is_itoa64(hash) => Some(true),
        _ => base64(b"{SHA}", |len| len == SHA1_LEN)
            .or_else(|| base64(b"{SSHA}", |len| len >= SHA1_LEN))
            .or_else(|| crypt(APR1, 22))
            .or_else(|| crypt(b"$1$", 22))
            .or_else(|| crypt(b"$5$", 43))
            .or_else(|| crypt(b"$6$", 86))
            .or_else(bcrypt),
    };
    match is_whole {
        Some(true) => Ok(()),
        Some(false) => Err(Unusable::Broken),
        None if hash.starts_with(b"$2") => Err(Unusable::Broken),
        None => Err(Unusable::Unknown),
    }
}

fn is_itoa64(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'))
}

/// Whether `password` has this hash. As in C, a NUL ends the password.
pub fn verify(password: &[u8], hash: &[u8]) -> bool {
    let password = password.split(|byte| *byte == 0).next().unwrap_or_default();
    let same = |made: Vec<u8>| is_same(&made, hash);
    if let Some(rest) = hash.strip_prefix(APR1) {
        return same(apr1(password, rest));
    }
    if let Some(plain) = hash.strip_prefix(b"{PLAIN}") {
        return is_same(plain, password);
    }
    if let Some(encoded) = hash.strip_prefix(b"{SSHA}") {
        let decoded = STANDARD.decode(encoded).unwrap_or_default();
        return same(sha(b"{SSHA}", password, decoded.get(SHA1_LEN..).unwrap_or_default()));
    }
    if hash.starts_with(b"{SHA}") {
        return same(sha(b"{SHA}", password, b""));
    }
    // The crate slices the hash by bytes, and subtracts a blank from each.
    let is_text = hash.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    is_text && std::str::from_utf8(hash).is_ok_and(|hash| pwhash::unix::verify(password, hash))
}

/// Compares without telling by its time where the two differ.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

const SHA1_LEN: usize = 20;

fn sha(scheme: &[u8], password: &[u8], salt: &[u8]) -> Vec<u8> {
    let digest = Sha1::new().chain(password).chain(salt).finalize();
    [scheme, STANDARD.encode([&digest[..], salt].concat()).as_bytes()].concat()
}

const APR1: &[u8] = b"$apr1$";
const MD5_LEN: usize = 16;

/// Apache's variant of the MD5-based crypt (`ngx_crypt_apr1`). `setting`: the salt, up to a `$`, and whatever follows.
fn apr1(password: &[u8], setting: &[u8]) -> Vec<u8> {
    let salt = setting.split(|byte| *byte == b'$').next().unwrap_or_default();
    let salt = salt.get(..8).unwrap_or(salt);
    let inner = Md5::new().chain(password).chain(salt).chain(password).finalize();
    let mut md5 = Md5::new().chain(password).chain(APR1).chain(salt);
    for at in (0..password.len()).step_by(MD5_LEN) {
        md5.update(&inner[..(password.len() - at).min(MD5_LEN)]);
    }
    let mut bits = password.len();
    while bits > 0 {
        md5.update(if bits & 1 == 1 { &[0] } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut digest = md5.finalize();
    for round in 0..1000 {
        let is_odd = round % 2 == 1;
        let mut md5 = Md5::new();
        md5.update(if is_odd { password } else { &digest[..] });
        if round % 3 > 0 {
            md5.update(salt);
        }
        if round % 7 > 0 {
            md5.update(password);
        }
        md5.update(if is_odd { &digest[..] } else { password });
        digest = md5.finalize();
    }
    let mut out = [APR1, salt, b"$"].concat();
    for [high, middle, low] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        let bits = u32::from(digest[high]) << 16 | u32::from(digest[middle]) << 8 | u32::from(digest[low]);
        put_itoa64(&mut out, bits, 4);
    }
    put_itoa64(&mut out, digest[11].into(), 2);
    out
}

/// Appends the lowest `n` groups of six bits, the lowest first.
fn put_itoa64(out: &mut Vec<u8>, bits: u32, n: u32) {
    const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    out.extend((0..n).map(|group| LETTERS[(bits >> (6 * group) & 0x3f) as usize]));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl passwd`, crypt(3) and the sums of openssl, all of the password `secret`.
    const OF_SECRET: &[&str] = &[
        "abNANd1rDfiNc",
        "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
        "$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.",
        "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.",
        "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
        "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/",
        "_J9..rasmz0.F/jqjWck",
        "$5$rounds=1000$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8",
        "{PLAIN}secret",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
    ];

    #[test]
    fn each_form_takes_its_password_and_no_other() {
        for hash in OF_SECRET {
            assert!(verify(b"secret", hash.as_bytes()), "{hash}");
            for other in [b"secre".as_slice(), b"secret ", b"", b"\xff", &[b'x'; 300]] {
                assert!(!verify(other, hash.as_bytes()), "{hash}");
            }
            assert!(!verify(b"secret", &[hash.as_bytes(), b" "].concat()), "{hash} with a blank behind it");
            assert!(verify(b"secret\0more", hash.as_bytes()), "{hash}: a NUL ends the password");
        }
    }

    #[test]
    fn what_is_no_hash_fits_no_password() {
        for hash in [
            "",
            "*",
            "x",
            "secret",
            "$",
            "$1$",
            "$2y$",
            "$2y$99$",
            "$5$",
            "$5$rounds=x$a$b",
            "$6$",
            "$9$a$b",
            "{SHA}",
            "{SSHA}",
            "{SSHA}=",
            "{MD5}x",
            "$apr1$",
            "_",
            "_abc",
            "caf\u{e9}",
            "2\0",
            "a\x1f",
            "$y$j9T$a$b",
            "*0",
            "{plain}secret",
        ] {
            for password in [b"secret".as_slice(), b""] {
                assert!(!verify(password, hash.as_bytes()), "{hash}");
            }
        }
        assert!(verify(b"", b"{PLAIN}"));
    }

    #[test]
    fn a_hash_that_fits_no_password_is_told_from_one_that_may() {
        for hash in OF_SECRET {
            assert_eq!(check_form(hash.as_bytes()), Ok(()), "{hash}");
            assert!(hash.starts_with("{PLAIN}") || check_form(format!("{hash} ").as_bytes()).is_err(), "{hash}");
            let short = &hash[..hash.len() - 1];
            assert!(hash.starts_with("{PLAIN}") || check_form(short.as_bytes()).is_err(), "{short}");
        }
        for locked in ["*", "!", "!$6$abc$x", "*0"] {
            assert_eq!(check_form(locked.as_bytes()), Ok(()), "{locked}");
        }
        for (hash, why) in [
            ("secret", Unusable::Unknown),
            ("", Unusable::Unknown),
            ("{MD5}x", Unusable::Unknown),
            ("{plain}secret", Unusable::Unknown),
            ("$y$j9T$a$b", Unusable::Foreign("yescrypt")),
            ("$argon2id$v=19$m=1", Unusable::Foreign("Argon2")),
            ("$2y$", Unusable::Broken),
            ("$2y$99$", Unusable::Broken),
            ("$5$rounds=x$a$b", Unusable::Broken),
            ("$1$", Unusable::Broken),
            ("{SSHA}", Unusable::Broken),
            ("_", Unusable::Broken),
        ] {
            assert_eq!(check_form(hash.as_bytes()), Err(why), "{hash}");
        }
    }

    #[test]
    fn long_passwords_of_apr1_count_to_their_end() {
        let long = [b'a'; 40];
        let hash = apr1(&long, b"saltsalt$");
        assert!(verify(&long, &hash) && !verify(&long[1..], &hash));
    }
}

//! Password files, the hashes in them, and the credentials of requests.

use super::site::{Site, body};
use drover::http::message::htpasswd::{faults, find};
use drover::http::message::password::{check_form, is_slow, verify};

/// The input is a name, a password and a password file, a line feed between them. The hash of the name is that of its
/// first line; a hash that is not whole fits no password; what is said about a file shows nothing of it.
pub(super) fn htpasswd(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let (Some(user), Some(password), Some(file)) = (parts.next(), parts.next(), parts.next()) else { return };
    let found = find(file, user);
    let same = |line: &[u8]| {
        let (name, hash) = line.split_at(line.iter().position(|byte| *byte == b':')?);
        let end = |byte: &u8| matches!(byte, b':' | b'\r');
        let hash = hash[1..].split(end).next().unwrap_or_default();
        (name == user && !matches!(name.first(), Some(b'#' | b'\r'))).then(|| hash.to_vec())
    };
    assert_eq!(found, file.split(|byte| *byte == b'\n').find_map(same).as_deref());
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    for fault in faults(file) {
        let line = lines[fault.line - 1];
        assert!(!fault.what.is_empty() && !fault.help.is_empty());
        assert!(line.len() < 40 || !fault.what.as_bytes().windows(line.len()).any(|text| text == line));
    }
    if let Some(hash) = found.filter(|hash| costs_little(hash)) {
        let fits = verify(password, hash);
        assert!(!fits || check_form(hash).is_ok(), "{}", hash.escape_ascii());
    }
    let plain = [b"{PLAIN}", password].concat();
    assert!(password.contains(&0) || verify(password, &plain) && check_form(&plain).is_ok());
    assert!(!verify(&[b"x", password].concat(), &plain) || password.iter().all(|byte| *byte == b'x'));
}

/// Whether a hash is made in a millisecond: the conf's owner may ask for minutes.
fn costs_little(hash: &[u8]) -> bool {
    !is_slow(hash) || hash.starts_with(b"$2b$04$") || hash.starts_with(b"$5$rounds=1000$")
}

/// The input is the value of Authorization. Its user is the one that a second reader of Base64 finds, and the site
/// opens to one name with one password alone.
pub(super) fn credentials() -> impl FnMut(&[u8]) {
    let mut site = Site::new(
        r#"events { } http { server {
            listen 80; root %;
            location = /user { return 200 "$remote_user"; }
            location / { auth_basic x; auth_basic_user_file %/users; }
        } }"#,
        &[("users", "anne:{PLAIN}pw\n#bob:{PLAIN}x\n"), ("index.html", "inside")],
    );
    move |input| {
        if input.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return;
        }
        let mut ask = |path: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: ");
            site.ask(&[head.as_bytes(), input, b"\r\n\r\n"].concat())
        };
        let decoded = decode(input.trim_ascii());
        let colon = decoded.iter().position(|byte| *byte == b':').unwrap_or(0);
        assert_eq!(body(&ask("/user")), &decoded[..colon], "{}", decoded.escape_ascii());
        let is_anne = decoded.strip_prefix(b"anne:pw").is_some_and(|rest| matches!(rest.first(), None | Some(0)));
        let answer = ask("/");
        assert!(answer.starts_with(if is_anne { b"HTTP/1.1 200 " } else { b"HTTP/1.1 401 " }));
        assert_eq!(body(&answer) == b"inside", is_anne);
    }
}

/// The text of Basic credentials, by the bits of their letters; nothing for others.
fn decode(value: &[u8]) -> Vec<u8> {
    let Some((scheme, rest)) = value.split_at_checked(6) else { return Vec::new() };
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Vec::new();
    }
    let letters = rest.iter().skip_while(|byte| **byte == b' ').take_while(|byte| **byte != b'=');
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let Some(values) =
        letters.map(|letter| alphabet.iter().position(|known| known == letter)).collect::<Option<Vec<_>>>()
    else {
        return Vec::new();
    };
    if values.len() % 4 == 1 {
        return Vec::new();
    }
    let bits: Vec<bool> = values.iter().flat_map(|value| (0..6).rev().map(move |bit| value >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
}

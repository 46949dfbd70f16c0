//! The lines of a password file: `USER:HASH`, a comment behind another colon or in a line that begins with `#`.

use super::password::{Unusable, check_form};
use std::collections::HashMap;

/// A line that lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number of the line, counted from 1.
    pub line: usize,
    /// A predicate, `has no hash` for example. Shows nothing of the line, which is a secret.
    pub what: String,
    /// A sentence that tells how to mend it.
    pub help: &'static str,
}

const MAKE: &str = "a line is NAME:HASH; \"htpasswd -B FILE NAME\" and \"openssl passwd -6\" make hashes";

/// The lines that let nobody in.
pub fn faults(file: &[u8]) -> Vec<Fault> {
    let mut users: HashMap<&[u8], usize> = HashMap::new();
    let mut faults = Vec::new();
    for (line, text) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        if matches!(text.first(), None | Some(b'#' | b'\r')) {
            continue;
        }
        let mut parts = text.split(|byte| *byte == b':');
        let user = parts.next().unwrap_or_default();
        let hash = parts.next().map(|hash| hash.split(|byte| *byte == b'\r').next().unwrap_or_default());
        match fault(user, hash, users.get(user).copied()) {
            Some((what, help)) => faults.push(Fault { line, what, help }),
            None => _ = users.insert(user, line),
        }
    }
    faults
}

/// The predicate and the help about a line that lets nobody in. `first`: the line that has the user already.
fn fault(user: &[u8], hash: Option<&[u8]>, first: Option<usize>) -> Option<(String, &'static str)> {
    let say = |what: &str, help| Some((what.to_owned(), help));
    let is_blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    let Some(hash) = hash else { return say("has no \":\" behind the name", MAKE) };
    if user.starts_with("\u{feff}".as_bytes()) {
        return say("begins with a byte order mark", "save the file without one");
    }
    if is_blank(user.first()) || is_blank(user.last()) {
        return say("has a blank beside the name", "it counts as a part of the name");
    }
    if hash.is_empty() {
        return say("has no hash", MAKE);
    }
    if let Some(first) = first {
        return Some((format!("has the name of line {first}"), "the first line of a name counts"));
    }
    if is_blank(hash.last()) && !hash.starts_with(b"{PLAIN}") {
        return say("has a blank behind the hash", "it counts as a part of the hash");
    }
    match check_form(hash) {
        Ok(()) => None,
        Err(Unusable::Unknown) => {
            say("has no hash of a known form", "a password as it is needs {PLAIN} in front of it")
        }
        Err(Unusable::Broken) => say("has a hash that is not whole", "no password can fit: make it anew"),
        Err(Unusable::Foreign(name)) => {
            Some((format!("has a hash of {name}, which is not compared here"), "make it anew with \"htpasswd -B\""))
        }
    }
}

/// The hash in the first line of `user` (`ngx_http_auth_basic_handler`).
pub fn find<'f>(file: &'f [u8], user: &[u8]) -> Option<&'f [u8]> {
    // Such a line is a comment, and no name holds the end of a line.
    if matches!(user.first(), Some(b'#' | b'\r')) || user.contains(&b'\n') {
        return None;
    }
    let name = [user, b":"].concat();
    let begins_line = |at: &usize| at.checked_sub(1).is_none_or(|before| file.get(before) == Some(&b'\n'));
    // An event loop waits for it, and the file may have many megabytes.
    let at = memchr::memmem::find_iter(file, &name).find(begins_line)?;
    file.get(at + name.len()..)?.split(|byte| matches!(byte, b':' | b'\r' | b'\n')).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_let_nobody_in_are_found_and_not_shown() {
        let good = "# comment\n\n\r\nbob:abNANd1rDfiNc\nal:{PLAIN}a b :comment\r\nlocked:*\n\
                    two:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=:x";
        assert_eq!(faults(good.as_bytes()), []);
        for (text, what) in [
            ("bob", "has no \":\" behind the name"),
            ("bob:", "has no hash"),
            ("bob:\r", "has no hash"),
            ("bob::comment", "has no hash"),
            (" bob:abNANd1rDfiNc", "has a blank beside the name"),
            ("bob :abNANd1rDfiNc", "has a blank beside the name"),
            ("\u{feff}bob:abNANd1rDfiNc", "begins with a byte order mark"),
            ("bob:abNANd1rDfiNc ", "has a blank behind the hash"),
            ("bob:secret", "has no hash of a known form"),
            ("bob:$apr1$abcdefgh$h9FWgUz3n9YxylKL", "has a hash that is not whole"),
            ("bob:$y$j9T$a$b", "has a hash of yescrypt, which is not compared here"),
        ] {
            let found = faults(format!("a:*\n{text}\nb:*").as_bytes());
            let found: Vec<(usize, &str)> = found.iter().map(|fault| (fault.line, &*fault.what)).collect();
            assert_eq!(found, [(2, what)], "{text}");
        }
        let twice = faults(b"bob:abNANd1rDfiNc\nal:*\nbob:*");
        assert_eq!((twice[0].line, &*twice[0].what), (3, "has the name of line 1"));
    }

    /// With a list of names in the place of a map the test takes minutes.
    #[test]
    fn a_long_file_is_looked_at_line_by_line() {
        let file: String = (0..200_000).map(|n| format!("user{n}:*\n")).collect();
        assert_eq!(faults(file.as_bytes()), []);
    }

    #[test]
    fn a_user_is_found_in_the_last_of_many_lines() {
        let mut file: String = (0..30_000).map(|n| format!("user{n}:{{PLAIN}}last{n}:a\n")).collect();
        file.push_str("last:hash");
        assert_eq!(find(file.as_bytes(), b"last"), Some(&b"hash"[..]));
        assert_eq!(find(file.as_bytes(), b"user29999"), Some(&b"{PLAIN}last29999"[..]));
        assert_eq!(find(file.as_bytes(), b"ast"), None);
    }

    #[test]
    fn the_first_line_of_the_user_counts() {
        let file = b"# bob:comment\nbobby:1\nbob:2:a comment: here\nbob:3\n\n\r\nal\r\n#x:8\ncr:4\r\nempty:\nlast:5";
        for (user, hash) in [
            ("bob", Some("2")),
            ("bobby", Some("1")),
            ("cr", Some("4")),
            ("empty", Some("")),
            ("last", Some("5")),
            ("al", None),
            ("bo", None),
            ("#x", None),
            ("", None),
            ("a comment", None),
            ("\nbob", None),
            ("al\n#x", None),
            ("ob", None),
        ] {
            assert_eq!(find(file, user.as_bytes()), hash.map(str::as_bytes), "{user}");
        }
    }
}

//! The lines of a password file: `USER:HASH`, a comment behind another colon or in a line that begins with `#`.

/// The hash in the first line of `user` (`ngx_http_auth_basic_handler`).
pub fn find<'f>(file: &'f [u8], user: &[u8]) -> Option<&'f [u8]> {
    file.split(|byte| *byte == b'\n').find_map(|line| {
        let is_comment = matches!(line.first(), Some(b'#' | b'\r'));
        let rest = line.strip_prefix(user)?.strip_prefix(b":").filter(|_| !is_comment)?;
        rest.split(|byte| matches!(byte, b':' | b'\r')).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(find(file, user.as_bytes()), hash.map(str::as_bytes), "{user}");
        }
    }
}

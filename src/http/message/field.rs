//! Names of request fields: the ones the server looks at get a number, so that finding them is one array index.

macro_rules! known {
    ($($id:ident = $name:literal),* $(,)?) => {
        /// A request field the server itself reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Id { $(#[doc = concat!("The number of the field `", $name, "`.")] $id),* }

        impl Id {
            /// How many there are.
            pub const COUNT: usize = [$(Id::$id),*].len();
            /// All of them, in the order of their numbers.
            pub const ALL: [Id; Self::COUNT] = [$(Id::$id),*];

            /// The name in lower case.
            pub fn name(self) -> &'static str {
                match self { $(Id::$id => $name),* }
            }
        }
    };
}

known! {
    Accept = "accept",
    AcceptEncoding = "accept-encoding",
    AcceptLanguage = "accept-language",
    Authorization = "authorization",
    Connection = "connection",
    ContentLength = "content-length",
    ContentRange = "content-range",
    ContentType = "content-type",
    Cookie = "cookie",
    Expect = "expect",
    Host = "host",
    IfMatch = "if-match",
    IfModifiedSince = "if-modified-since",
    IfNoneMatch = "if-none-match",
    IfRange = "if-range",
    IfUnmodifiedSince = "if-unmodified-since",
    KeepAlive = "keep-alive",
    Range = "range",
    Referer = "referer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XForwardedFor = "x-forwarded-for",
    XRealIp = "x-real-ip",
}

impl Id {
    /// The number of a field name, in any case.
    pub fn of(name: &[u8]) -> Option<Self> {
        let id = match (name.len(), name.first()? | 0x20) {
            (3, b'v') => Self::Via,
            (4, b'h') => Self::Host,
            (5, b'r') => Self::Range,
            (6, b'a') => Self::Accept,
            (6, b'c') => Self::Cookie,
            (6, b'e') => Self::Expect,
            (7, b'r') => Self::Referer,
            (7, b'u') => Self::Upgrade,
            (8, b'i') if name[3] | 0x20 == b'm' => Self::IfMatch,
            (8, b'i') => Self::IfRange,
            (9, b'x') => Self::XRealIp,
            (10, b'u') => Self::UserAgent,
            (10, b'c') => Self::Connection,
            (10, b'k') => Self::KeepAlive,
            (12, b'c') => Self::ContentType,
            (13, b'a') => Self::Authorization,
            (13, b'c') => Self::ContentRange,
            (13, b'i') => Self::IfNoneMatch,
            (14, b'c') => Self::ContentLength,
            (15, b'a') if name[7] | 0x20 == b'e' => Self::AcceptEncoding,
            (15, b'a') => Self::AcceptLanguage,
            (15, b'x') => Self::XForwardedFor,
            (17, b'i') => Self::IfModifiedSince,
            (17, b't') => Self::TransferEncoding,
            (19, b'i') => Self::IfUnmodifiedSince,
            _ => return None,
        };
        is_name(name, id.name()).then_some(id)
    }

    /// Whether a second field of this name is an error (nginx: ngx_http_process_unique_header_line). Lists may come in
    /// several lines (RFC 9110 section 5.3), and so If-Match, If-None-Match and Expect may here; of Transfer-Encoding,
    /// whose list can hold a single coding only, another line is what two servers in a chain read differently.
    pub fn is_unique(self) -> bool {
        matches!(
            self,
            Self::Authorization
                | Self::ContentLength
                | Self::ContentRange
                | Self::Host
                | Self::IfModifiedSince
                | Self::IfRange
                | Self::IfUnmodifiedSince
                | Self::TransferEncoding
        )
    }
}

/// Whether a token is this name of letters and hyphens, in lower case. A third of the cost of `eq_ignore_ascii_case`,
/// which works for all bytes: of those of a token, only letters become others here.
fn is_name(token: &[u8], name: &str) -> bool {
    let difference = |all, (byte, wanted): (&u8, &u8)| all | ((byte | 0x20) ^ wanted);
    token.len() == name.len() && token.iter().zip(name.as_bytes()).fold(0, difference) == 0
}

/// The elements of a comma-separated list without white space around them; empty ones are left out (RFC 9110 section
/// 5.6.1).
pub fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|b| *b == b',').map(trim).filter(|e| !e.is_empty())
}

/// Without the optional white space (SP, HTAB) at both ends.
pub fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for id in Id::ALL {
            assert_eq!(Id::of(id.name().as_bytes()), Some(id));
            assert_eq!(Id::of(id.name().to_ascii_uppercase().as_bytes()), Some(id));
            let mut other = id.name().to_owned();
            other.pop();
            other.push('!');
            assert_eq!(Id::of(other.as_bytes()), None);
        }
        assert_eq!(Id::of(b""), None);
    }

    #[test]
    fn list_elements_are_trimmed_and_empty_ones_left_out() {
        assert_eq!(elements(b" a ,,b\t,  ,c d").collect::<Vec<_>>(), [&b"a"[..], b"b", b"c d"]);
        assert_eq!(elements(b"").count(), 0);
    }
}

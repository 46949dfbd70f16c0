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
        match (name.len(), name.first()? | 0x20) {
            (3, b'v') => Self::Via.named(name),
            (4, b'h') => Self::Host.named(name),
            (5, b'r') => Self::Range.named(name),
            (6, b'a') => Self::Accept.named(name),
            (6, b'c') => Self::Cookie.named(name),
            (6, b'e') => Self::Expect.named(name),
            (7, b'r') => Self::Referer.named(name),
            (7, b'u') => Self::Upgrade.named(name),
            (8, b'i') if name[3] | 0x20 == b'm' => Self::IfMatch.named(name),
            (8, b'i') => Self::IfRange.named(name),
            (9, b'x') => Self::XRealIp.named(name),
            (10, b'u') => Self::UserAgent.named(name),
            (10, b'c') => Self::Connection.named(name),
            (10, b'k') => Self::KeepAlive.named(name),
            (12, b'c') => Self::ContentType.named(name),
            (13, b'a') => Self::Authorization.named(name),
            (13, b'c') => Self::ContentRange.named(name),
            (13, b'i') => Self::IfNoneMatch.named(name),
            (14, b'c') => Self::ContentLength.named(name),
            (15, b'a') if name[7] | 0x20 == b'e' => Self::AcceptEncoding.named(name),
            (15, b'a') => Self::AcceptLanguage.named(name),
            (15, b'x') => Self::XForwardedFor.named(name),
            (17, b'i') => Self::IfModifiedSince.named(name),
            (17, b't') => Self::TransferEncoding.named(name),
            (19, b'i') => Self::IfUnmodifiedSince.named(name),
            _ => None,
        }
    }

    /// The id, if `name` is its name. In a copy for each id, which has the letters of the name in its instructions.
    #[inline(always)]
    fn named(self, name: &[u8]) -> Option<Self> {
        is_name(name, self.name()).then_some(self)
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

/// Whether a text is this name of letters and hyphens, which is in lower case. By words, since each request has such
/// names: of a constant name that leaves a comparison or two.
#[inline(always)]
fn is_name(text: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    if text.len() != name.len() {
        return false;
    }
    if let (Some(end), Some(name_end)) = (text.last_chunk(), name.last_chunk()) {
        let mut front = text.as_chunks().0.iter().zip(name.as_chunks().0);
        let is_word = |text: &[u8; 8], name: &[u8; 8]| is_word(u64::from_le_bytes(*text), u64::from_le_bytes(*name));
        return is_word(end, name_end) && front.all(|(text, name)| is_word(text, name));
    }
    match (ends(text), ends(name)) {
        (Some(text), Some(name)) => is_word(text, name),
        _ => text.eq_ignore_ascii_case(name),
    }
}

/// The first four bytes of a text, and the last four.
#[inline(always)]
fn ends(text: &[u8]) -> Option<u64> {
    let (first, last) = (text.first_chunk()?, text.last_chunk()?);
    Some(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32)
}

/// The same for eight bytes: those that are letters in the name, and have a bit that the hyphen lacks, may be capitals.
#[inline(always)]
fn is_word(text: u64, name: u64) -> bool {
    let of_letters = (name & 0x4040_4040_4040_4040) >> 1;
    (text ^ name) & !of_letters == 0
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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_is_one_in_any_case_and_nothing_else_is(
            number in 0..Id::COUNT,
            at in 0usize..20,
            byte in any::<u8>(),
            is_upper in any::<bool>(),
        ) {
            let name = Id::ALL[number].name();
            let mut text = if is_upper { name.to_ascii_uppercase() } else { name.to_owned() }.into_bytes();
            if let Some(place) = text.get_mut(at) {
                *place = byte;
            }
            prop_assert_eq!(is_name(&text, name), text.eq_ignore_ascii_case(name.as_bytes()));
        }
    }

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

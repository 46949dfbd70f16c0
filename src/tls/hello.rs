//! A ClientHello, read before rustls sees it: the server is chosen by the name in it, as in nginx, and rustls begins
//! with the settings of that server. The bytes come from strangers: the parser takes any, and says at most that they
//! are none.

/// The longest hello: rustls takes no longer message of a handshake.
const LONGEST: usize = 0xffff;

/// Bytes in front of the fragment of a record (RFC 8446, 5.1), and in front of a message of the handshake (4).
const RECORD_HEAD: usize = 5;
const MESSAGE_HEAD: usize = 4;

/// The place of the type of the first message.
pub const TYPE_AT: usize = RECORD_HEAD;

/// The longest fragment of a record without encryption.
const LONGEST_FRAGMENT: usize = 1 << 14;

/// The most records that a hello may be cut into: each byte that comes later walks over them all.
const MOST_RECORDS: usize = 1024;

/// The content type of a record of the handshake, and the type of a ClientHello.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Numbers of extensions (IANA, "TLS ExtensionType Values").
const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// The parts of a ClientHello by which a server and its settings are chosen, and that variables show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The name of the server, byte for byte as the client sent it.
    pub server_name: Option<Vec<u8>>,
    /// The protocols of ALPN, in the client's order.
    pub protocols: Vec<Vec<u8>>,
    /// The versions, in the client's order; that of the message's head where the client lists none.
    pub versions: Vec<u16>,
    /// The cipher suites, in the client's order.
    pub ciphers: Vec<u16>,
    /// The groups for the exchange of keys, in the client's order.
    pub groups: Vec<u16>,
    /// The signature schemes, in the client's order.
    pub signatures: Vec<u16>,
    /// The id of the session that the client would like to resume.
    pub session_id: Vec<u8>,
}

/// The outcome for bytes that may be a ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parse {
    /// More bytes are needed.
    Partial,
    /// The hello is whole.
    Whole(Box<Hello>),
    /// The bytes are no ClientHello: rustls knows the alert for them.
    Not,
}

/// Whether a connection that begins with this byte speaks TLS, or SSL (nginx: ngx_http_ssl_handshake).
pub fn begins(byte: u8) -> bool {
    byte == HANDSHAKE || byte >= 0x80
}

/// Parses the first bytes of a connection.
pub fn parse(bytes: &[u8]) -> Parse {
    let message = match message(bytes) {
        Ok(Some(message)) => message,
        Ok(None) => return Parse::Partial,
        Err(NotHello) => return Parse::Not,
    };
    match Reader(&message).hello() {
        Some(hello) => Parse::Whole(Box::new(hello)),
        None => Parse::Not,
    }
}

struct NotHello;

/// The body of the first message, from the fragments of the records that it is cut into. `None`: it is not whole.
fn message(bytes: &[u8]) -> Result<Option<Vec<u8>>, NotHello> {
    let Some(whole) = message_end(bytes)? else { return Ok(None) };
    let mut message = Vec::with_capacity(whole);
    for fragment in Fragments(bytes) {
        message.extend_from_slice(fragment?.0);
        if message.len() >= whole {
            break;
        }
    }
    message.truncate(whole);
    message.drain(..MESSAGE_HEAD);
    Ok(Some(message))
}

/// The length of the first message with its head, once all of it is there. Looks at no byte but those of the heads:
/// a hello may come byte by byte.
fn message_end(bytes: &[u8]) -> Result<Option<usize>, NotHello> {
    let (mut have, mut head, mut filled) = (0, [0; MESSAGE_HEAD], 0);
    for (n, fragment) in Fragments(bytes).enumerate() {
        let (fragment, is_whole) = fragment?;
        if n == MOST_RECORDS {
            return Err(NotHello);
        }
        for byte in fragment.iter().take(MESSAGE_HEAD - filled) {
            head[filled] = *byte;
            filled += 1;
        }
        have += fragment.len();
        if filled > 0 && head[0] != CLIENT_HELLO {
            return Err(NotHello);
        }
        if filled == MESSAGE_HEAD {
            let [_, high, middle, low] = head.map(usize::from);
            let length = high << 16 | middle << 8 | low;
            if length > LONGEST {
                return Err(NotHello);
            }
            if have >= MESSAGE_HEAD + length && is_whole {
                return Ok(Some(MESSAGE_HEAD + length));
            }
        }
    }
    Ok(None)
}

/// The fragments of the records, and whether each is all there.
struct Fragments<'a>(&'a [u8]);

impl<'a> Iterator for Fragments<'a> {
    type Item = Result<(&'a [u8], bool), NotHello>;

    fn next(&mut self) -> Option<Self::Item> {
        let [kind, ..] = self.0 else { return None };
        if *kind != HANDSHAKE || self.0.get(1).is_some_and(|major| *major != 3) {
            self.0 = &[];
            return Some(Err(NotHello));
        }
        let (head, rest) = self.0.split_at_checked(RECORD_HEAD)?;
        let length = usize::from(head[3]) << 8 | usize::from(head[4]);
        // An empty record of the handshake is forbidden (RFC 8446, 5.1), and would make the walk a long one.
        if length == 0 || length > LONGEST_FRAGMENT {
            self.0 = &[];
            return Some(Err(NotHello));
        }
        let is_whole = rest.len() >= length;
        let (fragment, rest) = rest.split_at(length.min(rest.len()));
        self.0 = rest;
        Some(Ok((fragment, is_whole)))
    }
}

/// The bytes that have not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// A vector, behind its length in `bytes` bytes (RFC 8446, 3.4).
    fn vector(&mut self, bytes: usize) -> Option<Reader<'a>> {
        let length = self.number(bytes)?;
        self.take(length).map(Reader)
    }

    /// All that is left, as numbers of 16 bits.
    fn numbers(mut self) -> Option<Vec<u16>> {
        let mut numbers = Vec::with_capacity(self.0.len() / 2);
        while !self.0.is_empty() {
            numbers.push(self.number(2)? as u16);
        }
        Some(numbers)
    }

    /// The message (RFC 8446, 4.1.2).
    fn hello(&mut self) -> Option<Hello> {
        let version = self.number(2)? as u16;
        let _random = self.take(32)?;
        let session_id = self.vector(1)?.0.to_vec();
        let ciphers = self.vector(2)?.numbers()?;
        let _compressions = self.vector(1)?;
        let mut hello = Hello { session_id, ciphers, versions: vec![version], ..Hello::default() };
        if self.0.is_empty() {
            return Some(hello);
        }
        let mut extensions = self.vector(2)?;
        while !extensions.0.is_empty() {
            let number = extensions.number(2)? as u16;
            let mut content = extensions.vector(2)?;
            match number {
                SERVER_NAME => hello.server_name = content.server_name()?,
                SUPPORTED_GROUPS => hello.groups = content.vector(2)?.numbers()?,
                SIGNATURE_ALGORITHMS => hello.signatures = content.vector(2)?.numbers()?,
                ALPN => hello.protocols = content.vector(2)?.protocols()?,
                SUPPORTED_VERSIONS => hello.versions = content.vector(1)?.numbers()?,
                _ => {}
            }
        }
        Some(hello)
    }

    /// The first name of the type `host_name` (RFC 6066, 3).
    fn server_name(&mut self) -> Option<Option<Vec<u8>>> {
        let mut list = self.vector(2)?;
        while !list.0.is_empty() {
            let kind = list.number(1)?;
            let name = list.vector(2)?;
            if kind == 0 {
                return Some(Some(name.0.to_vec()));
            }
        }
        Some(None)
    }

    fn protocols(mut self) -> Option<Vec<Vec<u8>>> {
        let mut protocols = Vec::new();
        while !self.0.is_empty() {
            protocols.push(self.vector(1)?.0.to_vec());
        }
        Some(protocols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vector(bytes: usize, content: &[u8]) -> Vec<u8> {
        let length = content.len().to_be_bytes();
        [&length[length.len() - bytes..], content].concat()
    }

    fn extension(number: u16, content: &[u8]) -> Vec<u8> {
        [&number.to_be_bytes()[..], &vector(2, content)].concat()
    }

    fn message(padding: usize) -> Vec<u8> {
        let extensions = [
            extension(SERVER_NAME, &vector(2, &[&[0][..], &vector(2, b"A.example")].concat())),
            extension(ALPN, &vector(2, &[vector(1, b"h2"), vector(1, b"http/1.1")].concat())),
            extension(SUPPORTED_GROUPS, &vector(2, &[0, 29, 0, 23])),
            extension(SIGNATURE_ALGORITHMS, &vector(2, &[4, 3])),
            extension(SUPPORTED_VERSIONS, &vector(1, &[3, 4, 3, 3])),
            extension(21, &vec![0; padding]),
        ];
        let body = [
            &[3, 3][..],
            &[7; 32],
            &vector(1, &[1, 2]),
            &vector(2, &[0x13, 1, 0x13, 2]),
            &[1, 0],
            &vector(2, &extensions.concat()),
        ];
        [&[CLIENT_HELLO][..], &vector(3, &body.concat())].concat()
    }

    fn records(message: &[u8], fragment: usize) -> Vec<u8> {
        let record = |fragment: &[u8]| [&[HANDSHAKE, 3, 1][..], &vector(2, fragment)].concat();
        message.chunks(fragment).flat_map(record).collect()
    }

    fn whole() -> Hello {
        Hello {
            server_name: Some(b"A.example".to_vec()),
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            versions: vec![0x304, 0x303],
            ciphers: vec![0x1301, 0x1302],
            groups: vec![29, 23],
            signatures: vec![0x403],
            session_id: vec![1, 2],
        }
    }

    #[test]
    fn a_hello_is_read_however_it_is_cut() {
        for fragment in [1, 3, 4, 5, 100, LONGEST_FRAGMENT] {
            let bytes = records(&message(10), fragment);
            assert_eq!(parse(&bytes), Parse::Whole(Box::new(whole())), "{fragment}");
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Parse::Partial, "{end} bytes of records of {fragment}");
            }
        }
    }

    #[test]
    fn a_hello_may_be_as_long_as_rustls_takes_it() {
        let short = message(0);
        let longest = message(LONGEST + MESSAGE_HEAD - short.len());
        assert_eq!(longest.len(), LONGEST + MESSAGE_HEAD);
        let records = |message: &[u8]| records(message, LONGEST_FRAGMENT);
        assert_eq!(parse(&records(&longest)), Parse::Whole(Box::new(whole())));
        let mut longer = longest;
        (longer[1], longer[2], longer[3]) = (1, 0, 0);
        longer.push(0);
        assert_eq!(parse(&records(&longer)), Parse::Not);
    }

    #[test]
    fn other_bytes_are_no_hello() {
        let hello = records(&message(0), 1 << 14);
        for (at, byte) in [(0, 23), (1, 2), (3, 0xff), (5, 2), (8, 0)] {
            let mut bytes = hello.clone();
            bytes[at] = byte;
            assert_eq!(parse(&bytes), Parse::Not, "byte {at} is {byte}");
        }
        assert_eq!(parse(&[HANDSHAKE, 3, 1, 0, 0]), Parse::Not, "an empty record");
        assert_eq!(parse(&records(&message(2000), 1)), Parse::Not, "too many records");
        assert_eq!(parse(b"\x80\x2e\x01\x03\x01"), Parse::Not, "SSL 2");
        assert_eq!(parse(b""), Parse::Partial);
        assert!(begins(0x16) && begins(0x80) && !begins(b'G'));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..150) {
            parse(&bytes);
            let mut hello = message(10);
            let end = hello.len();
            hello.splice(at.min(end)..(at + 4).min(end), bytes);
            parse(&records(&hello, 1 << 14));
        }

        #[test]
        fn a_beginning_of_a_hello_is_never_refused(end in 0usize..4000, fragment in 1usize..300) {
            let bytes = records(&message(300), fragment);
            prop_assert_ne!(parse(&bytes[..end.min(bytes.len())]), Parse::Not);
        }
    }
}

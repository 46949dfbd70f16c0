//! The framing of HTTP/2, and its compression of fields.

use crate::target::Target;
use drover::http::h2::connection::{Connection, Event, Options};
use drover::http::h2::fault::Fault;
use drover::http::h2::frame::PREFACE;
use drover::http::h2::hpack::{Decoder, Encoder, Error};
use drover::http::message::head::Limits;
use drover::http::message::request_fields::RequestFields;

const FRAMES: &[&str] = &[
    "\0\0\0\x04\0\0\0\0\0",
    "\0\0\0\x04\x01\0\0\0\0",
    "\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\x01",
    "\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0",
    "\0\0\x04\x01\x05\0\0\0\x01",
    "\0\0\x06\x01\x05\0\0\0\x03\x02\x06\x04\x01\x01h",
    "\0\0\x06\x01\x04\0\0\0\x05\x02\x06\x04\x01\x01h",
    "\0\0\x02\x01\0\0\0\0\x07\x02\x06",
    "\0\0\x04\x09\x04\0\0\0\x07\x04\x01\x01h",
    "\0\0\x03\0\x01\0\0\0\x05abc",
    "\0\0\x03\0\x08\0\0\0\x05\x01ab",
    "\0\0\x04\x03\0\0\0\0\x03\0\0\0\x08",
    "\0\0\x05\x02\0\0\0\0\x03\0\0\0\0\x10",
    "\0\0\x08\x06\0\0\0\0\0abcdefgh",
    "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0",
    "\0\0\x04\x08\0\0\0\0\0\0\0\0\x01",
    "\0\0\x04\x08\0\0\0\0\x01\x7f\x7f\x7f\x7f",
    "\0\0\0\x63\0\0\0\0\0",
];

pub(crate) const FRAMING: Target = Target {
    name: "frames",
    new: || Box::new(framing),
    seeds: &[
        b"\0\0\0\x04\0\0\0\0\0\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x01\x01h",
        b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\x05\0\0\x07\x01\x04\0\0\0\x01\x83\x86\x84\x01\x01h\x90\
          \0\0\x03\0\0\0\0\0\x01abc\0\0\x04\x01\x05\0\0\0\x01\x40\x01a\x01b",
        b"\0\0\0\x04\0\0\0\0\0\0\0\x02\x01\x01\0\0\0\x01\x82\x86\0\0\x04\x09\x04\0\0\0\x01\x84\x01\x01h\
          \0\0\x04\x08\0\0\0\0\x01\0\0\0\x05\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08",
    ],
    words: FRAMES,
};

/// The other end of a connection.
struct Peer {
    connection: Connection<u32>,
    fields: RequestFields,
    out: Vec<u8>,
    events: Vec<String>,
    /// Bytes that are left of what was fed.
    rest: Vec<u8>,
}

impl Peer {
    fn new() -> Peer {
        let options = Options { max_streams: 3, window: 100 };
        Peer {
            connection: Connection::new(options),
            fields: RequestFields::default(),
            out: Vec::new(),
            events: Vec::new(),
            rest: Vec::new(),
        }
    }

    /// Takes bytes, and answers requests with an odd number of bytes at once.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.rest.extend_from_slice(bytes);
        let limits = Limits { line: 100, head: 200 };
        loop {
            let Peer { connection, fields, out, rest, .. } = self;
            let Some((taken, event)) = connection.receive(rest, fields, &limits, out)? else { return Ok(()) };
            assert!(taken > 0 && taken <= rest.len());
            rest.drain(..taken);
            if let Event::Request(request) = &event {
                let text = &fields.text;
                let head = &fields.head;
                assert!(
                    head.fields.iter().all(|field| field.name.end() <= text.len() && field.value.end() <= text.len())
                );
                assert!(head.line.end() <= text.len() && text.len() < 1000);
                connection.open(request, None, request.stream);
                if request.len % 2 == 1 {
                    connection.put_head(request.stream, 200, b"HTTP/1.1 200 OK\r\nA: b\r\n", true, out);
                    let place = connection.place_of(request.stream).expect("the stream is open");
                    assert_eq!(connection.close(place, out), Some(request.stream));
                }
            }
            self.events.push(format!("{event:?}"));
        }
    }
}

/// Frames that arrive in two pieces have the events, and get the answers, of those that arrive at once; whatever comes,
/// a client has no more streams than it may.
fn framing(input: &[u8]) {
    let cut = input.iter().fold(7usize, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    let cut = cut % (input.len() + 1);
    let (mut whole, mut pieces) = (Peer::new(), Peer::new());
    let at_once = whole.feed(&[PREFACE, input].concat());
    let in_pieces =
        pieces.feed(PREFACE).and_then(|()| pieces.feed(&input[..cut])).and_then(|()| pieces.feed(&input[cut..]));
    assert_eq!((at_once, &whole.events, &whole.out), (in_pieces, &pieces.events, &pieces.out));
    assert!(whole.connection.len() <= 3);
    if let Err(fault) = at_once {
        whole.connection.fail(fault, &mut whole.out);
        assert!(!fault.to_string().is_empty());
    }
}

pub(crate) const HPACK: Target = Target {
    name: "hpack",
    new: || Box::new(hpack),
    seeds: &[
        b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
        b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
        b"\x20\x3f\xe1\x1f\x40\x01a\x01b\xbe\x10\x01c\x02de",
    ],
    words: &["\x20", "\x3f", "\x40\x01a\x01b", "\x0f\x2f\x03abc", "\x10\x01a\x01b", "\x7f\x01", "\x7f\x7f\x7f\x7f"],
};

/// The fields of a block come back when they are packed again, and the same block in two pieces, cut behind a field,
/// unpacks to the same.
fn hpack(input: &[u8]) {
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut scratch = Vec::new();
    let result =
        Decoder::default().decode(input, &mut scratch, |name, value| fields.push((name.to_vec(), value.to_vec())));
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }
    let mut packed = Vec::new();
    let encoder = Encoder::default();
    fields.iter().for_each(|(name, value)| encoder.field(name, value, &mut packed));
    let mut again = fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let same = |name: &[u8], value: &[u8]| assert_eq!(again.next(), Some((name.to_vec(), value.to_vec())));
    assert_eq!(Decoder::default().decode(&packed, &mut scratch, same), Ok(()));
    assert_eq!(again.next(), None);
    let cut = input.len() / 2;
    let (mut first, mut count) = (Decoder::default(), 0);
    let pieces = first.decode(&input[..cut], &mut scratch, |_, _| count += 1);
    if pieces.and_then(|()| first.decode(&input[cut..], &mut scratch, |_, _| count += 1)).is_ok() {
        assert!(result == Err(Error::TableSize) || result.is_ok() && count == fields.len());
    }
}

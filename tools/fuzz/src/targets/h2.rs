//! The framing of HTTP/2, and its compression of fields.

use drover::http::h2::connection::{Connection, Event, Options};
use drover::http::h2::fault::Fault;
use drover::http::h2::frame::PREFACE;
use drover::http::h2::hpack::{Decoder, Encoder, Error};
use drover::http::message::head::{Framing, Limits};
use drover::http::message::request_fields::RequestFields;

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
                let length = match head.framing {
                    Framing::Length(length) => Some(length),
                    _ => None,
                };
                connection.open(request, length, request.stream);
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

/// Frames that arrive in two pieces, or byte by byte, have the events, and get the answers, of those that arrive at
/// once; whatever comes, a client has no more streams than it may.
pub(super) fn framing(input: &[u8]) {
    let cut = crate::target::place_in(input, input.len() + 1);
    let mut whole = Peer::new();
    let at_once = whole.feed(&[PREFACE, input].concat());
    let bytes: Vec<&[u8]> = input.chunks(1).take(300).chain(input.get(300..)).collect();
    for pieces in [&[&input[..cut], &input[cut..]][..], &bytes] {
        let mut peer = Peer::new();
        let result = [PREFACE].iter().chain(pieces).try_for_each(|piece| peer.feed(piece));
        assert_eq!((at_once, &whole.events, &whole.out), (result, &peer.events, &peer.out));
    }
    assert!(whole.connection.len() <= 3);
    if let Err(fault) = at_once {
        whole.connection.fail(fault, &mut whole.out);
        assert!(!fault.to_string().is_empty());
    }
}

/// The fields of a block come back when they are packed again, and the same block in two pieces, cut behind a field,
/// unpacks to the same.
pub(super) fn hpack(input: &[u8]) {
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

use super::*;
use crate::http::h2::frame::{ACK, END_HEADERS, END_STREAM, PADDED, put_head, put_window_update};
use crate::http::h2::hpack;
use proptest::prelude::*;

const OPTIONS: Options = Options { max_streams: 4, window: 65_536 };

/// A request for `/`, of the static table alone but for the host.
const GET: &[u8] = b"\x82\x86\x84\x01\x01h";

mod rests;

/// The other end of a connection.
struct Peer {
    connection: Connection<u32>,
    fields: RequestFields,
    out: Vec<u8>,
    /// Opens the streams of requests that are whole.
    opens: bool,
}

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_head(&mut out, kind, flags, stream, payload.len());
    out.extend_from_slice(payload);
    out
}

fn get(stream: u32) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | END_STREAM, stream, GET)
}

fn post(stream: u32, more: &[u8]) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS, stream, &[b"\x83", &GET[1..], more].concat())
}

impl Peer {
    /// Before the preface.
    fn fresh() -> Peer {
        Peer { connection: Connection::new(OPTIONS), fields: RequestFields::default(), out: Vec::new(), opens: true }
    }

    /// After the preface and the settings of both.
    fn new() -> Peer {
        let mut peer = Peer::fresh();
        peer.take(PREFACE).unwrap();
        peer.take(&frame(Kind::Settings, 0, 0, b"")).unwrap();
        peer.take(&frame(Kind::Settings, ACK, 0, b"")).unwrap();
        peer.out.clear();
        peer
    }

    /// Sends bytes; returns the events that mean something, as text, and how many bytes are left.
    fn feed(&mut self, mut bytes: &[u8]) -> Result<(Vec<String>, usize), Fault> {
        let mut events = Vec::new();
        loop {
            let Peer { connection, fields, out, opens } = self;
            let Some((taken, event)) = connection.receive(bytes, fields, &Limits::default(), out)? else {
                return Ok((events, bytes.len()));
            };
            bytes = &bytes[taken..];
            if let Event::Request(request) = &event
                && *opens
            {
                let length = match self.fields.head.framing {
                    crate::http::message::head::Framing::Length(length) => Some(length),
                    _ => None,
                };
                connection.open(request, length, request.stream);
            }
            if event != Event::Nothing {
                events.push(format!("{event:?}"));
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, Fault> {
        let (events, left) = self.feed(bytes)?;
        assert_eq!(left, 0);
        Ok(events)
    }

    /// The code of the fault that these bytes are.
    fn code(bytes: &[&[u8]]) -> Option<Code> {
        Peer::new().take(&bytes.concat()).err().map(Fault::code)
    }

    /// The frames that have been sent: type, flags, stream, payload.
    fn sent(&mut self) -> Vec<(Kind, u8, u32, Vec<u8>)> {
        let mut frames = Vec::new();
        let out = std::mem::take(&mut self.out);
        let mut rest = &out[..];
        while let Some(head) = Head::parse(rest) {
            frames.push((head.kind.unwrap(), head.flags, head.stream, rest[HEAD_LEN..HEAD_LEN + head.len].to_vec()));
            rest = &rest[HEAD_LEN + head.len..];
        }
        assert!(rest.is_empty());
        frames
    }

    /// The streams that have been reset, and why.
    fn resets(&mut self) -> Vec<(u32, u32)> {
        let sent = self.sent().into_iter();
        sent.filter(|(kind, ..)| *kind == Kind::RstStream)
            .map(|(_, _, stream, code)| (stream, u32::from_be_bytes(code.try_into().unwrap())))
            .collect()
    }
}

#[test]
fn the_preface_is_answered_with_settings() {
    let mut peer = Peer::fresh();
    assert_eq!(peer.feed(&PREFACE[..10]), Ok((Vec::new(), 10)));
    assert_eq!(peer.sent(), []);
    peer.take(&[PREFACE, &frame(Kind::Settings, 0, 0, b"")].concat()).unwrap();
    let settings = b"\0\x03\0\0\0\x04\0\x04\0\x01\0\0".to_vec();
    assert_eq!(peer.sent(), [(Kind::Settings, 0, 0, settings), (Kind::Settings, ACK, 0, Vec::new())]);
    assert_eq!(Peer::fresh().feed(b"PRI * HTTP/2.1"), Err(Fault::Preface));
    assert_eq!(Peer::fresh().feed(&[PREFACE, &get(1)].concat()), Err(Fault::FirstFrame));
    assert_eq!(Peer::fresh().feed(&[PREFACE, &frame(Kind::Settings, ACK, 0, b"")].concat()), Err(Fault::FirstFrame));
}

#[test]
fn a_request_is_told_whole() {
    let mut peer = Peer::new();
    let events = peer.take(&get(1)).unwrap();
    assert_eq!(events, ["Request(Request { stream: 1, ends: true, len: 6, result: Ok(()) })"]);
    assert_eq!(peer.fields.head.line.of(&peer.fields.text), b"GET / HTTP/2.0");
    let pieces = [
        frame(Kind::Headers, END_STREAM, 3, &GET[..1]),
        frame(Kind::Continuation, 0, 3, &GET[1..5]),
        frame(Kind::Continuation, 0, 3, b""),
        frame(Kind::Continuation, END_HEADERS, 3, &GET[5..]),
    ];
    let events = peer.take(&pieces.concat()).unwrap();
    assert_eq!(events, ["Request(Request { stream: 3, ends: true, len: 6, result: Ok(()) })"]);
    let padded = [b"\x02\0\0\0\0\x10", GET, b"\0\0"].concat();
    let events = peer.take(&frame(Kind::Headers, END_HEADERS | END_STREAM | PADDED | 0x20, 5, &padded)).unwrap();
    assert_eq!(events, ["Request(Request { stream: 5, ends: true, len: 6, result: Ok(()) })"]);
    assert_eq!(peer.sent(), []);
}

#[test]
fn a_body_is_counted_and_its_windows_are_given_back() {
    let mut peer = Peer::new();
    peer.take(&post(1, b"")).unwrap();
    let data = frame(Kind::Data, 0, 1, &[0; 16384]);
    assert_eq!(peer.take(&data).unwrap(), ["Body { stream: 1, bytes: 16384 }"]);
    assert_eq!(peer.sent(), []);
    peer.take(&data).unwrap();
    // The window of a stream is a byte larger than that of the connection.
    assert_eq!(
        peer.sent(),
        [
            (Kind::WindowUpdate, 0, 0, 32768u32.to_be_bytes().to_vec()),
            (Kind::WindowUpdate, 0, 1, 32768u32.to_be_bytes().to_vec())
        ]
    );
    let events = peer.take(&frame(Kind::Data, END_STREAM | PADDED, 1, b"\x03abc\0\0\0")).unwrap();
    assert_eq!(events, ["Body { stream: 1, bytes: 7 }"]);
    assert_eq!(peer.take(&frame(Kind::Data, 0, 1, b"x")).unwrap(), ["Failed(Some(1), HalfClosed(1))"]);
}

#[test]
fn trailers_end_a_body_and_mean_nothing() {
    let mut peer = Peer::new();
    let trailers = frame(Kind::Headers, END_HEADERS | END_STREAM, 1, b"\x40\x01a\x01b");
    assert_eq!(peer.take(&[post(1, b""), trailers].concat()).unwrap().len(), 1);
    assert!(peer.connection.at(0).unwrap().has_ended);
    let known = [GET, b"\xbe"].concat();
    let events = peer.take(&frame(Kind::Headers, END_HEADERS | END_STREAM, 3, &known)).unwrap();
    assert!(events[0].contains("Ok"), "the table knows the trailer: {events:?}");
    for (flags, block) in [(END_HEADERS, &b"\x00\x01a\x01b"[..]), (END_HEADERS | END_STREAM, b"\x82")] {
        let mut peer = Peer::new();
        let events = peer.take(&[post(1, b""), frame(Kind::Headers, flags, 1, block)].concat()).unwrap();
        assert_eq!(events[1], "Failed(Some(1), Trailers(1))");
        assert_eq!(peer.resets(), [(1, 1)]);
    }
}

#[test]
fn a_body_is_as_long_as_content_length_says() {
    let with_length = |length: &str| post(1, &[b"\x0f\x0d\x01", length.as_bytes()].concat());
    for (frames, fails) in [
        (vec![(END_STREAM, 3)], false),
        (vec![(0, 1), (0, 2), (END_STREAM, 0)], false),
        (vec![(END_STREAM, 2)], true),
        (vec![(0, 4)], true),
        (vec![(0, 3), (0, 1)], true),
        (vec![(END_STREAM, 0)], true),
    ] {
        let mut peer = Peer::new();
        let data = frames.iter().map(|(flags, len)| frame(Kind::Data, *flags, 1, &vec![0; *len]));
        let bytes: Vec<u8> = std::iter::once(with_length("3")).chain(data).flatten().collect();
        peer.take(&bytes).unwrap();
        assert_eq!(peer.resets() == [(1, 1)], fails, "{frames:?}");
    }
    let mut peer = Peer::new();
    let trailers = frame(Kind::Headers, END_HEADERS | END_STREAM, 1, b"");
    peer.take(&[with_length("3"), trailers].concat()).unwrap();
    assert_eq!(peer.resets(), [(1, 1)]);
}

#[test]
fn answers_keep_to_the_windows() {
    let mut peer = Peer::new();
    // INITIAL_WINDOW_SIZE 10, MAX_FRAME_SIZE 16384.
    peer.take(&frame(Kind::Settings, 0, 0, b"\0\x04\0\0\0\x0a\0\x05\0\0\x40\0")).unwrap();
    peer.take(&[get(1), get(3)].concat()).unwrap();
    peer.out.clear();
    let send = |peer: &mut Peer, place, most: usize, ends| {
        let fill = |_: &mut u32, room: usize, out: &mut Vec<u8>| {
            out.resize(out.len() + room.min(most), b'x');
            Ok(ends && room >= most)
        };
        peer.connection.put_data(place, 8192, &mut peer.out, fill).unwrap()
    };
    assert_eq!(send(&mut peer, 0, 7, false), Sent::Data(7));
    assert_eq!(send(&mut peer, 0, 7, true), Sent::Data(3));
    assert!(!peer.connection.has_room(0) && peer.connection.has_room(1));
    assert_eq!(send(&mut peer, 0, 4, true), Sent::Nothing);
    let mut update = Vec::new();
    put_window_update(&mut update, 1, 4);
    peer.take(&update).unwrap();
    assert_eq!(send(&mut peer, 0, 4, true), Sent::Last(4));
    assert_eq!(peer.connection.close(0, &mut peer.out), Some(1));
    let frames: Vec<_> =
        peer.sent().into_iter().map(|(kind, flags, stream, data)| (kind, flags, stream, data.len())).collect();
    assert_eq!(frames, [(Kind::Data, 0, 1, 7), (Kind::Data, 0, 1, 3), (Kind::Data, END_STREAM, 1, 4)]);
    // A smaller window makes that of stream 3 negative; the settings count from the first.
    assert_eq!(send(&mut peer, 0, 10, false), Sent::Data(10));
    peer.take(&frame(Kind::Settings, 0, 0, b"\0\x04\0\0\0\0")).unwrap();
    update.clear();
    put_window_update(&mut update, 3, 10);
    peer.take(&update).unwrap();
    assert!(!peer.connection.has_room(0));
    peer.take(&frame(Kind::Settings, 0, 0, b"\0\x04\0\0\0\x01")).unwrap();
    assert!(peer.connection.has_room(0));
}

#[test]
fn a_head_is_that_of_http_1_without_its_connection() {
    let mut peer = Peer::new();
    peer.take(&get(1)).unwrap();
    let lines = b"HTTP/1.1 200 OK\r\nServer: drover\r\nX-Own: a: b \r\n\r\n";
    let len = peer.connection.put_head(1, 200, lines, true, &mut peer.out);
    let sent = peer.sent();
    let (kind, flags, stream, block) = &sent[0];
    assert_eq!((*kind, *flags, *stream, block.len() + HEAD_LEN), (Kind::Headers, END_HEADERS | END_STREAM, 1, len));
    let mut fields = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    hpack::Decoder::default().decode(block, &mut Vec::new(), |n, v| fields.push((text(n), text(v)))).unwrap();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(fields, [(":status", "200"), ("server", "drover"), ("x-own", "a: b")]);
}

#[test]
fn streams_are_refused_above_the_limit_and_after_the_end() {
    let mut peer = Peer::new();
    peer.take(&[get(1), get(3), get(5), get(7)].concat()).unwrap();
    assert_eq!(peer.take(&get(9)).unwrap(), ["Failed(None, TooManyStreams)"]);
    assert_eq!(peer.resets(), [(9, 7)]);
    peer.connection.begin_end(&mut peer.out);
    assert_eq!(peer.sent()[0].3, b"\x7f\xff\xff\xff\0\0\0\0");
    peer.connection.close(0, &mut peer.out);
    assert_eq!(peer.take(&get(11)).unwrap().len(), 1, "it was on its way");
    assert_eq!(peer.take(&frame(Kind::Ping, ACK, 0, &DRAIN_PING)).unwrap(), ["DrainSeen"]);
    peer.connection.end(Code::NoError, &mut peer.out);
    assert_eq!(peer.sent()[0].3, b"\0\0\0\x0b\0\0\0\0");
    peer.connection.close(0, &mut peer.out);
    assert_eq!(peer.take(&get(13)).unwrap(), Vec::<String>::new());
    assert_eq!(peer.sent(), []);
}

#[test]
fn frames_for_closed_streams() {
    let mut peer = Peer::new();
    peer.take(&post(1, b"")).unwrap();
    peer.connection.close(0, &mut peer.out);
    let rest = [
        frame(Kind::Data, 0, 1, b"abc"),
        frame(Kind::WindowUpdate, 0, 1, b"\0\0\0\x01"),
        frame(Kind::Headers, END_HEADERS | END_STREAM, 1, b"\x00\x01a\x01b"),
        frame(Kind::RstStream, 0, 1, b"\0\0\0\x08"),
    ];
    assert_eq!(peer.take(&rest.concat()).unwrap(), Vec::<String>::new(), "it was on its way");
    assert_eq!(peer.sent(), []);
    peer.take(&get(3)).unwrap();
    peer.connection.close(0, &mut peer.out);
    peer.take(&frame(Kind::Data, 0, 3, b"abc")).unwrap();
    assert_eq!(peer.resets(), [(3, 5)]);
    peer.take(&get(5)).unwrap();
    assert_eq!(peer.take(&frame(Kind::RstStream, 0, 5, b"\0\0\0\x08")).unwrap(), ["Reset(5, 8)"]);
    assert_eq!(peer.take(&get(5)), Err(Fault::Closed(Kind::Headers, 5)));
}

#[test]
fn faults_of_frames_have_the_codes_of_the_rfc() {
    use Code::*;
    let settings = |payload: &[u8]| frame(Kind::Settings, 0, 0, payload);
    let long_block = vec![0; 16384];
    let mut many = vec![frame(Kind::Headers, 0, 1, &long_block)];
    many.extend((0..4).map(|_| frame(Kind::Continuation, 0, 1, &long_block)));
    let mut empty = vec![frame(Kind::Headers, 0, 1, b"")];
    empty.extend((0..9).map(|_| frame(Kind::Continuation, 0, 1, b"")));
    let mut too_large = Vec::new();
    put_head(&mut too_large, Kind::Data, 0, 1, MAX_PAYLOAD + 1);
    for (bytes, code) in [
        (too_large, FrameSizeError),
        (frame(Kind::Data, 0, 0, b"a"), ProtocolError),
        (frame(Kind::Data, 0, 1, b"a"), ProtocolError),
        (frame(Kind::Data, 0, 2, b"a"), ProtocolError),
        ([post(1, b""), frame(Kind::Data, PADDED, 1, b"\x01")].concat(), ProtocolError),
        ([post(1, b""), frame(Kind::Data, PADDED, 1, b"")].concat(), FrameSizeError),
        (frame(Kind::Headers, END_HEADERS, 0, GET), ProtocolError),
        (frame(Kind::Headers, END_HEADERS, 2, GET), ProtocolError),
        ([get(3), get(1)].concat(), ProtocolError),
        (frame(Kind::Headers, END_HEADERS | PADDED, 1, b"\x07abcdef"), ProtocolError),
        (frame(Kind::Headers, END_HEADERS | 0x20, 1, b"\0\0\0\0"), FrameSizeError),
        (frame(Kind::Headers, END_HEADERS, 1, b"\x80"), CompressionError),
        ([frame(Kind::Headers, 0, 1, GET), frame(Kind::Ping, 0, 0, &[0; 8])].concat(), ProtocolError),
        ([frame(Kind::Headers, 0, 1, GET), b"\0\0\0\x63\0\0\0\0\0".to_vec()].concat(), ProtocolError),
        ([frame(Kind::Headers, 0, 1, GET), frame(Kind::Continuation, 0, 3, b"")].concat(), ProtocolError),
        (frame(Kind::Continuation, 0, 1, b""), ProtocolError),
        (many.concat(), EnhanceYourCalm),
        (empty.concat(), EnhanceYourCalm),
        (frame(Kind::Priority, 0, 0, &[0; 5]), ProtocolError),
        (frame(Kind::Priority, 0, 1, &[0; 4]), FrameSizeError),
        (frame(Kind::RstStream, 0, 0, &[0; 4]), ProtocolError),
        (frame(Kind::RstStream, 0, 1, &[0; 4]), ProtocolError),
        (frame(Kind::RstStream, 0, 1, &[0; 3]), FrameSizeError),
        (frame(Kind::Settings, 0, 1, b""), ProtocolError),
        (frame(Kind::Settings, ACK, 0, &[0; 6]), FrameSizeError),
        (settings(&[0; 5]), FrameSizeError),
        (settings(b"\0\x02\0\0\0\x02"), ProtocolError),
        (settings(b"\0\x04\x80\0\0\0"), FlowControlError),
        (settings(b"\0\x05\0\0\x3f\xff"), ProtocolError),
        (settings(b"\0\x05\x01\0\0\0"), ProtocolError),
        (frame(Kind::PushPromise, END_HEADERS, 1, &[0; 4]), ProtocolError),
        (frame(Kind::Ping, 0, 1, &[0; 8]), ProtocolError),
        (frame(Kind::Ping, 0, 0, &[0; 7]), FrameSizeError),
        (frame(Kind::GoAway, 0, 1, &[0; 8]), ProtocolError),
        (frame(Kind::GoAway, 0, 0, &[0; 7]), FrameSizeError),
        (frame(Kind::WindowUpdate, 0, 0, &[0; 4]), ProtocolError),
        (frame(Kind::WindowUpdate, 0, 0, b"\x7f\xff\xff\xff"), FlowControlError),
        (frame(Kind::WindowUpdate, 0, 1, b"\0\0\0\x01"), ProtocolError),
        (frame(Kind::WindowUpdate, 0, 0, &[0; 5]), FrameSizeError),
        (
            [get(1), frame(Kind::WindowUpdate, 0, 1, b"\x7f\0\0\0"), settings(b"\0\x04\x7f\xff\xff\xff")].concat(),
            FlowControlError,
        ),
    ] {
        assert_eq!(Peer::code(&[&bytes]), Some(code), "{}", bytes[..bytes.len().min(60)].escape_ascii());
    }
    for (bytes, code) in [
        (frame(Kind::WindowUpdate, 0, 1, &[0; 4]), ProtocolError),
        (frame(Kind::WindowUpdate, 0, 1, b"\x7f\xff\xff\xff"), FlowControlError),
        (frame(Kind::Headers, END_HEADERS | END_STREAM, 1, GET), StreamClosed),
    ] {
        let mut peer = Peer::new();
        peer.take(&[get(1), bytes].concat()).unwrap();
        assert_eq!(peer.resets(), [(1, code as u32)]);
    }
}

#[test]
fn a_flood_of_any_kind_ends() {
    let mut window = Vec::new();
    put_window_update(&mut window, 0, 1);
    let open = post(1, b"");
    for (first, flood, most) in [
        (&b""[..], frame(Kind::Ping, 0, 0, &[0; 8]), 1000),
        (b"", frame(Kind::Settings, 0, 0, b""), 99),
        (b"", frame(Kind::Priority, 0, 1, &[0; 5]), 1000),
        (&open[..], frame(Kind::Data, 0, 1, b""), 100),
        (b"", window, 2000),
        (b"", b"\0\0\0\x63\0\0\0\0\0".to_vec(), 999),
    ] {
        let mut peer = Peer::new();
        peer.take(first).unwrap();
        for _ in 0..most {
            peer.take(&flood).unwrap();
        }
        assert_eq!(peer.take(&flood).map_err(Fault::code), Err(Code::EnhanceYourCalm));
    }
    let mut peer = Peer::new();
    for n in 0..256 {
        peer.take(&[get(2 * n + 1), frame(Kind::RstStream, 0, 2 * n + 1, b"\0\0\0\x08")].concat()).unwrap();
    }
    let last = [get(513), frame(Kind::RstStream, 0, 513, b"\0\0\0\x08")].concat();
    assert_eq!(peer.take(&last), Err(Fault::Flood(Counted::Reset)), "rapid reset");
}

#[test]
fn a_list_that_unpacks_to_too_much_ends_the_connection() {
    // A field of 4 KiB in the table, and then its index twenty times.
    let value = [b'x'; 4000];
    let block = [&b"\x82\x86\x84\x01\x01h\x40\x01a\x7f\xa1\x1e"[..], &value, &[0xbe; 20]].concat();
    let events = Peer::new().take(&frame(Kind::Headers, END_HEADERS | END_STREAM, 1, &block));
    assert_eq!(events, Err(Fault::HeaderBlock));
    let block = [&b"\x82\x86\x84\x01\x01h\x40\x01a\x7f\xa1\x1e"[..], &value, &[0xbe; 10]].concat();
    let events = Peer::new().take(&frame(Kind::Headers, END_HEADERS | END_STREAM, 1, &block)).unwrap();
    assert!(events[0].contains("HeadTooLarge"), "{events:?}");
}

/// Frames of a client that knows the rules and those that don't.
fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let any_frame = (0u8..11, any::<u8>(), 0u32..8, proptest::collection::vec(any::<u8>(), 0..20)).prop_map(
        |(kind, flags, stream, payload)| {
            let mut out = vec![0, 0, payload.len() as u8, kind, flags];
            out.extend_from_slice(&stream.to_be_bytes());
            out.extend_from_slice(&payload);
            out
        },
    );
    let good = (0u32..6).prop_map(|n| get(2 * n + 1));
    let body = (0u32..6).prop_map(|n| [post(2 * n + 1, b""), frame(Kind::Data, 0, 2 * n + 1, b"abc")].concat());
    proptest::collection::vec(prop_oneof![any_frame, good, body], 0..12)
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(frames in frames(), cuts in proptest::collection::vec(0usize..400, 0..8)) {
        let bytes = [PREFACE, &frame(Kind::Settings, 0, 0, b""), &frames.concat()].concat();
        let mut whole = Peer::fresh();
        let expected = whole.feed(&bytes);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut peer = Peer::fresh();
        let (mut begin, mut events) = (0, Vec::new());
        let mut result = Ok(());
        for cut in cuts {
            match peer.feed(&bytes[begin..cut.max(begin)]) {
                Ok((more, left)) => {
                    events.extend(more);
                    begin = cut.max(begin) - left;
                }
                Err(fault) => {
                    result = Err(fault);
                    break;
                }
            }
        }
        prop_assert_eq!(result.map(|()| (events, bytes.len() - begin)), expected);
        prop_assert_eq!(peer.out, whole.out);
    }

    #[test]
    fn any_bytes_do_not_panic(bytes: Vec<u8>) {
        let _ = Peer::new().feed(&bytes);
    }
}

//! Requests that are answered before they are whole.

use super::*;

#[test]
fn the_rest_of_a_request_that_is_answered_is_dropped_up_to_a_bound() {
    let mut peer = Peer::new();
    let data = |id, flags, len| frame(Kind::Data, flags, id, &vec![0; len]);
    peer.take(&[post(1, b""), post(3, b"")].concat()).unwrap();
    peer.connection.close(0, &mut peer.out);
    peer.connection.close(0, &mut peer.out);
    peer.take(&[data(1, 0, 3), data(1, END_STREAM, 5)].concat()).unwrap();
    assert_eq!(peer.resets(), [], "curl takes one for a failure");
    let mut sent = 0;
    while peer.resets().is_empty() {
        peer.take(&data(3, 0, 16384)).unwrap();
        sent += 16384;
        assert!(sent <= 1 << 20, "the rest need not be sent");
    }
    assert_eq!(sent, 1 << 20);
    peer.take(&data(3, 0, 16384)).unwrap();
    for n in 0..9 {
        peer.take(&post(2 * n + 5, b"")).unwrap();
        peer.connection.close(0, &mut peer.out);
    }
    assert_eq!(peer.resets(), [(5, 0)], "there are too many");
}

fn data(id: u32, flags: u8, len: usize) -> Vec<u8> {
    frame(Kind::Data, flags, id, &vec![0; len])
}

/// Answers the first stream with a head and some bytes, whose end waits for the request for a second.
fn answer(peer: &mut Peer, id: u32, bytes: &[u8]) {
    let connection = &mut peer.connection;
    connection.at_mut(0).unwrap().rest_ms = Some(1000);
    connection.put_head(id, 200, b"HTTP/1.1 200 OK\r\n\r\n", bytes.is_empty(), &mut peer.out);
    if !bytes.is_empty() {
        let begin = peer.out.len();
        let fill = |_: &mut u32, _, out: &mut Vec<u8>| {
            out.extend_from_slice(bytes);
            Ok(true)
        };
        assert_eq!(connection.put_data(0, 8192, &mut peer.out, fill).unwrap(), Sent::Last(bytes.len()));
        connection.hold(0, begin, &mut peer.out);
    }
    connection.close(0, &mut peer.out);
}

/// The frames that have been sent but for windows: type, END_STREAM, stream, payload.
fn sent(peer: &mut Peer) -> Vec<(Kind, bool, u32, Vec<u8>)> {
    let frames = peer.sent().into_iter().filter(|(kind, ..)| *kind != Kind::WindowUpdate);
    frames
        .map(|(kind, flags, id, payload)| {
            let ends = matches!(kind, Kind::Headers | Kind::Data) && flags & END_STREAM != 0;
            (kind, ends, id, if kind == Kind::Headers { Vec::new() } else { payload })
        })
        .collect()
}

fn last(id: u32, bytes: &[u8]) -> (Kind, bool, u32, Vec<u8>) {
    (Kind::Data, true, id, bytes.to_vec())
}

fn no_error(id: u32) -> (Kind, bool, u32, Vec<u8>) {
    (Kind::RstStream, false, id, vec![0; 4])
}

#[test]
fn an_answer_ends_behind_its_request() {
    for bytes in [&b"text"[..], b""] {
        let trailers = frame(Kind::Headers, END_HEADERS | END_STREAM, 1, b"\x00\x01a\x01b");
        for end in [data(1, END_STREAM, 1), data(1, END_STREAM, 0), trailers] {
            let mut peer = Peer::new();
            peer.take(&post(1, b"")).unwrap();
            answer(&mut peer, 1, bytes);
            peer.take(&data(1, 0, 3)).unwrap();
            assert_eq!(sent(&mut peer), [(Kind::Headers, false, 1, Vec::new())]);
            assert_eq!((peer.connection.len(), peer.connection.held()), (0, 1));
            peer.take(&end).unwrap();
            assert_eq!(sent(&mut peer), [last(1, bytes)]);
            assert_eq!(peer.connection.held(), 0);
        }
    }
    let mut peer = Peer::new();
    peer.take(&get(1)).unwrap();
    answer(&mut peer, 1, b"");
    assert_eq!(sent(&mut peer), [(Kind::Headers, true, 1, Vec::new())], "nothing is waited for");
}

#[test]
fn an_answer_does_not_wait_for_a_silent_client() {
    let mut peer = Peer::new();
    peer.take(&[post(1, b""), post(3, b"")].concat()).unwrap();
    answer(&mut peer, 1, b"text");
    answer(&mut peer, 3, b"");
    sent(&mut peer);
    assert_eq!(peer.connection.rest_until(500), Some(1500));
    peer.take(&data(3, 0, 1)).unwrap();
    assert_eq!(peer.connection.rest_until(1000), Some(1500));
    assert!(!peer.connection.end_held(Some(1499), &mut peer.out));
    assert!(peer.connection.end_held(Some(1500), &mut peer.out));
    assert_eq!(sent(&mut peer), [last(1, b"text"), no_error(1)]);
    assert_eq!(peer.connection.rest_until(1500), Some(2000), "stream 3 has sent something");
    assert!(peer.connection.end_held(None, &mut peer.out));
    assert_eq!(sent(&mut peer), [last(3, b""), no_error(3)]);
    assert_eq!(peer.connection.rest_until(1500), None);
    peer.take(&data(1, END_STREAM, 3)).unwrap();
    assert_eq!(sent(&mut peer), [], "it was on its way");
}

#[test]
fn an_answer_ends_with_all_that_ends_its_request() {
    let mut peer = Peer::new();
    peer.take(&post(1, b"")).unwrap();
    answer(&mut peer, 1, b"text");
    sent(&mut peer);
    (0..64).for_each(|_| _ = peer.take(&data(1, 0, 16384)).unwrap());
    assert_eq!(sent(&mut peer), [last(1, b"text"), no_error(1)], "a MiB");
    peer.take(&post(3, b"")).unwrap();
    answer(&mut peer, 3, b"text");
    sent(&mut peer);
    peer.take(&frame(Kind::RstStream, 0, 3, b"\0\0\0\x08")).unwrap();
    assert_eq!((sent(&mut peer), peer.connection.held()), (Vec::new(), 0), "the client has reset it");
    for n in 0..9 {
        peer.take(&post(2 * n + 5, b"")).unwrap();
        answer(&mut peer, 2 * n + 5, b"");
    }
    let ended: Vec<_> = sent(&mut peer).into_iter().filter(|(kind, ..)| *kind != Kind::Headers).collect();
    assert_eq!(ended, [last(5, b""), no_error(5)], "there are too many");
    peer.connection.fail(Fault::Preface, &mut peer.out);
    let kinds: Vec<_> = sent(&mut peer).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [&[Kind::Data, Kind::RstStream].repeat(8)[..], &[Kind::GoAway]].concat());
}

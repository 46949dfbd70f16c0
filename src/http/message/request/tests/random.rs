//! Random heads: whatever the pieces in which they come, and whatever came before them.

use super::*;
use proptest::prelude::*;

fn any_head() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"GET ",
        b"OPTIONS ",
        b"/a",
        b"?",
        b"#",
        b"http://b/",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\n",
        b"Host: a\r\n",
        b"Connection: close\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X-A:",
        b" ",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
    ];
    let piece = proptest::sample::select(pieces.to_vec());
    let tail = proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat());
    prop_oneof![tail.clone(), tail.prop_map(|tail| [b"GET / HTTP/1.1\r\nHost: a\r\n", &tail[..], b"\r\n\r\n"].concat())]
}

proptest! {
    /// Whatever comes, however it is cut: the same outcome, but that a whole head may show an error sooner.
    #[test]
    fn pieces_give_the_same_head_as_the_whole(
        bytes in any_head(),
        cuts in proptest::collection::vec(0usize..200, 0..5),
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let whole = parse_all(&bytes);
        let mut head = Head::default();
        let mut last = Ok(Parse::Partial);
        for cut in cuts {
            last = parse(&mut head, &bytes[..cut], &Limits::default());
            if last != Ok(Parse::Partial) {
                break;
            }
        }
        match (whole, last) {
            (Ok((expected, parse)), last) => {
                prop_assert_eq!(last, Ok(parse));
                if let Parse::Complete(len) = parse {
                    prop_assert!(len <= bytes.len());
                    prop_assert_eq!(head.fields, expected.fields);
                    prop_assert_eq!(head.framing, expected.framing);
                    prop_assert_eq!(head.target, expected.target);
                    prop_assert_eq!(head.host, expected.host);
                }
            }
            (Err(reject), Err(other)) => prop_assert_eq!(reject, other),
            // The lines behind the cut are looked at when the head is complete.
            (Err(reject), Ok(parse)) => prop_assert!(parse == Parse::Partial, "{:?} {:?}", reject, parse),
        }
    }

    #[test]
    fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_all(&bytes);
        let _ = parse_all(&[b"GET / HTTP/1.1\r\n", &bytes[..], b"\r\n\r\n"].concat());
    }
}

proptest! {
    #[test]
    fn a_head_behind_others_says_what_it_says_by_itself(
        requests in proptest::collection::vec((0..6usize, 0..7usize, 1..80usize, 20..200usize), 1..8),
    ) {
        let lines = [
            "GET / HTTP/1.1",
            "GET /longer?x HTTP/1.1",
            "HEAD / HTTP/1.0",
            "OPTIONS * HTTP/1.1",
            "GET http://c/ HTTP/1.1",
            "GET / HTTP/1.9",
        ];
        let fields = [
            "Host: a\r\nAccept: */*\r\n",
            "Host: a:80\r\nAccept: */*\r\nConnection: close\r\n",
            "host: a\r\nUser-Agent:\r\nExpect: 100-continue\r\nContent-Length: 7\r\n",
            "Host: a\r\nX_Y: 1\r\nVia: b\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\n",
            "Accept: */*\r\n",
            "Host: a\r\nHost: a\r\n",
        ];
        let mut head = Head::default();
        for (line, field, split, line_max) in requests {
            let text = format!("{}\r\n{}\r\n", lines[line], fields[field]).into_bytes();
            let limits = Limits { line: line_max, head: 4 * line_max };
            let mut fresh = Head::default();
            head.clear();
            for end in [split.min(text.len()), text.len()] {
                let result = parse(&mut head, &text[..end], &limits);
                prop_assert_eq!(result, parse(&mut fresh, &text[..end], &limits));
                prop_assert_eq!(said(&head), said(&fresh));
                if result != Ok(Parse::Partial) {
                    break;
                }
            }
        }
    }
}

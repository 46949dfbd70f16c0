//! Heads that are refused: which line is to blame, and how much of them counts.

use super::*;

#[test]
fn a_refused_head_counts_up_to_its_fault() {
    let counted = |bytes: &str| {
        let mut head = Head::default();
        let reject = parse(&mut head, bytes.as_bytes(), &Limits { line: 100, head: 200 }).unwrap_err();
        head.counted_of_refused(bytes.as_bytes(), reject)
    };
    let line = "GET / HTTP/1.1\r\n";
    let to_host = line.len() + "Host: a\r\n".len();
    for front in ["", "\r\n", "\n\r\n"] {
        let of = |rest: &str| counted(&format!("{front}{line}{rest}"));
        assert_eq!(of("Host: a\r\nHost:  b \r\nA: b\r\n\r\n"), to_host + "Host:  b \r\n".len());
        assert_eq!(of("Host: a b\r\nA: b\r\n\r\n"), to_host + 2);
        assert_eq!(of("Host: a\r\nA b\r\nC: d\r\n\r\n"), to_host);
        assert_eq!(of(&format!("Host: a\r\nA: {}\r\n\r\n", "b".repeat(100))), to_host);
        assert_eq!(of(&format!("Host: a\r\nA: {}", "b".repeat(300))), to_host);
        assert_eq!(of("A: b\r\n\r\nGET"), line.len() + "A: b\r\n\r\n".len());
        assert_eq!(counted(&format!("{front}GET /a b HTTP/1.1\r\nHost: a\r\n\r\n")), 0);
    }
}

#[test]
fn a_refused_head_tells_which_line_is_to_blame() {
    let blamed = |bytes: &[u8]| {
        let mut head = Head::default();
        parse(&mut head, bytes, &Limits { line: 100, ..Limits::default() }).unwrap_err();
        match head.blame {
            Blame::None => String::new(),
            Blame::Line(line) => String::from_utf8_lossy(line.of(bytes)).into_owned(),
            Blame::Second { field, first } => {
                let text = |span: Span| String::from_utf8_lossy(span.of(bytes)).into_owned();
                [field.name, field.value, first.name, first.value].map(text).join("|")
            }
        }
    };
    assert_eq!(blamed(&fields("A: b\r\nhost:c")), "host|c|Host|a");
    assert_eq!(blamed(&fields("Content-Length: 1\r\nA: b\r\ncontent-length: 2")), "content-length|2|Content-Length|1");
    assert_eq!(blamed(&fields("If-Range:\r\nIf-Range: ")), "If-Range||If-Range|");
    for line in ["A b: c", " A: b", "A", ": b", "A: b\0c", "A: b\u{1}", "\u{e9}: b"] {
        assert_eq!(blamed(&fields(line)), line, "{line:?}");
        assert_eq!(blamed(&fields(&format!("X: y \r\n{line}\r\nZ: z"))), line, "{line:?}");
        assert_eq!(blamed(format!("GET / HTTP/1.1\n{line}\nZ: z\n\n").as_bytes()), line, "{line:?}");
    }
    assert_eq!(blamed(&fields("A: b\r\n c")), " c");
    let long = format!("A: {}", "b".repeat(100));
    assert_eq!(blamed(&fields(&long)), long);
    assert_eq!(blamed(&fields("Content-Length: x")), "");
    assert_eq!(blamed(b"get / HTTP/1.1\r\n\r\n"), "");
}

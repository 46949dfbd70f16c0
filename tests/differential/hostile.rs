//! Malformed requests and requests with two readings, beside nginx: `hostile.md` has the bytes of each case, what the
//! RFC asks, and the answers of both. `UPDATE_HOSTILE=1` writes the answers anew; the first three columns are by hand.
//!
//! The bytes are sent whole, then the client's side is closed, and all is read to the end: no answer depends on time.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::support::PATIENCE;
use crate::support::server::Product::{self, Drover, Nginx};
use crate::support::server::Setup;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/hostile.md");

const CONF: &str = "%main%\nworker_processes 1;\nevents { worker_connections 256; }\nhttp {\n%http%\n\
    access_log off; server { listen 127.0.0.1:%port%; \
    location / { return 200 \"$request_method $request_uri\"; } } }\n";

/// The answers that the RFC lets a server give.
#[derive(Debug, PartialEq)]
enum Demand {
    /// The first answer is an error, or there is none, and nothing behind the case's first request is answered.
    Refuse,
    /// The first answer is an error; the connection may go on.
    RefuseFirst,
    /// The body is malformed: the answer may be out by then, and nothing behind it is answered.
    RefuseBody,
    /// So many requests, each answered without an error.
    Take(usize),
    Any,
}

impl Demand {
    fn parse(rfc: &str) -> Demand {
        match rfc.split_once(':').expect("a demand, a colon, a section").0 {
            "refuse" => Demand::Refuse,
            "refuse first" => Demand::RefuseFirst,
            "refuse body" => Demand::RefuseBody,
            "any" => Demand::Any,
            take => Demand::Take(take.strip_prefix("take ").and_then(|n| n.parse().ok()).expect("take N")),
        }
    }

    fn is_met(&self, answers: &str) -> bool {
        let answers: Vec<&str> = answers.split(", ").collect();
        let is_error = |answer: &&str| answer.starts_with(['4', '5']) || *answer == "closed";
        match self {
            Demand::Refuse => answers.len() == 1 && is_error(&answers[0]),
            Demand::RefuseFirst => is_error(&answers[0]),
            Demand::RefuseBody => answers.len() == 1,
            Demand::Take(count) => answers.len() == *count && !answers.iter().any(is_error),
            Demand::Any => true,
        }
    }
}

struct Case {
    kind: String,
    name: String,
    /// The bytes as the table has them.
    bytes: String,
    rfc: String,
    /// The answers of nginx and of drover.
    answers: [String; 2],
}

fn cases() -> Vec<Case> {
    let (mut kind, mut cases) = (String::new(), Vec::new());
    for line in std::fs::read_to_string(TABLE).expect("the table").lines() {
        if let Some(name) = line.strip_prefix("## ") {
            kind = name.to_owned();
        }
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", name, bytes, rfc, nginx, drover, ""] = columns[..]
            && bytes.starts_with('`')
        {
            let [name, bytes, rfc] = [name, bytes.trim_matches('`'), rfc].map(str::to_owned);
            let answers = [nginx, drover].map(str::to_owned);
            cases.push(Case { kind: kind.clone(), name, bytes, rfc, answers });
        }
    }
    cases
}

/// The bytes of a case: `\r \n \t \\ \xNN`, and `{TEXT*N}` for N times the text.
fn bytes(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let repeated = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).and_then(|(inside, behind)| {
            let (text, times) = inside.rsplit_once('*')?;
            Some((bytes(text).repeat(times.parse().ok()?), behind))
        });
        if let Some((repeated, behind)) = repeated {
            out.extend(repeated);
            rest = behind;
            continue;
        }
        let (byte, length) = match rest.as_bytes() {
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', b'\\', ..] => (b'\\', 2),
            [b'\\', b'x', ..] => (u8::from_str_radix(&rest[2..4], 16).expect("two hex digits"), 4),
            [byte, ..] => (*byte, 1),
            [] => return out,
        };
        assert!(first.is_ascii(), "escape what is not ASCII: {text}");
        out.push(byte);
        rest = &rest[length..];
    }
    out
}

/// The answers to these bytes: `200 GET /a, 400`.
fn ask(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // A server that refuses the beginning may close before it has all.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let (mut received, begin) = (Vec::new(), std::time::Instant::now());
    // A reset behind the answers takes none of them.
    let _ = stream.read_to_end(&mut received);
    assert!(begin.elapsed() < PATIENCE, "the server does not close: {}", bytes.escape_ascii());
    let received = String::from_utf8_lossy(&received).into_owned();
    let (mut answers, mut rest) = (Vec::new(), received.as_str());
    while let Some((head, behind)) = rest.split_once("\r\n\r\n").filter(|_| rest.starts_with("HTTP/1.")) {
        let status = head.split(' ').nth(1).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        let (body, next) = behind.split_at(length);
        answers.push(if status == "200" { format!("200 {}", body.escape_debug()) } else { status.to_owned() });
        rest = next;
    }
    match (rest, answers.is_empty()) {
        ("", true) => answers.push("closed".to_owned()),
        ("", false) => {}
        (text, _) => answers.push(format!("a body alone: {}", text.escape_debug())),
    }
    // A target may hold whatever would end a cell.
    answers
        .iter()
        .map(|answer| answer.replace('|', "/").replace(", ", ","))
        .map(shortened)
        .collect::<Vec<_>>()
        .join(", ")
}

fn shortened(answer: String) -> String {
    if answer.len() < 60 { answer } else { answer.chars().take(40).chain("...".chars()).collect() }
}

fn all_answers(product: Product, cases: &[Case]) -> Vec<String> {
    let mut server = Setup::new(product, CONF).start();
    let answers = cases.iter().map(|case| ask(server.addr(), &bytes(&case.bytes))).collect();
    assert!(server.quit().success());
    answers
}

/// The kinds in their order, and how many cases of each nginx, and then drover, answer as the RFC forbids.
fn sums(cases: &[Case]) -> Vec<(&str, usize, [usize; 2])> {
    let mut sums: Vec<(&str, usize, [usize; 2])> = Vec::new();
    for case in cases {
        if sums.last().is_none_or(|last| last.0 != case.kind) {
            sums.push((&case.kind, 0, [0; 2]));
        }
        let (_, count, broken) = sums.last_mut().expect("just pushed");
        *count += 1;
        let demand = Demand::parse(&case.rfc);
        (0..2).for_each(|i| broken[i] += usize::from(!demand.is_met(&case.answers[i])));
    }
    sums
}

fn total(cases: &[Case]) -> (usize, [usize; 2]) {
    let add = |(count, [a, b]): (usize, [usize; 2]), sum: &(&str, usize, [usize; 2])| {
        (count + sum.1, [a + sum.2[0], b + sum.2[1]])
    };
    sums(cases).iter().fold((0, [0; 2]), add)
}

fn written(cases: &[Case]) -> String {
    let before = std::fs::read_to_string(TABLE).expect("the table");
    let (intro, _) = before.split_once("\n| kind |").unwrap_or((before.trim_end(), ""));
    let mut out =
        format!("{}\n\n| kind | cases | nginx answers otherwise | drover |\n|---|---|---|---|\n", intro.trim_end());
    let (count, [nginx, drover]) = total(cases);
    for (kind, count, [nginx, drover]) in sums(cases) {
        writeln!(out, "| {kind} | {count} | {nginx} | {drover} |").expect("a string");
    }
    writeln!(out, "| all | {count} | {nginx} | {drover} |").expect("a string");
    let mut kind = "";
    for case in cases {
        if case.kind != kind {
            kind = &case.kind;
            writeln!(out, "\n## {kind}\n\n| case | bytes | RFC | nginx | drover |\n|---|---|---|---|---|")
                .expect("a string");
        }
        let Case { name, bytes, rfc, answers: [nginx, drover], .. } = case;
        writeln!(out, "| {name} | `{bytes}` | {rfc} | {nginx} | {drover} |").expect("a string");
    }
    out
}

#[test]
fn hostile_requests_are_answered_as_the_table_says() {
    let mut cases = cases();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let [nginx, drover] = [Nginx, Drover].map(|product| all_answers(product, &cases));
    let mut changed = Vec::new();
    for (case, answers) in cases.iter_mut().zip(nginx.into_iter().zip(drover)) {
        let answers: [String; 2] = answers.into();
        if case.answers != answers {
            changed.push(format!("{}, {}: {:?}, not {:?}", case.kind, case.name, answers, case.answers));
        }
        case.answers = answers;
    }
    if std::env::var_os("UPDATE_HOSTILE").is_some() {
        std::fs::write(TABLE, written(&cases)).expect("write the table");
    } else {
        assert!(changed.is_empty(), "UPDATE_HOSTILE=1 writes these:\n{}", changed.join("\n"));
    }
    let broken: Vec<String> = cases
        .iter()
        .filter(|case| !Demand::parse(&case.rfc).is_met(&case.answers[1]))
        .map(|case| format!("{}, {}: {}; the RFC: {}", case.kind, case.name, case.answers[1], case.rfc))
        .collect();
    assert!(broken.is_empty(), "drover answers as the RFC forbids:\n{}", broken.join("\n"));
}

#[test]
fn the_readme_has_the_sums_of_the_table() {
    let (count, [nginx, drover]) = total(&cases());
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README");
    let row = format!(
        "| hostile requests | [{count}, malformed or with two readings](tests/differential/hostile.md), beside nginx \
         1.28.3 and what the RFC asks (nginx answers {nginx} of them otherwise) | {drover} |"
    );
    assert!(readme.contains(&row), "README: {row}");
}

#[test]
fn the_demands_can_fail() {
    let met = |demand: &str, answers: &str| Demand::parse(demand).is_met(answers);
    assert!(met("refuse: x", "400") && met("refuse: x", "closed") && !met("refuse: x", "400, 200 GET /b"));
    assert!(!met("refuse: x", "200 GET /a") && !met("refuse body: x", "200 POST /a, 200 GET /b"));
    assert!(met("take 2: x", "200 a, 200 b") && !met("take 2: x", "200 a") && !met("take 2: x", "200 a, 400"));
    assert_eq!(bytes("a\\r\\x00{x\\n*2}{y"), b"a\r\0x\nx\n{y");
}

//! Content codings where nginx is no measure: Brotli and Zstandard beside gzip, chosen by weight; gzip of large files,
//! which other clients do not wait for.

use std::time::Duration;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::support::client::Response;
use crate::support::conf::Conf;
use crate::support::server::Server;

fn server(directives: &str) -> Server {
    let server = Server::drover(Conf::workers(1).server(directives));
    for (name, content) in [
        ("all.js", "as it is"),
        ("all.js.br", "brotli"),
        ("all.js.zst", "zstandard"),
        ("all.js.gz", "gzip"),
        ("gz.js", "as it is"),
        ("gz.js.gz", "gzip"),
        ("none.js", "as it is"),
        ("only.js.br", "brotli"),
    ] {
        server.file(name, content);
    }
    server
}

pub fn ask(server: &Server, target: &str, fields: &str) -> Response {
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n");
    server.connect().send(request).response().expect("an answer")
}

fn accept(server: &Server, target: &str, accept: &str) -> (String, Option<String>) {
    let response = ask(server, target, &format!("Accept-Encoding: {accept}\r\n"));
    let sent = response.header("Content-Encoding").unwrap_or("-").to_owned();
    let is_coded = sent != "-";
    let text = response.text();
    let expected = [("br", "brotli"), ("zstd", "zstandard"), ("gzip", "gzip"), ("-", "as it is")];
    if response.status == 200 {
        assert!(expected.contains(&(&*sent, &*text)), "{sent}: {text}");
    } else {
        assert!(!is_coded, "{sent} with a {}", response.status);
        return (response.status.to_string(), response.header("Vary").map(str::to_owned));
    }
    (sent, response.header("Vary").map(str::to_owned))
}

/// A frame of one segment of 12 MiB, as `zstd --ultra -22` writes it; the bytes behind its head do not matter here.
const WIDE: &[u8] = b"\x28\xb5\x2f\xfd\xa4\x00\x00\xc0\x00";

#[test]
fn a_zstandard_file_that_browsers_refuse_is_left_alone() {
    let server = server("brotli_static on; zstd_static on; gzip_static on;");
    let skipped = [b"\x50\x2a\x4d\x18\x04\0\0\0abcd", WIDE].concat();
    let second = [b"\x28\xb5\x2f\xfd\x04\x00\x01\0\0sum ", WIDE].concat();
    for file in [WIDE, &skipped, &second] {
        server.file("gz.js.zst", file);
        for _ in 0..2 {
            assert_eq!(accept(&server, "/gz.js", "zstd, gzip;q=0.5").0, "gzip");
            assert_eq!(accept(&server, "/gz.js", "zstd").0, "-");
        }
    }
    let line = "gz.js.zst\" is not sent in place of the file: it needs a window of 12582912 bytes";
    assert!(server.error_log().contains(line), "{}", server.error_log());
}

#[test]
fn the_greatest_weight_is_sent_and_of_equal_ones_the_smallest() {
    let server = server("brotli_static on; zstd_static on; gzip_static on;");
    for (list, sent) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.8, zstd;q=0.7", "gzip"),
        ("br;q=0, *", "zstd"),
        ("*;q=0.1", "br"),
        ("*;q=0, gzip", "gzip"),
        ("identity, br;q=0.9", "-"),
        ("identity;q=0.5, br;q=0.9", "br"),
        ("identity;q=0.5, br;q=0.5", "br"),
        ("deflate", "-"),
        ("br;q=2", "-"),
        ("", "-"),
        ("identity;q=0, br", "br"),
        ("identity;q=0", "406"),
        ("*;q=0", "406"),
    ] {
        let vary = Some("Accept-Encoding".to_owned());
        assert_eq!(accept(&server, "/all.js", list), (sent.to_owned(), vary), "{list}");
    }
    assert_eq!(ask(&server, "/all.js", "").text(), "as it is");
    assert_eq!(ask(&server, "/all.js", "Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n").text(), "brotli");
}

#[test]
fn what_is_not_there_is_not_sent() {
    let server = server("brotli_static on; zstd_static on; gzip_static on;");
    let vary = Some("Accept-Encoding".to_owned());
    assert_eq!(accept(&server, "/gz.js", "br, zstd, gzip;q=0.1"), ("gzip".to_owned(), vary.clone()));
    assert_eq!(accept(&server, "/gz.js", "br, zstd"), ("-".to_owned(), vary.clone()));
    assert_eq!(accept(&server, "/gz.js", "br, identity;q=0").0, "406");
    assert_eq!(accept(&server, "/none.js", "br, zstd, gzip"), ("-".to_owned(), None));
    assert_eq!(accept(&server, "/none.js", "br, identity;q=0").0, "406");
    assert_eq!(accept(&server, "/missing.js", "br, identity;q=0").0, "404");
    assert_eq!(accept(&server, "/only.js", "br"), ("br".to_owned(), vary));
    assert_eq!(accept(&server, "/only.js", "gzip").0, "404");
}

#[test]
fn always_needs_no_asking() {
    let server = server(
        "gzip_static always; location /b/ { brotli_static always; gzip_static on; alias %root%/; } \
         location /m/ { brotli_static on; alias %root%/; }",
    );
    assert_eq!(accept(&server, "/all.js", "identity").0, "gzip");
    assert_eq!(accept(&server, "/b/all.js", "identity").0, "br");
    assert_eq!(accept(&server, "/b/all.js", "gzip").0, "gzip", "who says what it takes gets that");
    assert_eq!(accept(&server, "/m/all.js", "br").0, "br");
    assert_eq!(accept(&server, "/m/all.js", "identity").0, "gzip");
}

/// The coding of the answer, or its status, and Vary; `made`: the gzip was compressed for it.
fn coding(server: &Server, target: &str, accept: &str) -> (String, Option<String>) {
    let response = ask(server, target, &format!("Accept-Encoding: {accept}\r\n"));
    let vary = response.header("Vary").map(str::to_owned);
    let sent = match response.header("Content-Encoding") {
        _ if response.status != 200 => response.status.to_string(),
        Some("gzip") if response.body != b"gzip" => {
            assert_eq!(gunzip(&response.body, 100), b"as it is");
            "made".to_owned()
        }
        Some(coding) => coding.to_owned(),
        None => "-".to_owned(),
    };
    (sent, vary)
}

#[test]
fn the_gzip_that_is_made_is_weighed_like_one_that_is_there() {
    let server = server(
        "gzip on; gzip_types *; gzip_min_length 0; brotli_static on; gzip_static on; \
         location /long/ { alias %root%/; gzip_min_length 9; } location /js/ { alias %root%/; gzip_types text/css; } \
         location /gunzip/ { alias %root%/; gunzip on; gzip_static always; }",
    );
    server.file("br.js", "as it is").file("br.js.br", "brotli").file("real.txt.gz", gzip(b"as it is"));
    for (path, list, sent) in [
        ("/all.js", "gzip;q=0.1, identity;q=0.5", "-"),
        ("/none.js", "gzip;q=0.1, identity;q=0.5", "-"),
        ("/all.js", "gzip;q=0.5, identity;q=0.5", "gzip"),
        ("/none.js", "gzip;q=0.5, identity;q=0.5", "made"),
        ("/none.js", "identity;q=0, *", "made"),
        ("/none.js", "*", "made"),
        ("/none.js", "*;q=0", "406"),
        ("/none.js", "identity;q=0, br", "406"),
        ("/none.js", "br, gzip;q=0", "-"),
        ("/br.js", "gzip, br;q=0.5", "made"),
        ("/br.js", "gzip, br", "br"),
        ("/br.js", "gzip;q=0.5, br", "br"),
        ("/br.js", "gzip;q=0, br;q=0.5", "br"),
        ("/only.js", "gzip, br;q=0.5", "br"),
        ("/gz.js", "gzip, br;q=0.5", "gzip"),
        ("/long/br.js", "gzip, br;q=0.5", "br"),
        ("/js/br.js", "gzip, br;q=0.5", "br"),
        ("/gunzip/real.txt", "gzip;q=0.1, identity;q=0.5", "-"),
        ("/gunzip/real.txt", "deflate", "-"),
    ] {
        assert_eq!(coding(&server, path, list).0, sent, "{path} {list}");
    }
    let vary = Some("Accept-Encoding".to_owned());
    for list in ["gzip, br;q=0.5", "br", "identity", "gzip;q=0.1, identity;q=0.5"] {
        assert_eq!(coding(&server, "/br.js", list).1, vary, "{list}");
    }
}

#[test]
fn what_is_sent_always_says_that_others_get_another_coding() {
    let server = server(
        "location /b/ { brotli_static always; gzip_static on; alias %root%/; } \
         location /two/ { brotli_static always; gzip_static always; alias %root%/; } \
         location /made/ { brotli_static always; gzip on; gzip_types *; gzip_min_length 0; alias %root%/; } \
         location /alone/ { brotli_static always; alias %root%/; }",
    );
    let vary = Some("Accept-Encoding".to_owned());
    for place in ["b", "two"] {
        let path = format!("/{place}/all.js");
        assert_eq!(coding(&server, &path, "gzip"), ("gzip".to_owned(), vary.clone()));
        assert_eq!(coding(&server, &path, "identity"), ("br".to_owned(), vary.clone()), "{place}");
        assert_eq!(coding(&server, &path, "br"), ("br".to_owned(), vary.clone()), "{place}");
    }
    assert_eq!(coding(&server, "/made/all.js", "gzip"), ("made".to_owned(), vary.clone()));
    assert_eq!(coding(&server, "/made/all.js", "identity"), ("br".to_owned(), vary));
    assert_eq!(coding(&server, "/alone/all.js", "gzip"), ("br".to_owned(), None), "all get the same");
}

#[test]
fn each_coding_is_a_representation_of_its_own() {
    let server = server("brotli_static on; zstd_static on; gzip_static on; gzip_proxied any; gzip_http_version 1.0;");
    let get = |coding: &str, fields: &str| ask(&server, "/all.js", &format!("Accept-Encoding: {coding}\r\n{fields}"));
    let etags = ["br", "zstd", "gzip", "identity"].map(|coding| {
        let response = get(coding, "");
        assert_eq!(response.header("Content-Length").unwrap(), response.body.len().to_string());
        assert_eq!(response.header("Content-Type"), Some("text/javascript"));
        let etag = response.header("ETag").unwrap().to_owned();
        assert_eq!(get(coding, &format!("If-None-Match: {etag}\r\n")).status, 304, "{coding}");
        assert_eq!(get(coding, &format!("If-Match: {etag}\r\n")).status, 200, "{coding}");
        let range = get(coding, &format!("Range: bytes=1-3\r\nIf-Range: {etag}\r\n"));
        assert_eq!((range.status, &range.body[..]), (206, &response.body[1..4]), "{coding}");
        etag
    });
    for (i, etag) in etags.iter().enumerate() {
        assert!(!etags[..i].contains(etag), "{etags:?}");
    }
    assert!(etags[0].ends_with("-br\"") && etags[1].ends_with("-zstd\""), "{etags:?}");
    let other = get("br", &format!("Range: bytes=1-3\r\nIf-Range: {}\r\n", etags[1]));
    assert_eq!((other.status, other.text()), (200, "brotli".to_owned()));
}

#[test]
fn what_gzip_s_directives_refuse_is_refused_for_all_codings() {
    let server = server("brotli_static on; gzip_disable old;");
    let get = |fields: &str| ask(&server, "/all.js", &format!("Accept-Encoding: br\r\n{fields}")).text();
    assert_eq!(get(""), "brotli");
    assert_eq!(get("Via: 1.1 proxy\r\n"), "as it is");
    assert_eq!(get("User-Agent: Very Old\r\n"), "as it is");
    let old = "GET /all.js HTTP/1.0\r\nAccept-Encoding: br\r\n\r\n";
    assert_eq!(server.connect().send(old).response().unwrap().text(), "as it is");
}

/// Text that compresses to a fifth or so.
pub fn text(len: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(len + 20);
    let mut n: u64 = 1;
    while text.len() < len {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.extend_from_slice(format!("{} words\n", n >> 50).as_bytes());
    }
    text.truncate(len);
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut gzip) = (vec![0; bytes.len() + 100], Compress::new_gzip(Compression::new(6), 15));
    gzip.compress(bytes, &mut out, FlushCompress::Finish).unwrap();
    out.truncate(gzip.total_out() as usize);
    out
}

pub fn gunzip(bytes: &[u8], most: usize) -> Vec<u8> {
    let (mut out, mut gunzip) = (vec![0; most + 1], Decompress::new_gzip(15));
    let status = gunzip.decompress(bytes, &mut out, FlushDecompress::Finish).unwrap();
    assert_eq!((status, gunzip.total_in() as usize), (flate2::Status::StreamEnd, bytes.len()));
    out.truncate(gunzip.total_out() as usize);
    out
}

pub const GZIP: &str = "Accept-Encoding: gzip\r\n";

#[test]
fn files_of_any_length_come_out_as_they_are() {
    let server = server("gzip on; gzip_types *; gzip_min_length 0; gzip_http_version 1.0;");
    for len in [0, 1, 19, 24 << 10, 64 << 10, (64 << 10) + 1, 300_000, 1 << 20] {
        let text = text(len);
        server.file("a.txt", &text);
        for _ in 0..2 {
            let response = ask(&server, "/a.txt", GZIP);
            assert_eq!(response.header("Content-Encoding"), Some("gzip"));
            assert!(gunzip(&response.body, len) == text, "{len}");
        }
        let old = format!("GET /a.txt HTTP/1.0\r\n{GZIP}\r\n");
        let response = server.connect().send(old).response().unwrap();
        assert!(response.header("Transfer-Encoding").is_none() && gunzip(&response.body, len) == text, "{len}");
        server.file("only.txt.gz", gzip(&text));
    }
}

#[test]
fn a_gzip_is_undone_and_one_that_is_none_cuts_the_answer_short() {
    let server = server("gunzip on; gzip_static always; error_log %dir%/error.log;");
    let bomb = vec![b'x'; 3 << 20];
    for text in [&b""[..], b"short", &text(300_000), &bomb] {
        server.file("a.txt.gz", gzip(text));
        let response = ask(&server, "/a.txt", "");
        assert!(response.body == text && response.header("Content-Encoding").is_none());
    }
    let whole = gzip(&text(100_000));
    // nginx takes neither zeros nor anything else behind the last member.
    let [padded, followed] = [&[0; 512][..], b"no gzip"].map(|behind| [&whole[..], behind].concat());
    let second = [&whole[..], &whole[..whole.len() - 1]].concat();
    for broken in
        [&whole[..whole.len() - 1], &whole[..10], b"no gzip at all", b"", &padded[..], &followed[..], &second[..]]
    {
        server.file("a.txt.gz", broken);
        let mut client = server.connect();
        let answer = client.send("GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n").response();
        assert!(answer.is_err(), "no last chunk: {:?}", answer.map(|answer| answer.status));
        assert!(client.is_closed_by_server());
    }
    let log = server.error_log();
    assert!(log.contains("a.txt.gz") && log.contains("[error]") && !log.contains("[alert]"), "as nginx: {log}");
}

#[test]
fn all_members_of_a_gzip_are_undone_as_bgzip_and_cat_make_them() {
    let server = server("gunzip on; gzip_static always;");
    let (long, bomb) = (text(300_000), vec![b'x'; 3 << 20]);
    // 65 KiB of members that hold nothing, as a file of `bgzip` may end in some.
    let none = gzip(b"").repeat(3 << 10);
    let members = [&none[..], &gzip(b"one "), &gzip(&long), &gzip(&bomb), &gzip(b""), &gzip(b"two"), &none].concat();
    let expected = [b"one ", &long[..], &bomb, b"two"].concat();
    server.file("a.txt.gz", &members);
    for _ in 0..2 {
        let response = ask(&server, "/a.txt", "");
        assert_eq!(response.header("Content-Encoding"), None);
        assert!(response.body == expected, "{} bytes of {}", response.body.len(), expected.len());
    }
    let response = ask(&server, "/a.txt", "Range: bytes=2-5\r\n");
    assert!(response.status == 200 && response.body == expected, "a length that is not known has no ranges");
    let gzipped = ask(&server, "/a.txt", &format!("{GZIP}Range: bytes=2-5\r\n"));
    assert_eq!((gzipped.status, &gzipped.body[..]), (206, &members[2..6]));
    let mut client = server.connect();
    for range in ["", "Range: bytes=0-3\r\n"] {
        let head = client.send(format!("HEAD /a.txt HTTP/1.1\r\nHost: a\r\n{range}\r\n")).head_response().unwrap();
        assert_eq!((head.status, head.header("Content-Encoding"), head.header("Content-Length")), (200, None, None));
    }
    assert_eq!(client.get("/none.js").text(), "as it is", "the connection goes on");
}

/// A worker that compressed the file in one go would keep others waiting for as long as fifty slices take.
#[test]
fn a_large_file_holds_up_no_other_client() {
    let server = server("gzip on; gzip_types *; gzip_comp_level 6; location /small { return 204; }");
    let text = text(3 << 20);
    server.file("large.txt", &text);
    let mut other = server.connect();
    other.get("/small");
    let mut large = server.connect();
    large.patience(Duration::from_secs(120));
    large.send(format!("GET /large.txt HTTP/1.1\r\nHost: a\r\n{GZIP}\r\n")).wait_for_bytes(1);
    let reader = std::thread::spawn(move || large.response().unwrap());
    let mut answered = 0;
    while !reader.is_finished() {
        assert_eq!(other.get("/small").status, 204);
        answered += 1;
    }
    let response = reader.join().unwrap();
    assert!(gunzip(&response.body, text.len()) == text);
    assert!(answered > 10, "{answered} answers while the file was compressed");
}

#[test]
fn the_log_says_how_much_shorter_the_answer_was() {
    let server =
        Server::drover(Conf::workers(1).http("log_format ratio '$uri $gzip_ratio'; gzip on; gzip_types *;").server(
            "access_log %dir%/ratio.log ratio; location = /text { return 200 '0123456789012345678901234567890'; }",
        ));
    server.file("a.txt", text(200_000)).file("b.txt", "short");
    let long = ask(&server, "/a.txt", GZIP).body.len();
    ask(&server, "/b.txt", GZIP);
    ask(&server, "/a.txt", "");
    let short = ask(&server, "/text", GZIP).body.len();
    let mut server = server;
    server.quit();
    let ratio = |before: usize, after: usize| {
        let thousandths = before * 1000 / after;
        let hundredths = thousandths / 10 + usize::from(thousandths % 10 > 4);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    let expected = format!("/a.txt {}\n/b.txt -\n/a.txt -\n/text {}\n", ratio(200_000, long), ratio(31, short));
    assert_eq!(server.read("ratio.log"), expected);
}

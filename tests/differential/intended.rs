//! Where drover is meant to answer otherwise than nginx, and why.

use crate::transcript::Transcript;

#[derive(Clone, Copy)]
pub struct Entry {
    pub site: &'static str,
    pub probe: &'static str,
    /// [`Transcript::summary`] of drover's side.
    pub drover: &'static str,
    pub reason: &'static str,
}

/// Fields that drover sends with a status and nginx does not, whatever the probe: status, name, value, reason.
const FIELDS: &[(u16, &str, &str, &str)] =
    &[(405, "Allow", "GET, HEAD", "RFC 9110 15.5.6: a 405 MUST say which methods there are")];

const ENTRIES: &[Entry] = &[
    Entry {
        site: "conditionals",
        probe: "GET /digits.txt If-None-Match: \"2ebc98a1-64\" If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        drover: "304 open",
        reason: "RFC 9110 13.1.3: If-Modified-Since MUST be ignored when there is an If-None-Match",
    },
    Entry {
        site: "conditionals",
        probe: "GET /digits.txt If-Match: \"2ebc98a1-64\" If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        drover: "200 open",
        reason: "RFC 9110 13.1.4: If-Unmodified-Since MUST be ignored when there is an If-Match",
    },
    Entry {
        site: "conditionals",
        probe: "GET /digits.txt If-Unmodified-Since: nonsense",
        drover: "200 open",
        reason: "RFC 9110 13.1.4: a value that is no date MUST be ignored",
    },
    Entry {
        site: "conditionals",
        probe: "GET /digits.txt If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        drover: "412 open",
        reason: KEPT,
    },
    Entry {
        site: "conditionals",
        probe: "GET /digits.txt If-Match: W/\"2ebc98a1-64\"",
        drover: "412 open",
        reason: KEPT,
    },
    Entry { site: "conditionals", probe: "GET /digits.txt If-Match: \"other\"", drover: "412 open", reason: KEPT },
    Entry {
        site: "conditionals",
        probe: "GET /digits.txt If-Match: \"other\" If-None-Match: \"2ebc98a1-64\"",
        drover: "412 open",
        reason: KEPT,
    },
    Entry { site: "conditionals", probe: "HEAD /digits.txt If-Match: \"other\"", drover: "412 open", reason: KEPT },
    Entry {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=0-9 If-Match: \"other\"",
        drover: "412 open",
        reason: KEPT,
    },
    Entry {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=0-9,",
        drover: "206 open",
        reason: "RFC 9110 5.6.1.2: empty elements of a list MUST be accepted",
    },
    Entry {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=,0-9",
        drover: "206 open",
        reason: "RFC 9110 5.6.1.2: empty elements of a list MUST be accepted",
    },
    Entry {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=0-9,,20-29",
        drover: "206 open",
        reason: "RFC 9110 5.6.1.2: empty elements of a list MUST be accepted",
    },
    Entry {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=0-99999999999999999999",
        drover: "206 open",
        reason: "RFC 9110 14.1.2: a range beyond the end means up to the end, however many digits it has",
    },
    Entry {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=-99999999999999999999",
        drover: "206 open",
        reason: "RFC 9110 14.1.2: a range beyond the end means up to the end, however many digits it has",
    },
    Entry {
        site: "ranges",
        probe: "HEAD /digits.txt Range: bytes=0-9",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with methods other than GET",
    },
    Entry {
        site: "ranges",
        probe: "HEAD /digits.txt Range: bytes=0-9,20-29",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with methods other than GET",
    },
    Entry {
        site: "ranges",
        probe: "HEAD /digits.txt Range: bytes=200-",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with methods other than GET",
    },
    Entry {
        site: "connection",
        probe: "GET /page.html Connection: close Connection: keep-alive",
        drover: "200 close",
        reason: "RFC 9112 9.3: close among the options ends the connection, whatever else is there",
    },
    Entry {
        site: "names",
        probe: "GET / Host: exact.example\\x",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400",
    },
    Entry {
        site: "names",
        probe: "GET / Host: exact.example:port",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400",
    },
    Entry {
        site: "names",
        probe: "GET / Host: user@exact.example",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400",
    },
    Entry {
        site: "names",
        probe: "GET / Host: [::1",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400",
    },
    Entry {
        site: "strict",
        probe: "no version",
        drover: "400 close",
        reason: "HTTP/0.9 has neither status nor length: its answer could be taken for another request's body",
    },
    Entry {
        site: "strict",
        probe: "no version, missing file",
        drover: "400 close",
        reason: "HTTP/0.9 has neither status nor length: its answer could be taken for another request's body",
    },
    Entry {
        site: "strict",
        probe: "no version, with headers after",
        drover: "400 close",
        reason: "HTTP/0.9 has neither status nor length: its answer could be taken for another request's body",
    },
    Entry {
        site: "strict",
        probe: "no colon",
        drover: "400 close",
        reason: "RFC 9112 5.1: not a field line; nginx drops it silently, and two servers in a chain may read it differently",
    },
    Entry {
        site: "strict",
        probe: "bytes above 127 in a name",
        drover: "400 close",
        reason: "RFC 9112 5.1: not a field line; nginx drops it silently, and two servers in a chain may read it differently",
    },
    Entry {
        site: "strict",
        probe: "brackets in a name",
        drover: "400 close",
        reason: "RFC 9112 5.1: not a field line; nginx drops it silently, and two servers in a chain may read it differently",
    },
    Entry {
        site: "strict",
        probe: "control character in a value",
        drover: "400 close",
        reason: "RFC 9110 5.5: control characters are invalid in values, and some servers take them for line ends or blanks",
    },
    Entry {
        site: "strict",
        probe: "DEL in a value",
        drover: "400 close",
        reason: "RFC 9110 5.5: control characters are invalid in values, and some servers take them for line ends or blanks",
    },
    Entry {
        site: "strict",
        probe: "Transfer-Encoding with a vertical tab",
        drover: "400 close",
        reason: "RFC 9110 5.5: control characters are invalid in values, and some servers take them for line ends or blanks",
    },
    Entry {
        site: "strict",
        probe: "the h2c preface",
        drover: "505 close",
        reason: "The request line is well-formed and its version is 2.0: RFC 9110 15.6.6 has a status for that",
    },
    Entry {
        site: "strict",
        probe: "Transfer-Encoding gzip",
        drover: "400 close",
        reason: "RFC 9112 6.3: a request whose last transfer coding is not chunked MUST be answered 400",
    },
    Entry {
        site: "strict",
        probe: "Transfer-Encoding identity",
        drover: "400 close",
        reason: "RFC 9112 6.3: a request whose last transfer coding is not chunked MUST be answered 400",
    },
    Entry {
        site: "strict",
        probe: "Transfer-Encoding identity with a length",
        drover: "400 close",
        reason: "RFC 9112 6.3: a request whose last transfer coding is not chunked MUST be answered 400",
    },
    Entry {
        site: "strict",
        probe: "Transfer-Encoding xchunked",
        drover: "400 close",
        reason: "RFC 9112 6.3: a request whose last transfer coding is not chunked MUST be answered 400",
    },
    Entry {
        site: "files",
        probe: "GET /future.txt",
        drover: "200 open",
        reason: "RFC 9110 8.8.2.1: Last-Modified MUST NOT be later than Date",
    },
    Entry {
        site: "variables",
        probe: "GET /fields X-Twice: 1 X-Twice: 2 Referer: http://a.example/ Referer: http://b.example/",
        drover: "200 open",
        reason: "RFC 9110 5.3: the lines of a field mean one list; nginx joins them from 1.23 on",
    },
    Entry {
        site: "limits",
        probe: "a field of 2100",
        drover: "431 close",
        reason: "RFC 6585 5: 431 tells a head that is too large from one that is malformed",
    },
    Entry {
        site: "limits",
        probe: "a field of 5000",
        drover: "431 close",
        reason: "RFC 6585 5: 431 tells a head that is too large from one that is malformed",
    },
    Entry {
        site: "bodies",
        probe: "Expect without a body",
        drover: "200 open",
        reason: "RFC 9110 10.1.1: there is nothing to continue with",
    },
    Entry {
        site: "returns",
        probe: "GET /304",
        drover: "304 open",
        reason: "RFC 9110 8.6: Content-Length in a 304 MUST be that of the 200, which is not 0",
    },
    Entry {
        site: "headers",
        probe: "GET /not-modified",
        drover: "304 open",
        reason: "RFC 9110 8.6: Content-Length in a 304 MUST be that of the 200, which is not 0",
    },
    Entry {
        site: "headers",
        probe: "GET /epoch/page.html Range: bytes=100-",
        drover: "416 open",
        reason: "add_header and expires name the statuses they add to, and 416 is none of them; nginx adds them to the 206 it began",
    },
    Entry {
        site: "returns",
        probe: "GET /431",
        drover: "431 open",
        reason: "RFC 6585 5 gives 431 its phrase, and so it has a page",
    },
    Entry {
        site: "connection",
        probe: "half a request line, then the end",
        drover: "close",
        reason: "the log has the request line once it is whole; until then there is none",
    },
    Entry {
        site: "errors",
        probe: "GET /to-200/x If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        drover: "304 open",
        reason: "the log has the status that was sent, nginx's the one that error_page names",
    },
    Entry {
        site: "errors",
        probe: "GET /to-200/x Range: bytes=0-3",
        drover: "206 open",
        reason: "the log has the status that was sent, nginx's the one that error_page names",
    },
    Entry {
        site: "pages",
        probe: "GET /plain-200 If-None-Match: *",
        drover: "304 open",
        reason: "the log has the status that was sent, nginx's the one that error_page names",
    },
    Entry {
        site: "files",
        probe: "TRACE /page.html",
        drover: "405 open",
        reason: "a refused TRACE is no reason to close the connection",
    },
    Entry {
        site: "limits",
        probe: "a query of 2100",
        drover: "414 close",
        reason: "a request line that is too long is logged as far as it came, which depends on the sizes of reads",
    },
    Entry {
        site: "limits",
        probe: "a query of 5000",
        drover: "414 close",
        reason: "a request line that is too long is logged as far as it came, which depends on the sizes of reads",
    },
    Entry {
        site: "limits",
        probe: "HEAD, a query of 5000",
        drover: "414 close",
        reason: "a request line that is too long is logged as far as it came, which depends on the sizes of reads",
    },
    Entry {
        site: "limits",
        probe: "Connection: close, a query of 5000",
        drover: "414 close",
        reason: "a request line that is too long is logged as far as it came, which depends on the sizes of reads",
    },
    Entry {
        site: "limits",
        probe: "three fields of 1500",
        drover: "200 open",
        reason: "the limit is on the whole head; how nginx's buffers happen to fill up is not copied",
    },
    Entry {
        site: "limits",
        probe: "query and two fields of 1500",
        drover: "200 open",
        reason: "the limit is on the whole head; how nginx's buffers happen to fill up is not copied",
    },
    Entry {
        site: "limits",
        probe: "a name without end",
        drover: "431 close",
        reason: "RFC 6585 5: header fields too large are 431",
    },
    Entry {
        site: "limits",
        probe: "a method without end",
        drover: "414 close",
        reason: "a request line that is too long is logged as far as it came, which depends on the sizes of reads",
    },
    Entry {
        site: "strict",
        probe: "bare CR in the request line",
        drover: "400 close",
        reason: "the log has the line as it came",
    },
    Entry {
        site: "bodies",
        probe: "GET, size just fits",
        drover: "413 close",
        reason: "a chunk that is beyond client_max_body_size is 413, whatever its size",
    },
    Entry {
        site: "bodies",
        probe: "GET, line feeds only",
        drover: "400 close",
        reason: "RFC 9112 7.1: the lines of the chunked coding end in CRLF",
    },
    Entry {
        site: "bodies",
        probe: "GET, more than allowed",
        drover: "413 close",
        reason: "client_max_body_size holds for chunked bodies that are dropped, too",
    },
    Entry {
        site: "bodies",
        probe: "Expect, the body comes along",
        drover: "200 open",
        reason: "RFC 9110 10.1.1: no 100 is needed for a body that has come already",
    },
];

/// Many probes of one site that end alike, for one reason.
struct Group {
    site: &'static str,
    drover: &'static str,
    reason: &'static str,
    probes: &'static [&'static str],
}

const KEPT: &str = "nginx announces keep-alive in its 412 and closes; drover keeps what it announces";
const SENT: &str = "RFC 9110 8.8: the validators are those that are sent, also where add_header says them; nginx compares \
                    with the file's own";

const GROUPS: &[Group] = &[
    Group {
        site: "connect",
        drover: "405 close",
        reason: "RFC 9110 15.5.6: a method that is known and not allowed is 405",
        probes: &[
            "localhost:80",
            "localhost:65535",
            "[::1]:80",
            "localhost:80 Content-Length: 3",
            "localhost:80 Content-Length: 3000000",
            "localhost:80 Transfer-Encoding: chunked",
            "localhost:80 Expect: 100-continue",
            "HTTP/1.0",
            "HTTP/1.0, kept alive",
        ],
    },
    Group {
        site: "connect",
        drover: "400 close",
        reason: "RFC 9110 9.3.6: the target of CONNECT is a host and a port",
        probes: &["/page.html", "http://localhost/page.html", "http://localhost:80/page.html"],
    },
    Group {
        site: "hosts",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400, and by RFC 3986 these are",
        probes: &[
            "GET /x Host: a:65536",
            "GET /x Host: a:99999999999999999999",
            "GET /x Host: [::1]:65536",
            "GET /x Host: [v1.]",
            "GET /x Host: []",
            "GET /x Host: [.]",
            "GET /x Host: [a]",
            "GET /x Host: [zz::1]",
            "GET /x Host: [192.0.2.1]",
            "GET /x Host: [1:2:3:4:5:6:7:8:9]",
            "GET /x Host: [::1%25lo]",
            "GET /x Host: [::1].",
            "GET /x Host: a%zz",
            "GET /x Host: a%4",
            "GET /x Host: a%",
            "GET http://a/x Host: a%zz",
            "GET http://a:65536/x",
            "GET http://a:99999999999999999999/x",
            "GET http://[::1]:65536/x",
            "GET http://[v1.]/x",
            "GET http://[]/x",
            "GET http://[.]/x",
            "GET http://[a]/x",
            "GET http://[zz::1]/x",
            "GET http://[192.0.2.1]/x",
            "GET http://[1:2:3:4:5:6:7:8:9]/x",
        ],
    },
    Group {
        site: "hosts",
        drover: "200 open",
        reason: "RFC 3986 3.2.2: these are names, and nginx takes them in Host and refuses them in an absolute target",
        probes: &["GET http://a%41/x", "GET http://a_b/x", "GET http://*/x"],
    },
    Group {
        site: "validators",
        drover: "200 open",
        reason: SENT,
        probes: &[
            "GET /time/digits.txt If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "GET /no-time/digits.txt If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "GET /bad-time/digits.txt If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "GET /two/digits.txt If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "GET /tag/digits.txt If-None-Match: \"2ebc98a1-64\"",
            "GET /no-tag/digits.txt If-None-Match: \"2ebc98a1-64\"",
            "GET /two/digits.txt If-None-Match: \"2ebc98a1-64\"",
            "GET /tag/digits.txt If-Match: \"v1\"",
            "GET /two/digits.txt If-Match: \"v1\"",
            "GET /off/digits.txt If-Match: \"v1\"",
        ],
    },
    Group {
        site: "validators",
        drover: "304 open",
        reason: SENT,
        probes: &[
            "GET /time/digits.txt If-Modified-Since: Mon, 07 Nov 1994 08:49:37 GMT",
            "GET /tag/digits.txt If-None-Match: \"v1\"",
            "GET /two/digits.txt If-None-Match: \"v1\"",
            "GET /off/digits.txt If-None-Match: \"v1\"",
            "GET /returned If-None-Match: \"v2\"",
        ],
    },
    Group {
        site: "validators",
        drover: "412 open",
        reason: SENT,
        probes: &[
            "GET /time/digits.txt If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "GET /tag/digits.txt If-Match: \"2ebc98a1-64\"",
            "GET /no-tag/digits.txt If-Match: \"2ebc98a1-64\"",
            "GET /two/digits.txt If-Match: \"2ebc98a1-64\"",
        ],
    },
    Group {
        site: "validators",
        drover: "412 open",
        reason: KEPT,
        probes: &[
            "GET /digits.txt If-Match: \"v1\"",
            "GET /time/digits.txt If-Match: \"v1\"",
            "GET /no-time/digits.txt If-Match: \"v1\"",
            "GET /bad-time/digits.txt If-Match: \"v1\"",
            "GET /no-tag/digits.txt If-Match: \"v1\"",
            "GET /off/digits.txt If-Match: \"2ebc98a1-64\"",
        ],
    },
    Group {
        site: "ranges",
        drover: "200 open",
        reason: "nginx from 1.29.5 on sends the whole file where its ranges, and 256 bytes for each, are more than it and 4096",
        probes: &[
            "GET /digits.txt Range: bytes=0-1,4-5,8-9,12-13,16-17,20-21,24-25,28-29,32-33,36-37,40-41,44-45,48-49... 142 bytes",
            "17 ranges of a byte of 100",
            "50 ranges of a byte of 100",
        ],
    },
    Group {
        site: "ranges",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with methods other than GET",
        probes: &["HEAD, 50 ranges of a byte of 100"],
    },
    Group {
        site: "lines",
        drover: "200 open",
        reason: "RFC 9110 5.3: the lines of a field mean one list; nginx joins them in variables from 1.23 on",
        probes: &[
            "GET /type Content-Type: a/b Content-Type: c/d",
            "GET /sent/page.html",
            "GET /sent/page.html?b=b&none=some",
        ],
    },
    Group {
        site: "lines",
        drover: "206 open",
        reason: "RFC 9110 5.3: the lines of a field mean one list; nginx joins them in variables from 1.23 on",
        probes: &["GET /sent/digits.txt Range: bytes=0-9"],
    },
    Group {
        site: "lines",
        drover: "304 open",
        reason: "RFC 9110 5.3: the lines of a field mean one list; nginx joins them in variables from 1.23 on",
        probes: &["GET /sent/digits.txt If-None-Match: *"],
    },
    Group {
        site: "lines",
        drover: "200 open",
        reason: "RFC 9110 5.3: the lines of a list mean one list, and are no reason for a 400",
        probes: &[
            "GET /page.html If-None-Match: \"x\" If-None-Match: *",
            "GET /page.html If-Match: \"x\" If-Match: \"2ebc98a1-c\"",
            "GET /page.html Expect: x Expect: 100-continue Content-Length: 3",
        ],
    },
    Group {
        site: "lines",
        drover: "304 open",
        reason: "RFC 9110 5.3: the lines of a list mean one list, and are no reason for a 400",
        probes: &["GET /page.html If-None-Match: \"x\" If-None-Match: \"2ebc98a1-c\""],
    },
    Group {
        site: "lines",
        drover: "412 open",
        reason: "RFC 9110 5.3: the lines of a list mean one list, and are no reason for a 400",
        probes: &["GET /page.html If-Match: \"x\" If-Match: \"y\""],
    },
    Group {
        site: "texts",
        drover: "412 open",
        reason: KEPT,
        probes: &["HEAD /text If-Match: \"x\"", "HEAD /stub If-Match: \"x\""],
    },
    Group {
        site: "texts",
        drover: "200 open",
        reason: "RFC 9110 13.1.4: If-Unmodified-Since MUST be ignored where the answer has no date",
        probes: &[
            "HEAD /text If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "HEAD /stub If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        ],
    },
    Group {
        site: "texts",
        drover: "412 open",
        reason: "RFC 9110 13.1.2: where GET gets 304, other methods MUST get 412",
        probes: &["POST /text If-None-Match: * Content-Length: 1"],
    },
    Group {
        site: "bodies",
        drover: "400 close",
        reason: "a malformed body is a 400 as soon as it is seen, whatever else the request would have got",
        probes: &["POST to a file, a chunk that is none", "POST to nothing, a chunk that is none"],
    },
    Group {
        site: "texts",
        drover: "close",
        reason: "`return 444` says nothing; nginx looks at Content-Length before the return of a location",
        probes: &["POST /silent, too large a body"],
    },
    Group {
        site: "texts",
        drover: "407 open",
        reason: "RFC 9110 15.5.8 gives 407 its phrase, and so it has a page, as in nginx's newest release",
        probes: &["GET /407"],
    },
];

/// Whether a field of drover's is one that nginx does not send.
pub fn adds(status: u16, name: &str, value: &str) -> bool {
    FIELDS.iter().any(|field| (field.0, field.1, field.2) == (status, name, value))
}

pub fn of(site: &str) -> impl Iterator<Item = Entry> {
    let single = ENTRIES.iter().copied();
    single.chain(GROUPS.iter().flat_map(Group::entries)).filter(move |entry| entry.site == site)
}

impl Group {
    fn entries(&self) -> impl Iterator<Item = Entry> {
        let Group { site, drover, reason, probes } = *self;
        probes.iter().map(move |probe| Entry { site, probe, drover, reason })
    }
}

/// Whether this difference is listed, and is the one listed.
pub fn covers(site: &str, probe: &str, drover: &Transcript) -> bool {
    of(site).any(|entry| entry.probe == probe && entry.drover == drover.summary())
}

#[test]
fn every_entry_has_a_reason() {
    for entry in ENTRIES.iter().copied().chain(GROUPS.iter().flat_map(Group::entries)) {
        assert!(entry.reason.len() > 20, "{} | {}", entry.site, entry.probe);
    }
    for (status, name, _, reason) in FIELDS {
        assert!(reason.len() > 20, "{status} {name}");
    }
}

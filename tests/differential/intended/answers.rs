//! Answers: their texts, pages, fields and variables.

use super::{Difference, Group};

const TWICE: &str = "nginx runs through its header filters before it finds that a 416 is due, and again for that";
const KEPT: &str = "nginx announces keep-alive in its 412 and closes; drover keeps what it announces";

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference { site: "hardened", probe: "GET /assets/app.js Range: bytes=2-5", drover: "416 open", reason: TWICE },
    Difference {
        site: "hardened",
        probe: "GET /assets/app.0f9e.js Range: bytes=2-5",
        drover: "416 open",
        reason: TWICE,
    },
    Difference {
        site: "trailers",
        probe: "GET /digits.txt Host: some Range: bytes=200-",
        drover: "416 open",
        reason: TWICE,
    },
    Difference { site: "mirror", probe: "GET /archive.tar.gz Range: bytes=400000-", drover: "416 open", reason: TWICE },
    Difference { site: "failures", probe: "GET /range Range: bytes=1000-2000", drover: "416 open", reason: TWICE },
    Difference { site: "container", probe: "GET /config.js Range: bytes=2-5", drover: "416 open", reason: TWICE },
    Difference {
        site: "names",
        probe: "GET / Host: exact.example\\x",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400",
    },
    Difference {
        site: "names",
        probe: "GET / Host: exact.example:port",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400",
    },
    Difference {
        site: "names",
        probe: "GET / Host: user@exact.example",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400",
    },
    Difference {
        site: "names",
        probe: "GET / Host: [::1",
        drover: "400 close",
        reason: "RFC 9112 3.2: an invalid Host MUST be answered 400",
    },
    Difference {
        site: "files",
        probe: "GET /future.txt",
        drover: "200 open",
        reason: "RFC 9110 8.8.2.1: Last-Modified MUST NOT be later than Date",
    },
    Difference {
        site: "returns",
        probe: "GET /304",
        drover: "304 open",
        reason: "RFC 9110 8.6: Content-Length in a 304 MUST be that of the 200, which is not 0",
    },
    Difference {
        site: "redirect_forms",
        probe: "GET /dir HTTP/1.0 no Host",
        drover: "301 close",
        reason: "RFC 3986 3.2.2: without a host, http://:80/ is no address; nginx takes the empty name of its server",
    },
    Difference {
        site: "returns",
        probe: "GET /431",
        drover: "431 open",
        reason: "RFC 6585 5 gives 431 its phrase, and so it has a page",
    },
    Difference {
        site: "errors",
        probe: "GET /to-200/x If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        drover: "304 open",
        reason: "the log has the status that was sent, nginx's the one that error_page names",
    },
    Difference {
        site: "errors",
        probe: "GET /to-200/x Range: bytes=0-3",
        drover: "206 open",
        reason: "the log has the status that was sent, nginx's the one that error_page names",
    },
    Difference {
        site: "pages",
        probe: "GET /plain-200 If-None-Match: *",
        drover: "304 open",
        reason: "the log has the status that was sent, nginx's the one that error_page names",
    },
    Difference {
        site: "files",
        probe: "TRACE /page.html",
        drover: "405 open",
        reason: "a refused TRACE is no reason to close the connection",
    },
];

pub(super) const GROUPS: &[Group] = &[
    Group {
        site: "maps",
        drover: "200 open",
        reason: "a text is filled in from left to right; nginx takes a $1 in front of a map's variable from the map's \
                 regex, and answers 500 where it is longer than the one it was measured by",
        probes: &[
            "GET /loc/x X-Key: tom-12",
            "GET /loc/x X-Key: upper",
            "GET /loc/x X-Key: UPPER",
            "GET /loc/x X-Key: trace",
            "GET /loc/x X-Key: te",
            "GET /loc/x X-Key: Case",
        ],
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

//! Conditional requests, ranges, and the validators that both compare.

use super::{Difference, Group};

const KEPT: &str = "nginx announces keep-alive in its 412 and closes; drover keeps what it announces";
const SENT: &str = "RFC 9110 8.8: the validators are those that are sent, also where add_header says them; \
    nginx compares with the file's own";

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        site: "conditionals",
        probe: "GET /digits.txt If-None-Match: \"2ebc98a1-64\" If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        drover: "304 open",
        reason: "RFC 9110 13.1.3: If-Modified-Since MUST be ignored when there is an If-None-Match",
    },
    Difference {
        site: "conditionals",
        probe: "GET /digits.txt If-Match: \"2ebc98a1-64\" If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        drover: "200 open",
        reason: "RFC 9110 13.1.4: If-Unmodified-Since MUST be ignored when there is an If-Match",
    },
    Difference {
        site: "conditionals",
        probe: "GET /digits.txt If-Unmodified-Since: nonsense",
        drover: "200 open",
        reason: "RFC 9110 13.1.4: a value that is no date MUST be ignored",
    },
    Difference {
        site: "conditionals",
        probe: "GET /digits.txt If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        drover: "412 open",
        reason: KEPT,
    },
    Difference {
        site: "conditionals",
        probe: "GET /digits.txt If-Match: W/\"2ebc98a1-64\"",
        drover: "412 open",
        reason: KEPT,
    },
    Difference { site: "conditionals", probe: "GET /digits.txt If-Match: \"other\"", drover: "412 open", reason: KEPT },
    Difference {
        site: "conditionals",
        probe: "GET /digits.txt If-Match: \"other\" If-None-Match: \"2ebc98a1-64\"",
        drover: "412 open",
        reason: KEPT,
    },
    Difference {
        site: "conditionals",
        probe: "HEAD /digits.txt If-Match: \"other\"",
        drover: "412 open",
        reason: KEPT,
    },
    Difference {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=0-9 If-Match: \"other\"",
        drover: "412 open",
        reason: KEPT,
    },
    Difference {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=0-9,",
        drover: "206 open",
        reason: "RFC 9110 5.6.1.2: empty elements of a list MUST be accepted",
    },
    Difference {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=,0-9",
        drover: "206 open",
        reason: "RFC 9110 5.6.1.2: empty elements of a list MUST be accepted",
    },
    Difference {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=0-9,,20-29",
        drover: "206 open",
        reason: "RFC 9110 5.6.1.2: empty elements of a list MUST be accepted",
    },
    Difference {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=0-99999999999999999999",
        drover: "206 open",
        reason: "RFC 9110 14.1.2: a range beyond the end means up to the end, however many digits it has",
    },
    Difference {
        site: "ranges",
        probe: "GET /digits.txt Range: bytes=-99999999999999999999",
        drover: "206 open",
        reason: "RFC 9110 14.1.2: a range beyond the end means up to the end, however many digits it has",
    },
    Difference {
        site: "ranges",
        probe: "HEAD /digits.txt Range: bytes=0-9",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with methods other than GET",
    },
    Difference {
        site: "ranges",
        probe: "HEAD /digits.txt Range: bytes=0-9,20-29",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with methods other than GET",
    },
    Difference {
        site: "ranges",
        probe: "HEAD /digits.txt Range: bytes=200-",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with methods other than GET",
    },
];

pub(super) const GROUPS: &[Group] = &[
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
        reason: "nginx from 1.29.5 on sends the whole file where its ranges, with 256 bytes each, exceed it and 4096",
        probes: &[
            "GET /digits.txt Range: bytes=0-1,4-5,8-9,12-13,16-17,20-21,24-25,28-29,32-33,36-37,40-41,44-45,48-49... \
             142 bytes",
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
];

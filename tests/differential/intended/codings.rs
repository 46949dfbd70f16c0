//! Content codings.

use super::{Difference, Group};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        site: "gzip_static",
        probe: "GET /coded/digits.txt Host: vary Accept-Encoding: gzip If-Match: \"x\"",
        drover: "412 open",
        reason: "nginx announces keep-alive in its 412 and closes; drover keeps what it announces",
    },
    Difference {
        site: "gzip_static",
        probe: "GET /coded/digits.txt Host: vary Accept-Encoding: gzip Range: bytes=100-",
        drover: "416 open",
        reason: "RFC 9110 8.4: Content-Encoding says how the content is coded; the page of a 416 is not",
    },
    Difference {
        site: "charset_maps",
        probe: "GET /source/koi.txt?s=x-none",
        drover: "200 open",
        reason: "nginx leaves bytes that become `?` as they are, up to the first character that takes more bytes",
    },
    Difference {
        site: "gzip_static",
        probe: "HEAD /coded/digits.txt Host: vary Accept-Encoding: gzip Range: bytes=0-3",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with any method but GET",
    },
];

pub(super) const GROUPS: &[Group] = &[
    Group {
        site: "additions",
        drover: "304 open",
        reason: "RFC 9110 15.4.5: a 304 has the ETag that the 200 would have had",
        probes: &[
            "GET /page.html Host: both If-None-Match: W/\"2ebc98a1-c\"",
            "GET /page.html Host: both If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        ],
    },
    Group {
        site: "additions",
        drover: "200 open",
        reason: "nginx's trailers filter sees two ends of such a body, and says each trailer twice",
        probes: &[
            "GET /page.html Host: chunks",
            "GET /text Host: chunks",
            "GET /teapot Host: chunks",
            "GET /dir/ Host: chunks",
            "GET /coded/long.html Host: chunks",
            "GET /page.html Host: chunks Range: bytes=0-3",
            "GET /page.html Host: chunks Range: bytes=100-",
            "GET /text?x=y Host: chunks",
            "POST /text Host: chunks Content-Length: 3",
        ],
    },
    Group {
        site: "gzip",
        drover: "304 open",
        reason: "RFC 9110 15.4.5: a 304 MUST have the ETag and the Vary that the 200 would have",
        probes: &[
            "GET /coded/long.html Host: vary Accept-Encoding: gzip If-None-Match: \"2ebc98a1-14000\"",
            "GET /coded/long.html Host: vary Accept-Encoding: gzip If-None-Match: W/\"2ebc98a1-14000\"",
            "GET /coded/long.html Host: vary Accept-Encoding: gzip If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "GET /coded/long.html Host: vary If-None-Match: \"2ebc98a1-14000\"",
            "GET /coded/long.html Host: plain Accept-Encoding: gzip If-None-Match: \"2ebc98a1-14000\"",
        ],
    },
    Group {
        site: "gunzip",
        drover: "304 open",
        reason: "RFC 9110 15.4.5: a 304 MUST have the ETag and the Vary that the 200 would have",
        probes: &[
            "GET /coded/real.html Host: vary Accept-Encoding: gzip If-None-Match: *",
            "GET /coded/real.html Host: vary Accept-Encoding: identity If-None-Match: *",
        ],
    },
    Group {
        site: "gzip",
        drover: "412 open",
        reason: "nginx announces keep-alive in its 412 and closes; drover keeps what it announces",
        probes: &["GET /coded/long.html Host: vary Accept-Encoding: gzip If-Match: \"x\""],
    },
];

//! Content codings.

use super::Difference;

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
        site: "gzip_static",
        probe: "HEAD /coded/digits.txt Host: vary Accept-Encoding: gzip Range: bytes=0-3",
        drover: "200 open",
        reason: "RFC 9110 14.2: Range MUST be ignored with any method but GET",
    },
];

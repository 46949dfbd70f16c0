//! Cookies by name, as `$cookie_NAME` finds them.

use crate::probe::{Site, get};

/// Pieces of Cookie fields, plain, sloppy and hostile. No name stands behind a comma (README, Differences from nginx).
const PIECES: &[&str] = &[
    "a", "b", "A", "ab", "a-b", "a_b", "$a", "=", "=", "=", "=", "==", ";", ";", "; ", ";;", " ", "  ", "\"", "\"x\"",
    "x y", "1", "%3b", "\u{e9}", "a=1", "b=2", "ab=3", "A=4", "a_b=5", "a =6", "a= 7", "a;a=8", "1,5",
];

/// 200 requests with Cookie fields put together at random, always the same.
pub fn cookies() -> Site {
    let http = "server { listen 127.0.0.1:%port%; \
                return 200 'a[$cookie_a] b[$cookie_b] ab[$cookie_ab] A[$cookie_A] a_b[$cookie_a_b] $http_cookie'; }";
    let mut random = fastrand::Rng::with_seed(6265);
    let mut field = || -> String {
        let count = random.usize(0..15);
        (0..count).map(|_| PIECES[random.usize(..PIECES.len())]).collect()
    };
    let probes = (0..200).map(|number| {
        let lines = 1 + number % 3;
        let request =
            (0..lines).fold(get("/"), |request, line| request.with(["Cookie", "cookie", "COOKIE"][line], field()));
        request.named(&format!("cookies {number}"))
    });
    Site::new("cookies", http, probes.collect())
}

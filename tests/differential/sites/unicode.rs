//! Regexes with properties of characters, on paths in UTF-8 and on bytes that are none. Without `(*UTF)` a byte is a
//! character, of Latin-1.

use crate::probe::{Probe, Site, get};

/// The regexes, each in a location of its own, with a name for the path before it.
const REGEXES: &[(&str, &str, &str)] = &[
    ("l", "~", r"/(\p{L}+)$"),
    ("short", "~", r"/(\pL\PL?)$"),
    ("lu", "~", r"/(\p{Lu})(\p{Ll}*)$"),
    ("not", "~", r"/(\P{L}+)$"),
    ("caret", "~", r"/(\p{^Lu}+)$"),
    ("cased", "~", r"/(\p{L&}+)$"),
    ("class", "~", r"/([\p{L}\d_]+)$"),
    ("out", "~", r"/([^\p{L}/]+)$"),
    ("double", "~", r"/([^\P{Lu}]+)$"),
    ("digit", "~", r"/(\p{Nd}+)$"),
    ("cyrillic", "~", r"/(\p{Cyrillic}+)$"),
    ("any", "~", r"/(\p{Any})$"),
    ("grapheme", "~", r"/(\X)$"),
    ("i", "~*", r"/(\p{Lu}+)$"),
    ("dot", "~", r"/(.)$"),
    ("word", "~", r"/(\w+)$"),
    ("ucp", "~", r"(*UCP)/(\w+)$"),
    ("ucp-digit", "~", r"(*UCP)/([\d]+)$"),
    ("ucp-posix", "~", r"(*UCP)/([[:upper:]]+)$"),
    ("ucp-i", "~*", r"(*UCP)/(é|à)$"),
    ("utf", "~", r"(*UTF)/(\p{L}+)$"),
    ("utf-lu", "~", r"(*UTF)/(\p{Lu})(\p{Ll}*)$"),
    ("utf-not", "~", r"(*UTF8)/(\P{L}+)$"),
    ("utf-dot", "~", r"(*UTF)/(.)$"),
    ("utf-word", "~", r"(*UTF)/(\w+)$"),
    ("utf-cyrillic", "~", r"(*UTF)/(\p{Cyrillic}+)$"),
    ("utf-grapheme", "~", r"(*UTF)/(\X)$"),
    ("utf-hex", "~", r"(*UTF)/(\x{44f})$"),
    ("utf-i", "~*", r"(*UTF)/(яблоко|éa)$"),
    ("utf-class-i", "~*", r"(*UTF)/([я]+)$"),
    ("utf-ucp", "~", r"(*UTF)(*UCP)/(\w+)$"),
    ("ucp-utf", "~", r"(*UCP)(*UTF)/(\d+)$"),
    ("utf-named", "~", r"(*UTF)/(?<word>\p{L}+)-(?<rest>.*)$"),
    ("literal", "~", r"/(я|é)$"),
    ("literal-i", "~*", r"/(я|é)$"),
    ("bytes", "~", r"/([\x80-\xff]+)$"),
];

/// The ends of the paths: letters, marks, digits, and bytes that are no UTF-8.
const ENDS: &[&str] = &[
    "a",
    "Ab",
    "ABC",
    "a1_",
    "1",
    "-",
    "%D1%8F",
    "%D0%AF",
    "%D0%AF%D1%8F",
    "%D0%AF%D0%91%D0%9B%D0%9E%D0%9A%D0%9E",
    "%C3%A9",
    "%C3%89",
    "%C3%89A",
    "%E9",
    "%C9",
    "%E9a",
    "%FF",
    "%D1",
    "%D1a",
    "%8F",
    "%D9%A1",
    "e%CC%81",
    "%E2%82%AC",
    "%F0%9F%98%80",
    "%ED%A0%80",
    "%C0%80",
    "%F4%90%80%80",
    "%D1%8F-%D0%AF%201",
    "%AA",
    "%B5",
];

pub fn unicode() -> Site {
    let location = |(name, operator, regex): &(&str, &str, &str)| {
        format!(
            "location /{name}/ {{ location {operator} '{regex}' {{ return 200 '[$1][$2][$word][$rest]'; }} \
             return 200 none; }}\n"
        )
    };
    let locations: String = REGEXES.iter().map(location).collect();
    let http = format!(
        "map $uri $kind {{ '~/\\p{{Lu}}[^/]*$' upper; '~*/\\pL[^/]*$' letter; default other; }} \
         map $uri $place {{ '~(*UTF)/(?<found>\\p{{L}}+)$' '<$found>'; default -; }} \
         server {{ listen 127.0.0.1:%port%; root %root%; default_type text/plain;\n\
         {locations}\
         location /map/ {{ return 200 $kind; }} location /place/ {{ return 200 $place; }} \
         location /if/ {{ if ($uri ~ '/(\\p{{Lu}}\\P{{Lu}}*)$') {{ return 200 '<$1>'; }} return 200 no; }} \
         location /if-utf/ {{ if ($uri !~* '(*UTF)/\\p{{L}}+$') {{ return 200 no; }} return 200 yes; }} \
         location /rewrite/ {{ rewrite '^/rewrite/(\\p{{L}}+)(\\P{{L}}*)$' /shown?a=$1&b=$2; return 200 none; }} \
         location /rewrite-utf/ {{ rewrite '(*UTF)^/rewrite-utf/(\\p{{L}}+)(\\P{{L}}*)$' /shown/$1/$2; \
             return 200 none; }} \
         location = /shown {{ return 200 '$uri?$args'; }} location /shown/ {{ return 200 '$uri'; }} }}\n\
         server {{ listen 127.0.0.1:%port%; server_name '~^(?<label>\\p{{L}}+)\\.name$'; return 200 '<$label>'; }}\n\
         server {{ listen 127.0.0.1:%port%; server_name '~(*UTF)^(?<label>\\p{{L}}+)\\.utf$'; \
             return 200 '<$label>'; }}\n"
    );
    let mut probes: Vec<Probe> = Vec::new();
    let own = REGEXES.iter().map(|(name, ..)| *name);
    for name in own.chain(["map", "place", "if", "if-utf", "rewrite", "rewrite-utf"]) {
        probes.extend(ENDS.iter().map(|end| Probe::from(get(&format!("/{name}/{end}")))));
    }
    for (name, host) in [("letters", &b"abc.name"[..]), ("a digit", b"a1.name"), ("letters in UTF-8", b"abc.utf")] {
        let bytes = [b"GET /l/a HTTP/1.1\r\nHost: ", host, b"\r\n\r\n"].concat();
        probes.push(Probe::raw(name, bytes));
    }
    Site::new("unicode", &http, probes)
}

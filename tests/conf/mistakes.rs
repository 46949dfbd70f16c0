//! Mistakes in what directives hold, from the whole program: nginx's word for each, warnings too.

use crate::support;
use std::path::Path;
use std::process::Command;

/// The complaints of `-t` with the level `emerg` or `warn`, a line each, without time and process.
fn complaints(mut program: Command, dir: &Path, text: &str) -> Vec<String> {
    let file = dir.join("c.conf");
    let text = text.replace("%tls%", "ssl_certificate %dir%/a.pem; ssl_certificate_key %dir%/a.key;");
    let text = text.replace("%dir%", &dir.display().to_string());
    std::fs::write(&file, &text).unwrap();
    let globals = format!("pid {}/pid; error_log stderr;", dir.display());
    let output = program.args(["-t", "-g", &globals, "-c"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(i32::from(said.contains("[emerg]"))), "{text}\n{said}");
    let sentence = |line: &str| {
        let at = line.find("[emerg] ").or_else(|| line.find("[warn] "))?;
        let (level, rest) = line[at..].split_once(' ')?;
        let pid_ends = rest.find(": ").filter(|end| rest[..*end].bytes().all(|b| b.is_ascii_digit() || b == b'#'));
        Some(format!("{level} {}", &rest[pid_ends.map_or(0, |end| end + 2)..]))
    };
    said.lines().filter_map(sentence).collect()
}

/// Warnings that nginx does not have.
const OWN: [&str; 5] = ["the root \"", "the alias \"", "the user file \"", "user \"", "there is no location \"@"];

fn nginx(dir: &Path, text: &str) -> Vec<String> {
    let mut program = Command::new(support::tools::nginx());
    program.args(["-e", "stderr", "-p"]).arg(dir);
    complaints(program, dir, text)
}

fn drover(dir: &Path, text: &str) -> Vec<String> {
    let mut said = complaints(Command::new(env!("CARGO_BIN_EXE_drover")), dir, text);
    let is_own =
        |line: &str| OWN.iter().any(|own| line.strip_prefix("[warn] ").is_some_and(|line| line.starts_with(own)));
    said.retain(|line| !is_own(line));
    // nginx says the first alone.
    let errors = said.iter().position(|line| line.starts_with("[emerg] "));
    said.truncate(errors.map_or(said.len(), |first| first + 1));
    said
}

/// The first complaint of drover, then nginx's, about a whole conf.
pub(super) fn of_both(text: &str) -> [String; 2] {
    let dir = tempfile::tempdir().unwrap();
    [drover(dir.path(), text), nginx(dir.path(), text)].map(|said| said.into_iter().next().unwrap_or_default())
}

fn in_server(text: &str) -> String {
    format!("events {{}} http {{ server {{ listen 8097; {text} }} }}")
}

fn in_http(text: &str) -> String {
    format!("events {{}} http {{ server {{ listen 8097; }} {text} }}")
}

/// nginx names no place for what it finds when all has been read: unknown variables, names of servers. OpenSSL's words
/// in parentheses are its own.
fn same(ours: &str, theirs: &str) -> bool {
    if let Some((sentence, _)) = theirs.split_once(" (SSL: ") {
        return ours.strip_prefix(sentence).is_some_and(|rest| rest.starts_with(" ("));
    }
    ours == theirs
        || !theirs.contains("c.conf:") && ours.strip_prefix(theirs).is_some_and(|rest| rest.starts_with(" in "))
}

fn same_words<'t>(texts: impl Iterator<Item = &'t str>, whole: impl Fn(&str) -> String) {
    let dir = tempfile::tempdir().unwrap();
    write_certificates(dir.path());
    let mut differences = String::new();
    for text in texts {
        let (ours, theirs) = (drover(dir.path(), &whole(text)), nginx(dir.path(), &whole(text)));
        if ours.len() != theirs.len() || !ours.iter().zip(&theirs).all(|(ours, theirs)| same(ours, theirs)) {
            differences.push_str(&format!("{text}\n   nginx: {theirs:?}\n  drover: {ours:?}\n"));
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Writes the files that directives of TLS name.
fn write_certificates(dir: &Path) {
    let write = |name: &str, text: &[u8]| std::fs::write(dir.join(name), text).unwrap();
    let pair = |name: &str| {
        let made = rcgen::generate_simple_self_signed([format!("{name}.example")]).unwrap();
        let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        write(&format!("{name}.pem"), pem.as_bytes());
        write(&format!("{name}.key"), key.as_bytes());
        (pem, key)
    };
    let ((pem, key), (other, _)) = (pair("a"), pair("b"));
    write("empty", b"");
    write("cut", &pem.as_bytes()[..200]);
    write("glued", format!("{}{other}", pem.trim_end()).as_bytes());
    write("bom", format!("\u{feff}{pem}").as_bytes());
    write("both", format!("{key}{pem}{other}").as_bytes());
    write("key80", &[7; 80]);
    write("key48", &[8; 48]);
}

#[test]
fn mistakes_in_a_server_are_called_what_nginx_calls_them() {
    same_words(include_str!("mistakes/server.txt").lines(), in_server);
}

#[test]
fn mistakes_in_tables_are_called_what_nginx_calls_them() {
    same_words(include_str!("mistakes/tables.txt").lines(), in_http);
}

#[test]
fn mistakes_in_what_is_shown_are_called_what_nginx_calls_them() {
    same_words(include_str!("mistakes/shown.txt").lines(), in_server);
}

#[test]
fn mistakes_about_tls_are_called_what_nginx_calls_them() {
    same_words(include_str!("mistakes/tls.txt").lines(), in_server);
}

#[test]
fn mistakes_in_limits_are_called_what_nginx_calls_them() {
    same_words(include_str!("mistakes/limits.txt").lines(), in_http);
}

#[test]
fn mistakes_in_what_has_no_effect_are_called_what_nginx_calls_them() {
    same_words(include_str!("mistakes/inert.txt").lines(), in_http);
}

#[test]
fn mistakes_about_requests_and_connections_are_called_what_nginx_calls_them() {
    same_words(include_str!("mistakes/requests.txt").lines(), in_server);
}

#[test]
fn mistakes_in_a_whole_conf_are_called_what_nginx_calls_them() {
    same_words(include_str!("mistakes/main.txt").lines(), str::to_owned);
}

/// PCRE2 is a newer one than Debian's, which now and then points to another place.
#[test]
fn regexes_that_nginx_refuses_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for text in include_str!("mistakes/regex.txt").lines() {
        let said =
            [drover(dir.path(), &in_server(text)), nginx(dir.path(), &in_server(text))].map(|said| said.concat());
        let [ours, theirs] =
            said.each_ref().map(|said| said.split(" at \"").next().unwrap().split(" in /").next().unwrap());
        assert!(theirs.starts_with("[emerg] pcre2_compile() failed: "), "{text}: {theirs}");
        assert_eq!(ours, theirs, "{text}");
    }
}

/// Where drover means to be another: its complaint, nginx's, why.
const INTENDED: &[(&str, &str, &str, &str)] = &[
    ("add_header \"a b\" c;", "invalid header name \"a b\"", "", "clients would not take the response"),
    ("add_header \"a:\" c;", "invalid header name \"a:\"", "", "as above"),
    ("add_trailer \"a b\" c;", "invalid header name \"a b\"", "", "as above"),
    (
        "add_trailer content-length 1;",
        "\"content-length\" can't be a trailer",
        "",
        "RFC 9110 6.5.1: it MUST NOT be one",
    ),
    ("error_page 404 =70000 /x;", "invalid value \"=70000\"", "", "no client knows such a status"),
    ("location @a {} location @a {}", "duplicate location \"@a\"", "", "the second is never reached"),
    ("try_files $uri =1;", "invalid code \"=1\"", "", "nginx then answers nothing and keeps the client waiting"),
    ("try_files $uri =199;", "invalid code \"=199\"", "", "as above"),
    ("root /$request_filename;", "the $request_filename variable cannot be used", "", "a cycle, met at run time"),
    (
        "} charset_map utf-8 a { 80 81; } server {",
        "\"charset_map\" from \"utf-8\"",
        "",
        "nginx takes numbers for addresses then",
    ),
    (
        "} charset_map a b { include /dev/null; } server {",
        "",
        "invalid value \"include\"",
        "an include may stand in any block",
    ),
    ("access_log %dir%/a late; } log_format late x; server {", "", "unknown log format", "the order does not matter"),
    ("location ~ '(?<=a|bc?)d' {}", "", "lookbehind", "PCRE2 takes them from 10.43 on"),
    ("etag content;", "", "invalid value \"content\" in \"etag\" directive", "not nginx's"),
    ("gunzip on; gzip_cache 1m;", "\"gzip_cache\" directive is not allowed here", "unknown directive", "not nginx's"),
    ("max_headers x;", "invalid number", "unknown directive", "nginx has it from 1.29.8 on"),
    ("%tls% ssl_ciphers AES128-SHA;", "SSL_CTX_set_cipher_list(\"AES128-SHA\") failed", "", "no such suite is left"),
    (
        "%tls% ssl_ecdh_curve secp521r1;",
        "SSL_CTX_set1_curves_list(\"secp521r1\") failed",
        "",
        "rustls has no P-521 there",
    ),
    ("%tls% ssl_ecdh_curve X25519MLKEM768;", "", "SSL_CTX_set1_curves_list", "OpenSSL has it from 3.5 on"),
    ("%tls% ssl_protocols TLSv1;", "no version of \"ssl_protocols\" can be had", "", "TLS before 1.2 is broken"),
    ("%tls% ssl_early_data on;", "\"ssl_early_data\" can't be on", "", "it can be replayed"),
    ("%tls% ssl_ocsp on;", "\"ssl_ocsp\" directive is not supported", "", "no responder is asked"),
    (
        "%tls% ssl_conf_command Options KTLS;",
        "\"ssl_conf_command\" directive is not supported",
        "",
        "there is no OpenSSL to command",
    ),
    ("%tls% ssl_stapling on;", "", "\"ssl_stapling\" ignored", "a notice: no responder is asked"),
    ("error_log memory:32k;", "", "nginx was built without debug support", "it needs no debugger"),
    ("error_log memory:x;", "invalid buffer size \"x\"", "nginx was built without debug support", "as nginx with it"),
    (
        "location /p/ { proxy_pass http://127.0.0.1:1; }",
        "\"proxy_pass\" directive is not supported",
        "",
        "as README says",
    ),
];

#[test]
fn what_differs_on_purpose_differs_as_listed() {
    let dir = tempfile::tempdir().unwrap();
    write_certificates(dir.path());
    for (text, ours, theirs, why) in INTENDED {
        let said =
            [drover(dir.path(), &in_server(text)), nginx(dir.path(), &in_server(text))].map(|said| said.concat());
        for (said, expected) in said.iter().zip([ours, theirs]) {
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{text} ({why}): {said}");
        }
    }
}

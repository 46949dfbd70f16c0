//! The complaints of `drover -t` about a bad conf, word for word.

use std::fs;

use crate::support::ended::drover_in;
use crate::support::tools;

/// Tests a conf and returns what drover says, its directory called DIR.
fn complaint(text: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("site.conf"), text).expect("write");
    let said = drover_in(dir.path(), &["-t", "-c", "site.conf"]);
    assert_eq!(said.code, Some(1), "{text}\n{}", said.stderr);
    said.stderr.replace(&dir.path().display().to_string(), "DIR")
}

/// The first line of nginx's complaint, which must be drover's as well.
fn nginx_says(text: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("site.conf"), text).expect("write");
    let path = dir.path().join("site.conf");
    let said = tools::output("nginx", &["-t", "-e", "/dev/null", "-c", path.to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&said.stderr).replace(&dir.path().display().to_string(), "DIR");
    said.lines().next().unwrap_or_default().to_owned()
}

#[track_caller]
fn says(text: &str, first_line: &str) {
    assert_eq!(nginx_says(text), format!("nginx: [emerg] {first_line}"));
    let said = complaint(text);
    assert_eq!(said.lines().next(), Some(format!("drover: [emerg] {first_line}").as_str()), "{said}");
    assert!(said.contains("configuration file DIR/site.conf test failed"), "{said}");
}

#[test]
fn the_line_and_the_place_are_shown() {
    let said = complaint("events { }\nhttp {\n    server {\n        lisen 8080;\n    }\n}\n");
    let wanted = "drover: [emerg] unknown directive \"lisen\" in DIR/site.conf:4\n  --> DIR/site.conf:4:9\n   |\n\
                  4  |         lisen 8080;\n";
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat(&said).starts_with(&flat(wanted).replace("4  |", "4 |")), "{said}");
    assert!(said.contains("^^^^^ did you mean \"listen\"?"), "{said}");
}

#[test]
fn nginx_s_sentences() {
    says("evnts { }", "unknown directive \"evnts\" in DIR/site.conf:1");
    says("events { }\nlisten 80;", "\"listen\" directive is not allowed here in DIR/site.conf:2");
    says("events { }\nhttp { sendfile; }", "invalid number of arguments in \"sendfile\" directive in DIR/site.conf:2");
    says(
        "events { }\nhttp { sendfile maybe; }",
        "invalid value \"maybe\" in \"sendfile\" directive, it must be \"on\" or \"off\" in DIR/site.conf:2",
    );
    says("events { }\nhttp { sendfile on; sendfile off; }", "\"sendfile\" directive is duplicate in DIR/site.conf:2");
    says("events { }\n}\n", "unexpected \"}\" in DIR/site.conf:2");
    says("events {\n", "unexpected end of file, expecting \"}\" in DIR/site.conf:2");
    says("events { }\nhttp { sendfile on", "unexpected end of file, expecting \";\" or \"}\" in DIR/site.conf:2");
    says("events;", "directive \"events\" has no opening \"{\" in DIR/site.conf:1");
    says("worker_processes 1 { }", "directive \"worker_processes\" is not terminated by \";\" in DIR/site.conf:1");
}

#[test]
fn includes() {
    let said = complaint("events { }\ninclude nowhere.conf;");
    assert!(said.contains("\"DIR/nowhere.conf\" failed (2: No such file or directory)"), "{said}");
    let said = complaint("events { }\ninclude site.conf;");
    assert!(said.contains("site.conf:2"), "{said}");
}

#[test]
fn what_is_refused_says_what_to_do() {
    let said = complaint("events { }\nhttp { server { location / { proxy_pass http://localhost; } } }");
    assert!(said.contains("proxy_pass") && said.contains("site.conf:2"), "{said}");
    let said = complaint("events { accept_mutex on; dispatch herd; }");
    assert!(said.contains("accept_mutex") && said.contains("dispatch"), "{said}");
}

/// Files from other systems are read as they are.
#[test]
fn carriage_returns_and_missing_blanks_are_fine() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let text = "pid off;error_log stderr;\r\nevents{worker_connections 64;}\r\n\
                http{access_log off;server{return 200 \"a;b{c}\";}}\r\n";
    fs::write(dir.path().join("site.conf"), text.replace("server{", "server{listen 127.0.0.1:1;")).expect("write");
    let said = drover_in(dir.path(), &["-t", "-c", "site.conf"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
}

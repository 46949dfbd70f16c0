//! All that is wrong with a conf, in one run of `drover -t`: what its statements say, and what they say together.

use crate::mistakes;
use std::path::Path;
use std::process::Command;

/// The words of drover about a conf, with these arguments.
fn said(dir: &Path, text: &str, args: &[&str]) -> String {
    let file = dir.join("c.conf");
    std::fs::write(&file, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_drover"));
    let output = program.args(args).args(["-g", "daemon off; pid off;", "-c"]).arg(&file).output().unwrap();
    String::from_utf8(output.stderr).unwrap().replace(&format!("{}/", dir.display()), "")
}

fn emergencies(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| Some(line.strip_prefix("drover: [emerg] ")?.to_owned())).collect()
}

/// The sentences of `drover -t`, in their order.
fn sentences(dir: &Path, text: &str) -> Vec<String> {
    emergencies(&said(dir, text, &["-t", "-q"]))
}

/// Lines of a server, and what they get: each is right by itself, and found wrong once the whole conf has been read.
const LATE: &[(&str, &[&str])] = &[
    ("access_log /dev/null custm;", &["unknown log format \"custm\""]),
    (
        "add_header a $nope; add_header b \"$nope $neither\";",
        &["unknown \"nope\" variable", "unknown \"neither\" variable"],
    ),
    ("limit_req zone=missing;", &["zero size shared memory zone \"missing\""]),
    ("location /a { } location /a { }", &["duplicate location \"/a\""]),
    ("location = /e { location /e/f { } }", &["location \"/e/f\" cannot be inside the exact location \"/e\""]),
    ("location ^ /f { }", &["invalid location modifier \"^\""]),
    ("location ~ '[' { }", &["pcre2_compile() failed: missing terminating ] for character class in \"[\""]),
    ("location /m { limit_except GTE { deny all; } }", &["invalid method \"GTE\""]),
    ("set $uri x;", &["the duplicate \"uri\" variable"]),
    ("large_client_header_buffers 4 300;", &["the \"large_client_header_buffers\" size must be"]),
    ("source_charset koi8-r; charset utf-8;", &["no \"charset_map\" between the charsets \"koi8-r\" and \"utf-8\""]),
    (
        "valid_referers none;",
        &["the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive"],
    ),
];

fn conf(lines: &[&str]) -> String {
    format!("events {{}}\nhttp {{ server {{ listen 8097;\n{}\n}} }}\n", lines.join("\n"))
}

#[test]
fn what_is_found_late_is_named_at_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<&str> = LATE.iter().map(|(line, _)| *line).collect();
    let said = sentences(dir.path(), &conf(&lines));
    let numbered = LATE.iter().enumerate().flat_map(|(n, (_, said))| said.iter().map(move |said| (n + 3, *said)));
    let expected: Vec<(usize, &str)> = numbered.collect();
    let (sum, each) = said.split_last().unwrap();
    assert_eq!(each.len(), expected.len(), "{said:#?}");
    for (said, (line, sentence)) in each.iter().zip(expected) {
        assert!(said.starts_with(sentence) && said.ends_with(&format!(" in c.conf:{line}")), "{line}: {said}");
    }
    assert_eq!(*sum, "13 problems in 13 of 24 directives");
}

#[test]
fn each_of_what_is_found_late_is_nginx_s_sentence() {
    for (line, expected) in LATE {
        let said = mistakes::of_both(&conf(&[line]));
        for said in said {
            assert!(said.starts_with(&format!("[emerg] {}", expected[0])), "{line}: {said}");
        }
    }
}

#[test]
fn servers_that_do_not_fit_together_are_named_with_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let text = "events {\n accept_mutex on;\n dispatch herd;\n}\nhttp {\n include more.conf;\n\
                server { listen 8097 default_server backlog=5; root /a $x; }\n\
                server { listen 8097 default_server backlog=6; server_name a..b; }\n}\n\
                stream {\n server { listen 8097; echo_upper; }\n server { listen 8098; }\n server { echo_upper; }\n}\n";
    std::fs::write(dir.path().join("more.conf"), "nonsense;\naccess_log /dev/null none;\n").unwrap();
    assert_eq!(
        sentences(dir.path(), text),
        [
            "\"dispatch herd\" contradicts \"accept_mutex on\" in c.conf:3",
            "unknown directive \"nonsense\" in more.conf:1",
            "unknown log format \"none\" in more.conf:2",
            "invalid number of arguments in \"root\" directive in c.conf:7",
            "a duplicate default server for 0.0.0.0:8097 in c.conf:8",
            "duplicate listen options for 0.0.0.0:8097 in c.conf:8",
            "invalid server name or wildcard \"a..b\" on 0.0.0.0:8097 in c.conf:8",
            "duplicate \"0.0.0.0:8097\" address and port pair in c.conf:11",
            "no handler for server in c.conf:12",
            "no \"listen\" is defined for server in c.conf:13",
            "10 problems in 9 of 23 directives",
        ]
    );
}

#[test]
fn nothing_is_missing_that_stands_where_the_conf_was_not_understood() {
    let dir = tempfile::tempdir().unwrap();
    let text = |include: &str| {
        format!(
            "http {{\n{include}mapp $uri $kind {{ a b; }}\ngeoip2 /x {{ $country country; }}\njs_set $scripted x;\n\
             log_format main $kind$country$scripted$Year$other;\nlog_format late;\n\
             limit_req_zone $uri zone=one:1x rate=1r/s;\nlimit_req zone=one;\nlimit_req zone=two;\n\
             server {{ listen 80 rubbish; access_log /x late; large_client_header_buffers x;\n\
             location ~ '(?<year>[' {{ return 200 $year; }} }} }}\n\
             stream {{ server {{ listen 81; proxy_pass x; }} }}\n"
        )
    };
    let said = sentences(dir.path(), &text(""));
    let is = |sentence: &str| said.iter().any(|said| said.starts_with(sentence));
    assert!(is("unknown \"other\" variable in c.conf:5") && is("zero size shared memory zone \"two\""), "{said:#?}");
    assert!(is("no \"events\" section in configuration"), "{said:#?}");
    assert_eq!(said.iter().filter(|said| said.contains("variable")).count(), 1, "{said:#?}");
    assert_eq!(said.len(), 13, "{said:#?}");
    // Any name may stand in the file that is missing.
    let said = sentences(dir.path(), &text("include none.conf; "));
    assert!(said[0].starts_with("open() \"none.conf\" failed"), "{said:#?}");
    assert_eq!(said.len(), 11, "{said:#?}");
}

#[test]
fn each_wrong_line_of_a_table_and_of_its_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("kinds.map"), "/a x;\n/b;\n/a y;\n~[ z;\n/c $;\n").unwrap();
    std::fs::write(dir.path().join("nets"), "10.0.0.0/8 a;\n10.0.0.0/99 b;\nrubbish c;\n").unwrap();
    let text = "events {}\nhttp {\nmap $uri $kind { include kinds.map; }\ngeo $net { include nets; }\n\
                log_format a $kind$net; }\n";
    let said = sentences(dir.path(), text);
    let expected = [
        "invalid number of the map parameters in kinds.map:2",
        "conflicting parameter \"/a\" in kinds.map:3",
        "pcre2_compile() failed: missing terminating ] for character class in \"[\" in kinds.map:4",
        "invalid variable name in kinds.map:5",
        "invalid network \"10.0.0.0/99\" in nets:2",
        "invalid network \"rubbish\" in nets:3",
    ];
    assert_eq!(said[..said.len() - 1], expected);
    let many: String = (0..30).map(|n| format!("same x{n};\n")).collect();
    std::fs::write(dir.path().join("kinds.map"), many).unwrap();
    std::fs::write(dir.path().join("nets"), "").unwrap();
    // All of them have a picture together.
    let said = sentences(dir.path(), text);
    assert_eq!(said[0], "conflicting parameter \"same\" in kinds.map:2");
    assert_eq!(said.len(), 2, "{said:#?}");
}

#[test]
fn files_that_cannot_be_opened_are_named_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let tls = |name: &str| format!("ssl_certificate {at}/no/{name}.pem;\n ssl_certificate_key {at}/no/{name}.key;");
    let text = format!(
        "events {{}}\nerror_log {at}/no/main.log;\nhttp {{\n access_log {at}/no/http.log;\n\
         server {{ listen 8097 ssl; server_name a;\n {}\n error_log {at}/no/server.log info; }}\n\
         server {{ listen 8097 ssl; server_name a;\n {}\n\
         location / {{ access_log {at}/no/location.log; access_log {at}/no/main.log; }} }}\n\
         server {{ listen 8099 ssl; }}\n}}\n",
        tls("a"),
        tls("b")
    );
    let gone = |name: &str| format!("open() \"no/{name}\" failed (2: No such file or directory)");
    let unread = |what: &str, name: &str| {
        format!("cannot load certificate{what} \"no/{name}\": BIO_new_file() failed (2: No such file or directory)")
    };
    let expected = [
        format!("{} in c.conf:2", gone("main.log")),
        format!("{} in c.conf:4", gone("http.log")),
        format!("{} in c.conf:6", unread("", "a.pem")),
        format!("{} in c.conf:7", unread(" key", "a.key")),
        format!("{} in c.conf:8", gone("server.log")),
        format!("{} in c.conf:10", unread("", "b.pem")),
        format!("{} in c.conf:11", unread(" key", "b.key")),
        format!("{} in c.conf:12", gone("location.log")),
        "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in c.conf:13".to_owned(),
        "9 problems in 10 of 22 directives".to_owned(),
    ];
    let tested = said(dir.path(), &text, &["-t"]);
    assert_eq!(emergencies(&tested), expected, "{tested}");
    assert!(tested.contains("2 times in all, also in line 12"), "{tested}");
    assert!(tested.contains("[warn] conflicting server name \"a\""), "they hide no warning: {tested}");
    assert!(!tested.contains("syntax is ok"), "nginx finds the certificates while it reads: {tested}");
    assert_eq!(emergencies(&said(dir.path(), &text, &[])), expected, "a start says the same");
    let server = format!("server {{ error_log {at}/no/c; listen 8097; }}");
    let logs = format!("events {{}}\nerror_log {at}/no/a;\nhttp {{ access_log {at}/no/b; {server} }}\n");
    let tested = said(dir.path(), &logs, &["-t"]);
    assert_eq!(emergencies(&tested).len(), 4, "{tested}");
    assert!(tested.contains("syntax is ok"), "nginx opens the logs behind that: {tested}");
}

#[test]
fn a_mistake_in_the_text_hides_no_missing_file() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let server = format!(
        "server {{ listen 8097 ssl; ssl_certificate {at}/no/a.pem;\n ssl_certificate_key {at}/no/a.key;\n\
         access_log {at}/no/a.log; access_log {at}/made.log;\n auth_basic a; auth_basic_user_file {at}/no/users;"
    );
    let head = format!("events {{}}\nerror_log {at}/no/main.log;\nhttp {{\n");
    let files = [
        "open() \"no/main.log\" failed (2: No such file or directory) in c.conf:2",
        "cannot load certificate \"no/a.pem\": BIO_new_file() failed (2: No such file or directory) in c.conf:4",
        "cannot load certificate key \"no/a.key\": BIO_new_file() failed (2: No such file or directory) in c.conf:5",
        "open() \"no/a.log\" failed (2: No such file or directory) in c.conf:6",
    ];
    let unread = "; not read: what stands from c.conf:10 on";
    for (end, mistake, rest) in [
        (" }\n}\n}\nserver { rubbish; }\n", "unexpected \"}\" in c.conf:9", unread),
        (" }\n", "unexpected end of file, expecting \"}\" in c.conf:8", ""),
        ("\n }\n} a\n", "unexpected end of file, expecting \";\" or \"}\" in c.conf:10", ""),
        ("\n index a }\n}\n", "unexpected \"}\" in c.conf:8", ""),
        ("\n nonsense; }\n}\n", "unknown directive \"nonsense\" in c.conf:8", ""),
        (" }\n log_format late;\n}\n", "invalid number of arguments in \"log_format\" directive in c.conf:8", ""),
    ] {
        let tested = said(dir.path(), &format!("{head}{server}{end}"), &["-t"]);
        let found = emergencies(&tested);
        let (sum, each) = found.split_last().unwrap();
        let expected: Vec<&str> = files.iter().copied().chain([mistake]).collect();
        assert_eq!(each, expected, "{tested}");
        assert!(sum.starts_with("5 problems in ") && sum.ends_with(&format!(" directives{rest}")), "{sum}");
        assert!(tested.contains("the user file \"no/users\" does not exist"), "{tested}");
        assert!(!tested.contains("syntax is ok") && !dir.path().join("made.log").exists(), "{tested}");
    }
}

#[test]
fn nothing_is_missing_that_may_stand_behind_the_end_of_the_reading() {
    let dir = tempfile::tempdir().unwrap();
    let text = "http {\n access_log /dev/null late; add_header a $late;\n source_charset a; charset b;\n\
                limit_req zone=late;\n server { listen 8097 ssl; }\n server { {\n";
    let said = sentences(dir.path(), text);
    let sum = "1 problem in 1 of 11 directives; not read: what stands from c.conf:6 on";
    assert_eq!(said, ["unexpected \"{\" in c.conf:6", sum]);
}

#[test]
fn a_pid_file_that_cannot_be_made_is_named_with_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.conf");
    let text =
        "daemon off;\nerror_log no/main.log;\npid no/x.pid;\nevents {}\nhttp { access_log no/a.log; server { } }\n";
    std::fs::write(&file, text).unwrap();
    for args in [&["-t"][..], &[]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_drover"));
        let output = program.args(args).arg("-p").arg(dir.path()).arg("-c").arg(&file).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap().replace(&format!("{}/", dir.path().display()), "");
        let gone =
            |path: &str, line: u32| format!("open() \"{path}\" failed (2: No such file or directory) in c.conf:{line}");
        let each = emergencies(&said);
        assert_eq!(each[..3], [gone("no/main.log", 2), gone("no/x.pid", 3), gone("no/a.log", 5)], "{said}");
    }
}

#[test]
fn an_address_that_is_taken_is_named_with_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (taken(), taken());
    let [one, other] = [&one, &other].map(|socket| socket.local_addr().unwrap());
    let text = format!(
        "events {{}}\nhttp {{\n server {{ listen {one}; access_log {}/no/a.log; }}\n server {{ listen {other}; }}\n\
         server {{ listen unix:{0}/socket; }}\n}}\n",
        dir.path().display()
    );
    let gone = "open() \"no/a.log\" failed (2: No such file or directory) in c.conf:3";
    let started = emergencies(&said(dir.path(), &text, &[]));
    for sentence in
        [format!("bind() to {one} failed (98: Add"), gone.into(), format!("bind() to {other} failed (98: Add")]
    {
        assert!(started.iter().any(|said| said.starts_with(&sentence)), "{sentence}: {started:#?}");
    }
    assert!(started[3].starts_with("3 problems in 3 of "), "{started:#?}");
    assert_eq!(sentences(dir.path(), &text), [gone], "a server may run beside a test");
    assert!(!dir.path().join("socket").exists());
}

fn taken() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn what_leaves_no_doubt_how_it_is_meant_hides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let text = "events {}\nhttp {\n server {\n  root /a }\n server { listen 8097;;\n  index a\n }\n\
                upstream u { server a }\n unheard of { a { b } ; }\n types { a b }\n nonsense;\n}\n";
    assert_eq!(
        sentences(dir.path(), text),
        [
            "unexpected \"}\" in c.conf:4",
            "unexpected \";\" in c.conf:5",
            "unknown directive \"unheard\" in c.conf:9",
            "unknown directive \"nonsense\" in c.conf:11",
            "4 problems in 7 of 14 directives",
        ]
    );
    let said = said(dir.path(), text, &["-t"]);
    assert!(said.contains("4 times in all, also in lines 7, 8, 10"), "{said}");
}

#[test]
fn what_was_not_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = "events {}\nhttp {\n nonsense;\n}\n}\n# more\n\nserver { rubbish; }\n";
    let said = sentences(dir.path(), text);
    assert_eq!(said[1], "unexpected \"}\" in c.conf:5");
    assert_eq!(said[2..], ["2 problems in 1 of 5 directives; not read: what stands from c.conf:8 on"]);
    let said = sentences(dir.path(), "events {}\n} # the end\n");
    assert_eq!(said, ["unexpected \"}\" in c.conf:2"]);
    let said = sentences(dir.path(), "events {}\n}\nhttp {}\n");
    assert_eq!(said[1], "1 problem in 1 of 3 directives; not read: what stands from c.conf:3 on");
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one.conf"), "server { index a; }\n}\nserver {}\n").unwrap();
    std::fs::write(dir.path().join("two.conf"), "server {\n rot /a;\n").unwrap();
    let text = "events {}\nhttp {\n include one.conf;\n include two.conf;\n nonsense;\n add_header a $unheard;\n}\n";
    assert_eq!(
        sentences(dir.path(), text),
        [
            "unexpected \"}\" in one.conf:2",
            "unknown directive \"rot\" in two.conf:2",
            "unexpected end of file, expecting \"}\" in two.conf:3",
            "unknown directive \"nonsense\" in c.conf:5",
            "4 problems in 3 of 12 directives; not read: what stands from one.conf:3 on",
        ]
    );
}

#[test]
fn lua_in_a_block_that_is_not_looked_at_ends_where_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let lua = "balancer_by_lua_block { local b = require \"b\"; b.set('}'); if not x then return end -- it's }\n }";
    let text =
        format!("events {{}}\nhttp {{\n upstream u {{ server a; {lua} }}\n nonsense {{ {lua} }}\n rubbish;\n}}\n");
    assert_eq!(
        sentences(dir.path(), &text),
        [
            "unknown directive \"balancer_by_lua_block\" in c.conf:3",
            "unknown directive \"nonsense\" in c.conf:5",
            "unknown directive \"rubbish\" in c.conf:7",
            "3 problems in 3 of 7 directives",
        ]
    );
}

#[test]
fn a_block_in_another_language_is_one_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let lua = "local t = { a = 1, b = '}', [\"c\"] = { } }\n -- don't {\n if #t > 0 then ngx.say(\"it's {\") end";
    let long = "local s = [[ } ]]; x = [==[ }} ]] ]==]; --[[ }\n } ]] y = a[b[1]]; --[=[ { ]=]";
    let script = "function (r) { r.return(200, { a: 1 }['a']) }";
    let text = format!(
        "events {{}}\nhttp {{\n init_by_lua_block {{ {lua}\n }}\n server {{\n location /a {{ content_by_lua_block {{\n\
         {lua}\n }} }}\n set_by_lua_block $x {{ {long} }}\n unheard_of {{ {script} }}\n nonsense;\n }}\n}}\n"
    );
    assert_eq!(
        sentences(dir.path(), &text),
        [
            "unknown directive \"init_by_lua_block\" in c.conf:3",
            "unknown directive \"content_by_lua_block\" in c.conf:8",
            "unknown directive \"set_by_lua_block\" in c.conf:13",
            "unknown directive \"unheard_of\" in c.conf:15",
            "unknown directive \"nonsense\" in c.conf:16",
            "5 problems in 5 of 11 directives",
        ]
    );
}

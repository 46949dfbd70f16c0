//! Errors: the configuration is refused.

use super::{check, in_server, run, said};

#[test]
fn what_is_said_twice_names_the_first_place() {
    check(
        "emerg",
        &[
            (
                "events {}\nhttp {}\nhttp {}\n",
                "\"http\" directive is duplicate in c.conf:3",
                "3:1",
                "http",
                "it stands in c.conf:2 already",
            ),
            (
                "pid off;\nevents {}\n",
                "\"pid\" directive is duplicate in c.conf:1",
                "1:1",
                "pid",
                "it stands in the command line already",
            ),
            (
                "events {}\nhttp {\n root /a;\n root /b;\n}\n",
                "\"root\" directive is duplicate in c.conf:4",
                "4:2",
                "root",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server { location / {\n root /;\n alias /b;\n}}}\n",
                "\"alias\" directive is duplicate, \"root\" directive was specified earlier in c.conf:4",
                "4:2",
                "alias",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server {\n listen 8097;\n listen *:8097;\n}}\n",
                "a duplicate listen 0.0.0.0:8097 in c.conf:4",
                "4:9",
                "*:8097",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server {\n location /a {}\n location ^~ /a {}\n}}\n",
                "duplicate location \"/a\" in c.conf:4",
                "4:14",
                "/a",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server {\n location = /a {}\n location =/a {}\n}}\n",
                "duplicate location \"/a\" in c.conf:4",
                "4:11",
                "=/a",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp {\n server { listen 8097 default_server; }\n server { listen 8097 default; }\n}\n",
                "a duplicate default server for 0.0.0.0:8097 in c.conf:4",
                "4:18",
                "8097",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp {\n server { listen 8097 backlog=5; }\n server { listen 8097 backlog=5; }\n}\n",
                "duplicate listen options for 0.0.0.0:8097 in c.conf:4",
                "4:18",
                "8097",
                "options of a socket can be set once: they stand in c.conf:3",
            ),
            (
                "events {}\nhttp {\n log_format a b;\n log_format a c;\n}\n",
                "duplicate \"log_format\" name \"a\" in c.conf:4",
                "4:13",
                "a",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp {\n log_format combined c;\n}\n",
                "duplicate \"log_format\" name \"combined\" in c.conf:3",
                "3:13",
                "combined",
                "this format is built in",
            ),
            (
                "events {}\nstream { server {\n listen 8097;\n echo_upper;\n json_rpc;\n}}\n",
                "\"json_rpc\" directive is duplicate in c.conf:5",
                "5:2",
                "json_rpc",
                "it stands in c.conf:4 already",
            ),
            (
                "events {}\nhttp { server {\n listen 8097;\n}}\nstream { server { listen 8097; echo_upper; }}\n",
                "duplicate \"0.0.0.0:8097\" address and port pair in c.conf:5",
                "5:26",
                "8097",
                "0.0.0.0:8097 is listened on by \"http\" in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server { location /a {\n stub_status;\n ledger;\n}}}\n",
                "\"ledger\" conflicts with \"stub_status\" in the same location in c.conf:4",
                "4:2",
                "ledger",
                "\"stub_status\" stands in c.conf:3: give each a location of its own",
            ),
            (
                "events {\n accept_mutex on;\n dispatch herd;\n}\n",
                "\"dispatch herd\" contradicts \"accept_mutex on\" in c.conf:3",
                "3:2",
                "dispatch",
                "say one of them: \"accept_mutex\" stands in c.conf:2",
            ),
        ],
    );
    check(
        "warn",
        &[(
            "events {}\nhttp {\n server { listen 8097; server_name a; }\n \
                 server { listen 8097; server_name b a; }\n}\n",
            "conflicting server name \"a\" on 0.0.0.0:8097, ignored in c.conf:4",
            "4:38",
            "a",
            "it stands in c.conf:3 already",
        )],
    );
}

/// `check` for lines of a server: the error without its place, the column, the marked words, the help.
fn check_in_server(cases: &[(&str, &str, u32, &str, &str)]) {
    for (line, sentence, column, marked, help) in cases {
        let (sentence, at) = (format!("{sentence} in c.conf:3"), format!("3:{column}"));
        check("emerg", &[(&in_server(line), &sentence, &at, marked, help)]);
    }
}

#[test]
fn options_of_listen_are_told_what_they_should_be() {
    const HTTP3: &str = "drover does not speak HTTP/3 yet: leave \"quic\" out, clients use HTTP/2";
    const SPDY: &str = "clients have given SPDY up: leave \"spdy\" out";
    let invalid = |text: &str| format!("invalid parameter \"{text}\"");
    for (option, help) in [
        ("default_servr", "did you mean \"default_server\"?"),
        ("reuse_port", "did you mean \"reuseport\"?"),
        ("backlgo=5", "did you mean backlog=NUMBER?"),
        ("backlog", "did you mean backlog=NUMBER?"),
        ("ipv6only", "did you mean ipv6only=on or ipv6only=off?"),
        ("ipv6only=yes", "did you mean ipv6only=on or ipv6only=off?"),
        ("proxy-protocol", "did you mean \"proxy_protocol\"?"),
        ("443", "each address has a \"listen\" of its own"),
        ("[::]:443", "each address has a \"listen\" of its own"),
        ("whatever", "the options are in drover --help-conf listen"),
    ] {
        check_in_server(&[(&format!("listen 8097 {option};"), &invalid(option), 14, option, help)]);
    }
    let missing = |name: &str| format!("the \"{name}\" parameter of \"listen\" is not supported");
    let both = format!("{HTTP3}; {SPDY}");
    check_in_server(&[
        ("listen 8097 quic;", &missing("quic"), 14, "quic", HTTP3),
        ("listen 8097 spdy;", &missing("spdy"), 14, "spdy", SPDY),
        ("listen 8097 quic spdy;", &missing("quic"), 14, "quic", &both),
        ("listen 8097 backlog=x;", "invalid backlog \"backlog=x\"", 14, "backlog=x", "backlog=NUMBER"),
        (
            "listen 8097 so_keepalive=x;",
            "invalid so_keepalive value: \"x\"",
            14,
            "so_keepalive=x",
            "on, off or [IDLE]:[INTERVAL]:[COUNT], such as 30m::10",
        ),
    ]);
    let of_listen = |what: &str| format!("{what} of the \"listen\" directive");
    check_in_server(&[
        (
            "listen http://localhost:8097;",
            &of_listen("invalid host in \"http://localhost:8097\""),
            9,
            "http://localhost:8097",
            "an address and a port, without \"http://\" and without a path",
        ),
        (
            "listen :8097;",
            &of_listen("no host in \":8097\""),
            9,
            ":8097",
            "all addresses of this machine are \"*:8097\"",
        ),
        (
            "listen ::1:8097;",
            &of_listen("invalid port in \"::1:8097\""),
            9,
            "::1:8097",
            "an IPv6 address stands in brackets: [::1]:8080",
        ),
        (
            "listen 80970;",
            &of_listen("invalid port in \"80970\""),
            9,
            "80970",
            "a port is a number from 1 to 65535, a range is FIRST-LAST",
        ),
    ]);
}

#[test]
fn parameters_of_dispatch_are_told_what_they_should_be() {
    for (parameter, help) in
        [("rotte=4", "did you mean \"rotate=\"?"), ("whatever=4", "the parameters of \"exclusive\" are rotate=")]
    {
        let text = format!("events {{\n dispatch exclusive {parameter};\n}}\n");
        let sentence = format!("invalid parameter \"{parameter}\" in c.conf:2");
        check("emerg", &[(&text, &sentence, "2:21", parameter, help)]);
    }
    let text = |rest: &str| format!("events {{\n {rest}\n}}\n");
    check(
        "emerg",
        &[
            (
                &text("dispatch steer falback=reuseport;"),
                "invalid parameter \"falback=reuseport\" in c.conf:2",
                "2:17",
                "falback=reuseport",
                "did you mean \"fallback=\"?",
            ),
            (
                &text("dispatch steer fallback=reusport;"),
                "invalid value \"reusport\" of \"fallback\" in c.conf:2",
                "2:17",
                "fallback=reusport",
                "did you mean \"reuseport\"?",
            ),
            (
                &text("dispatch ster;"),
                "unknown dispatch model \"ster\" in c.conf:2",
                "2:11",
                "ster",
                "did you mean \"steer\"?",
            ),
            (&text("steer_lease 5ms;"), "\"steer_lease\" must be between 20ms and 60s in c.conf:2", "2:14", "5ms", ""),
        ],
    );
}

#[test]
fn the_wrong_word_is_marked() {
    check(
        "emerg",
        &[(
            "events {}\nworker_processes many;\n",
            "\"worker_processes\" directive invalid value in c.conf:2",
            "2:18",
            "many",
            "a number of processes, or auto",
        )],
    );
    let size = "the size of \"gzip_cache\" must be between 1m and 64g in c.conf:3";
    let text = |size: &str| format!("events {{}}\nhttp {{\n gzip_cache {size};\n}}\n");
    check("emerg", &[(&text("64k"), size, "3:13", "64k", "\"off\" keeps nothing")]);
    let twice = "events {}\nhttp {\n gzip_cache 1x;\n}\n";
    let invalid = "\"gzip_cache\" directive invalid value in c.conf:3";
    check("emerg", &[(twice, invalid, "3:13", "1x", "a size in bytes, such as 512, 8k, 1m or 2g")]);
    let invalid = "\"large_client_header_buffers\" directive invalid value";
    check_in_server(&[
        ("large_client_header_buffers 0 8k;", invalid, 30, "0", "a number of buffers, 1 or more"),
        ("large_client_header_buffers 4 8x;", invalid, 32, "8x", "a size in bytes, such as 8k"),
    ]);
}

#[test]
fn lines_of_tables_are_marked() {
    let in_http = |block: &str| format!("events {{}}\nhttp {{\n {block}\n}}\n");
    for (block, sentence, at, marked, help) in [
        ("map $uri $a {\n a b; A c; }", "conflicting parameter \"a\"", "4:7", "A", "it stands in c.conf:4 already"),
        (
            "map $uri $a {\n a b\n c d; }",
            "invalid number of the map parameters",
            "4:2",
            "a",
            "a key and a value: is a \";\" missing, or quotes around blanks?",
        ),
        ("map $uri $a {\n a $ury; }", "unknown \"ury\" variable", "4:4", "$ury", "did you mean \"$uri\"?"),
        ("map $args $uri { }", "the duplicate \"uri\" variable", "3:12", "$uri", "the name is taken: choose another"),
        (
            "geo $a {\n delete 10/8; }",
            "invalid network \"10/8\"",
            "4:9",
            "10/8",
            "a net such as 192.0.2.0/24 or 2001:db8::/32, or a line of \"ranges\"",
        ),
        (
            "split_clients $uri $a {\n 5 b; }",
            "invalid percent value \"5\"",
            "4:2",
            "5",
            "a share such as 12.5%, or * for the rest",
        ),
    ] {
        let line = at.split(':').next().unwrap();
        check("emerg", &[(&in_http(block), &format!("{sentence} in c.conf:{line}"), at, marked, help)]);
    }
}

#[test]
fn values_of_several_words_are_to_be_quoted() {
    check_in_server(&[
        (
            "add_header A b, c;",
            "invalid parameter \"c\"",
            18,
            "c",
            "\"always\" can stand here; quote a value of several words: \"b, c\"",
        ),
        (
            "return 200 hello you there;",
            "invalid number of arguments in \"return\" directive",
            2,
            "return",
            "write it as: return CODE [TEXT] | CODE URL | URL, and a value of several words in quotes",
        ),
        (
            "root /srv/my site;",
            "invalid number of arguments in \"root\" directive",
            2,
            "root",
            "write it as: root PATH, and a value of several words in quotes",
        ),
        (
            "sendfile on on;",
            "invalid number of arguments in \"sendfile\" directive",
            2,
            "sendfile",
            "write it as: sendfile on | off",
        ),
        (
            "default_type text/html; charset=utf-8;",
            "unknown directive \"charset=utf-8\"",
            26,
            "charset=utf-8",
            "does it belong to the value before the \";\"? Then that value needs quotes",
        ),
    ]);
}

#[test]
fn forgotten_semicolons_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let missing = "is a \";\" missing after this?";
    for (text, sentence, marked) in [
        ("listen 8097\n server_name a;", "invalid parameter \"server_name\" in c.conf:4", "8097"),
        ("listen 8097\n location / {}", "directive \"listen\" is not terminated by \";\" in c.conf:4", "8097"),
        ("root /srv\n index a;", "invalid number of arguments in \"root\" directive in c.conf:4", "/srv"),
        ("add_header A b\n expires 1d;", "invalid number of arguments in \"add_header\" directive in c.conf:4", "b"),
        ("error_page 404 /x\n include y;", "invalid value \"/x\" in c.conf:4", "/x"),
    ] {
        let (is_fine, messages) = said(dir.path(), &in_server(text));
        let [message] = &messages[..] else { panic!("{text}: {messages:?}") };
        assert!(!is_fine && message.level == "emerg", "{message:?}");
        let found = (message.sentence.as_str(), message.marked.as_str(), message.help.as_str());
        assert_eq!(found, (sentence, marked, missing), "{text}");
        assert!(message.at.starts_with("3:"), "{text}: {message:?}");
    }
    // All of these work.
    for (text, name, argument, marked) in [
        ("listen 8097; index index.html\n autoindex off;", "index", "autoindex", "index.html"),
        ("listen 8097; index index.html\nsendfile on;", "index", "sendfile", "index.html"),
        ("listen 8097; server_name a\n expires off;", "server_name", "expires", "a"),
        ("listen 8097; location / { index a\n include /etc/hostname; }", "index", "include", "a"),
    ] {
        let (is_fine, messages) = said(dir.path(), &in_server(text));
        let [message] = &messages[..] else { panic!("{text}: {messages:?}") };
        assert!(is_fine && message.level == "warn", "{message:?}");
        let sentence = format!("\"{argument}\", an argument of \"{name}\", is the name of a directive in c.conf:3");
        let found = (message.sentence.as_str(), message.marked.as_str(), message.help.as_str());
        assert_eq!(found, (sentence.as_str(), marked, missing), "{text}");
    }
    // Nor do these miss anything: lists over several lines, quotes, what could be no statement.
    for text in [
        "listen 8097; server_name a\n b\n c;",
        "listen 8097; index\n index\n index.html;",
        "listen 8097; index a\n 'sendfile' on;",
        "listen 8097; index a sendfile\n on;",
        "listen 8097; index a\n sendfile;",
        "listen 8097; server_name a\n internal;",
    ] {
        assert_eq!(said(dir.path(), &in_server(text)), (true, Vec::new()), "{text}");
    }
}

#[test]
fn quotes_and_blanks_of_word_processors_are_found() {
    let dir = tempfile::tempdir().unwrap();
    for (text, marked, help) in [
        ("listen 8097; add_header A “b”;", "“b”", "“ is no quote here: write \" or '"),
        ("listen 8097; server_name «a»;", "«a»", "« is no quote here: write \" or '"),
        ("listen 8097; location ‘/a’ { }", "‘/a’", "‘ is no quote here: write \" or '"),
        ("listen 8097; types { “a/b” c; }", "“a/b”", "“ is no quote here: write \" or '"),
        ("listen 8097; index\u{a0}a b;", "index\u{a0}a", ""),
        ("listen 8097; index a\u{a0}b;", "a\u{a0}b", "U+00A0 is no ASCII blank: type it anew"),
    ] {
        let (is_fine, messages) = said(dir.path(), &in_server(text));
        let [message] = &messages[..] else { panic!("{text}: {messages:?}") };
        let (level, help) = match help {
            "" => ("emerg", "U+00A0 is no ASCII blank: type it anew"),
            help => ("warn", help),
        };
        assert_eq!((is_fine, message.level.as_str()), (level == "warn", level), "{message:?}");
        assert_eq!((message.marked.as_str(), message.help.as_str()), (marked, help), "{text}");
    }
    check_in_server(&[(
        "add_header A “b c”;",
        "invalid parameter \"c”\"",
        15,
        "“b",
        "“ is no quote here: write \" or '",
    )]);
    for text in ["add_header A 'he said “b”';", "add_header A it’s;", "return 200 \"«a»\";"] {
        assert_eq!(said(dir.path(), &in_server(&format!("listen 8097; {text}"))), (true, Vec::new()), "{text}");
    }
}

#[test]
fn what_can_not_be_opened_has_its_place() {
    let gone = |call: &str| format!("{call} failed (2: No such file or directory)");
    check(
        "emerg",
        &[
            (
                "events {}\nerror_log %dir%/no/log;\n",
                &format!("{} in c.conf:2", gone("open() \"no/log\"")),
                "2:11",
                "no/log",
                "",
            ),
            (
                "events {}\npid\n %dir%/no/pid;\n",
                &format!("{} in c.conf:2", gone("open() \"no/pid\"")),
                "2:1",
                "pid",
                "",
            ),
            (
                "events {}\nhttp {\n include no.conf;\n}\n",
                &format!("{} in c.conf:3", gone("open() \"no.conf\"")),
                "3:10",
                "no.conf",
                "",
            ),
        ],
    );
    let opened = gone("open() \"no/log\"");
    let bound = gone("bind() to unix:no/socket");
    check_in_server(&[
        ("listen 8097; access_log %dir%/no/log;", &opened, 26, "no/log", ""),
        ("listen 8097; error_log %dir%/no/log info;", &opened, 25, "no/log", ""),
        ("listen unix:%dir%/no/socket;", &bound, 9, "unix:no/socket", ""),
        (
            "listen 192.0.2.1:8097;",
            "bind() to 192.0.2.1:8097 failed (99: Cannot assign requested address)",
            9,
            "192.0.2.1:8097",
            "no network interface of this machine has that address",
        ),
    ]);
}

#[test]
fn an_address_in_use_has_its_place_and_the_log_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let text = format!("error_log %dir%/log;\n{}", in_server(&format!("listen {address};")));
    let (is_fine, messages) = run(dir.path(), &text, &[]);
    let last = messages.last().unwrap();
    let sentence = format!("bind() to {address} failed (98: Address already in use) in c.conf:4");
    assert_eq!((is_fine, last.level.as_str(), last.sentence.as_str()), (false, "emerg", sentence.as_str()));
    assert_eq!((last.at.as_str(), last.marked.as_str()), ("4:9", address.to_string().as_str()));
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("[emerg]")).collect();
    let path = format!("{}/", dir.path().display());
    assert!(matches!(lines[..], [line] if line.replace(&path, "").contains(&sentence)), "{log}");
    assert!(log.lines().all(|line| line.contains('[')), "no picture: {log}");
}

/// A conf that is moved here from nginx is mended in one go: every problem is said, and each once.
#[test]
fn all_problems_of_a_conf_are_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let text = "events {}\nhttp {\n server {\n  proxy_pass a;\n  rot /x;\n  index a b\n  ;\n  proxy_pass b;\n }\n}\n";
    let (is_fine, messages) = run(dir.path(), text, &["-t", "-q"]);
    let said: Vec<(&str, &str)> = messages.iter().map(|said| (said.sentence.as_str(), said.help.as_str())).collect();
    assert!(!is_fine);
    assert_eq!(
        said,
        [
            ("\"proxy_pass\" directive is not supported in c.conf:4", "2 times in all, also in line 8"),
            ("unknown directive \"rot\" in c.conf:5", "did you mean \"root\"?"),
            ("2 problems in 3 of 9 directives", ""),
        ]
    );
}

//! Values that a person may well write and that mean nothing: each is told what would.

use super::{check, in_server, said};

/// `(line of a server, sentence without its place, marked, help)`.
const VALUES: &[(&str, &str, &str, &str)] = &[
    (
        "etag contents;",
        "invalid value \"contents\" in \"etag\" directive, it must be \"on\" or \"off\"",
        "contents",
        "or \"content\", for a tag that is made of what the file holds",
    ),
    (
        "gzip_buffers 16 8kb;",
        "\"gzip_buffers\" directive invalid value",
        "8kb",
        "a number of buffers, and the size of each: 16 8k",
    ),
    ("access_log off x;", "invalid parameter \"x\"", "x", "\"off\" stands alone"),
    (
        "access_log /l buffer=1k;",
        "unknown log format \"buffer=1k\"",
        "buffer=1k",
        "a format goes before it: combined buffer=1k",
    ),
    ("access_log /l gzip;", "unknown log format \"gzip\"", "gzip", "a format goes before it: combined gzip"),
    ("access_log /l nope;", "unknown log format \"nope\"", "nope", "the formats are combined"),
    ("access_log /l combned;", "unknown log format \"combned\"", "combned", "did you mean \"combined\"?"),
    ("access_log /l combined buffer=x;", "invalid buffer size \"x\"", "buffer=x", "a size such as 32k, of 1g at most"),
    ("access_log /l combined gzip flush=0;", "invalid flush time \"0\"", "flush=0", "a time such as 5s or 1m"),
    ("access_log /l combined gzip=0;", "invalid compression level \"0\"", "gzip=0", "a number from 1 to 9"),
    ("access_log /l combined bufer=4k;", "invalid parameter \"bufer=4k\"", "bufer=4k", "did you mean \"buffer\"?"),
    (
        "access_log /l combined main;",
        "invalid parameter \"main\"",
        "main",
        "buffer=SIZE, gzip[=LEVEL], flush=TIME or if=CONDITION",
    ),
    (
        "access_log /l combined flush=5s;",
        "no buffer is defined for access_log \"/l\"",
        "/l",
        "\"flush\" is about a buffer: add buffer=SIZE or gzip, or leave it out",
    ),
    (
        "access_log /l/$host combined gzip;",
        "buffered logs cannot have variables in name",
        "/l/$host",
        "leave \"buffer\" and \"gzip\" out; open_log_file_cache keeps such files open",
    ),
    (
        "access_log syslog:server=127.0.0.1 combined gzip;",
        "logs to syslog cannot be buffered",
        "syslog:server=127.0.0.1",
        "each line is a datagram: leave \"buffer\" and \"gzip\" out",
    ),
    (
        "access_log syslog:server=127.0.0.1:x;",
        "invalid port in syslog server \"127.0.0.1:x\"",
        "syslog:server=127.0.0.1:x",
        "such as server=192.0.2.1, server=[2001:db8::1]:514 or server=unix:/dev/log",
    ),
    (
        "access_log syslog:server=127.0.0.1,facilty=user;",
        "unknown syslog parameter \"facilty=user\"",
        "syslog:server=127.0.0.1,facilty=user",
        "the parameters are server=, facility=, severity=, tag=, nohostname, with commas between",
    ),
    (
        "access_log syslog:server=127.0.0.1,facility=usr;",
        "unknown syslog facility \"usr\"",
        "syslog:server=127.0.0.1,facility=usr",
        "did you mean \"user\"?",
    ),
    (
        "access_log syslog:server=127.0.0.1,tag=a-b;",
        "syslog \"tag\" only allows alphanumeric characters and underscore",
        "syslog:server=127.0.0.1,tag=a-b",
        "a short name, such as web_1",
    ),
    (
        "access_log syslog:server=127.0.0.1,server=127.0.0.2;",
        "duplicate syslog \"server\"",
        "syslog:server=127.0.0.1,server=127.0.0.2",
        "a second target is an access_log of its own",
    ),
    (
        "error_log /l verbose;",
        "invalid log level \"verbose\"",
        "verbose",
        "one of debug, info, notice, warn, error, crit, alert, emerg",
    ),
    (
        "open_log_file_cache max=10 valid=x;",
        "invalid \"open_log_file_cache\" parameter \"valid=x\"",
        "valid=x",
        "valid=TIME, such as 30s or 1m",
    ),
    ("open_log_file_cache max=x;", "invalid \"open_log_file_cache\" parameter \"max=x\"", "max=x", "max=NUMBER"),
    (
        "open_log_file_cache valid=1m;",
        "\"open_log_file_cache\" must have \"max\" parameter",
        "valid=1m",
        "max=NUMBER, of one file at least",
    ),
    (
        "limit_req zone=a burst=0;",
        "invalid burst value \"burst=0\"",
        "burst=0",
        "a number from 1 on; without a burst leave it out",
    ),
    (
        "limit_req zone=a delay=x;",
        "invalid delay value \"delay=x\"",
        "delay=x",
        "a number from 1 on; without it all are delayed, and \"nodelay\" delays none",
    ),
    ("limit_req burst=5;", "\"limit_req\" must have \"zone\" parameter", "burst=5", "zone=NAME, of a limit_req_zone"),
    ("limit_req_status 200;", "value must be between 400 and 599", "200", "429 says that there were too many"),
    (
        "limit_req_log_level debug;",
        "invalid value \"debug\"",
        "debug",
        "one of \"info\", \"notice\", \"warn\", \"error\"",
    ),
    ("limit_conn a 0;", "invalid number of connections \"0\"", "0", "from 1 to 65535; \"deny all\" lets nobody in"),
    ("limit_conn a 70000;", "connection limit must be less 65536", "70000", "from 1 to 65535"),
    (
        "allow localhost;",
        "invalid parameter \"localhost\"",
        "localhost",
        "an address, a net such as 192.0.2.0/24 or 2001:db8::/32, unix: or all",
    ),
    (
        "auth_basic $;",
        "invalid variable name",
        "$",
        "a \"$\" begins a variable, $name or ${name}: a text can't hold it otherwise",
    ),
    ("auth_basic ${a;", "the closing bracket in \"a\" variable is missing", "${a", "a variable is $name or ${name}"),
    (
        "auth_basic $nothing;",
        "unknown \"nothing\" variable",
        "$nothing",
        "nothing defines it, as map, set, geo or a group of a regex would",
    ),
    ("auth_basic $uir;", "unknown \"uir\" variable", "$uir", "did you mean \"$uri\"?"),
    (
        "set_real_ip_from 10.0.0.0/33;",
        "host not found in set_real_ip_from \"10.0.0.0/33\"",
        "10.0.0.0/33",
        "an address, a net such as 10.0.0.0/8, the name of a host, or unix:",
    ),
    (
        "real_ip_recursive yes;",
        "invalid value \"yes\" in \"real_ip_recursive\" directive, it must be \"on\" or \"off\"",
        "yes",
        "",
    ),
    ("autoindex_format jsn;", "invalid value \"jsn\"", "jsn", "did you mean \"json\"?"),
    ("autoindex_format text;", "invalid value \"text\"", "text", "one of \"html\", \"json\", \"jsonp\", \"xml\""),
    ("gzip_static alwys;", "invalid value \"alwys\"", "alwys", "did you mean \"always\"?"),
    ("brotli_static yes;", "invalid value \"yes\"", "yes", "one of \"off\", \"on\", \"always\""),
    ("zstd_static alway;", "invalid value \"alway\"", "alway", "did you mean \"always\"?"),
    ("gzip_comp_level 10;", "value must be between 1 and 9", "10", "1 is fast, 9 makes the least bytes"),
    (
        "spa_fallback index.html;",
        "\"spa_fallback\" must be a uri, and \"index.html\" does not begin with a slash",
        "index.html",
        "\"/index.html\"? It is the uri of the page, not its path on the disk",
    ),
    ("clean_urls yes;", "invalid value \"yes\" in \"clean_urls\" directive, it must be \"on\" or \"off\"", "yes", ""),
    (
        "cors www.example.org;",
        "invalid origin \"www.example.org\"",
        "www.example.org",
        "scheme and host, and a port if it has one: https://www.example.org; or * alone",
    ),
    (
        "cors https://a.example/;",
        "invalid origin \"https://a.example/\"",
        "https://a.example/",
        "scheme and host, and a port if it has one: https://www.example.org; or * alone",
    ),
    (
        "return 1000;",
        "invalid return code \"1000\"",
        "1000",
        "a status, such as 301, with a URL or text behind it, or a URL of http or https alone",
    ),
    (
        "server_name *;",
        "server name \"*\" is invalid",
        "*",
        "NAME, *.NAME, .NAME, NAME.* or ~REGEX; the server for all other names is a default_server",
    ),
    ("error_page x /x;", "invalid value \"x\"", "x", "error_page STATUS ... [=[STATUS]] URI"),
    (
        "error_page 200 /x;",
        "value \"200\" must be between 300 and 599",
        "200",
        "a page takes the place of errors and redirects",
    ),
    ("try_files a =x;", "invalid code \"=x\"", "=x", "=STATUS, such as =404"),
    (
        "valid_referers none;",
        "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive \
         without any valid referer",
        "valid_referers",
        "add server_names, or a name such as *.example.org: to nginx a ~REGEX alone is no referer",
    ),
    (
        r"rewrite ^/(\d{4})/(.*)$ /$1 permanent;",
        "directive \"rewrite\" is not terminated by \";\"",
        r"^/(\d{4})/(.*)$",
        r#"put the regex in quotes: "^/(\d{4})/(.*)$""#,
    ),
    (
        r"location ~ ^/x/\d{3}$ { return 204; }",
        "unknown directive \"3}$\"",
        r"^/x/\d{3}$",
        r#"put the regex in quotes: "^/x/\d{3}$""#,
    ),
    (
        r"location ~ ^/(x{2,})/ { return 200 $1; }",
        "pcre2_compile() failed: missing closing parenthesis in \"^/(x\"",
        r"^/(x{2,})/",
        r#"put the regex in quotes: "^/(x{2,})/""#,
    ),
    (
        r"if ($uri ~ ^/a{2}) { return 204; }",
        "invalid condition \"^/a\"",
        r"^/a{2})",
        r#"put the regex in quotes: "^/a{2}""#,
    ),
    (
        r"server_name ~^a{2}$;",
        "directive \"server_name\" is not terminated by \";\"",
        r"~^a{2}$",
        r#"put the regex in quotes: "~^a{2}$""#,
    ),
    (
        r"} map $uri $kind { ~^x{2} a; default b; } server { add_header a $kind;",
        "unexpected \"{\"",
        r"~^x{2}",
        r#"put the regex in quotes: "~^x{2}""#,
    ),
    (
        r#"return 200 a"{2};"#,
        "directive \"return\" is not terminated by \";\"",
        r#"a"{2}"#,
        r#"put the value in quotes: 'a"{2}'"#,
    ),
];

#[test]
fn each_value_gets_a_picture_and_advice() {
    let mut wrong = String::new();
    for (line, sentence, marked, help) in VALUES {
        let at = format!("3:{}", 2 + format!(" {line}").find(&format!(" {marked}")).unwrap());
        let sentence = format!("{sentence} in c.conf:3");
        let case = (&*in_server(line), &*sentence, &*at, *marked, *help);
        if let Err(panic) = std::panic::catch_unwind(|| check("emerg", &[case])) {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            wrong.push_str(&format!("{line}\n{text}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_sandbox_has_one_of_three_strengths() {
    let text = |value: &str| format!("sandbox {value};\nevents {{}}\n");
    let invalid = |value: &str| format!("invalid value \"{value}\" in c.conf:1");
    let all = "one of \"off\", \"calls\", \"on\"";
    check("emerg", &[(&text("seccomp"), &invalid("seccomp"), "1:9", "seccomp", all)]);
    check("emerg", &[(&text("cals"), &invalid("cals"), "1:9", "cals", "did you mean \"calls\"?")]);
    let in_http = format!("events {{}}\nhttp {{\n {}}}\n", "sandbox on;");
    let misplaced = "\"sandbox\" directive is not allowed here in c.conf:3";
    let dir = tempfile::tempdir().unwrap();
    let (is_fine, messages) = said(dir.path(), &in_http);
    assert!(!is_fine && messages.iter().any(|message| message.sentence == misplaced), "{messages:?}");
}

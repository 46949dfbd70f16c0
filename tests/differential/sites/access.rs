//! Passwords and rules for those who enter: `auth_basic`, `satisfy`, `limit_except`.

use crate::probe::{Probe, Request, Site, get, head, request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The file of users: each form of a hash, all of the password `secret`, and the lines that are odd.
pub const USERS: &str = "# bob:{PLAIN}comment\n\
    des:abNANd1rDfiNc\n\
    md5:$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1\n\
    sha256:$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.\n\
    rounds:$5$rounds=1000$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8\n\
    sha512:$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.\n\
    bcrypt:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n\
    bsdi:_J9..rasmz0.F/jqjWck\n\
    apr1:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/\n\
    plain:{PLAIN}secret\n\
    sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n\
    ssha:{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0:with a comment\n\
    crlf:{PLAIN}secret\r\n\
    \n\r\n\
    empty:\n\
    noplain:{PLAIN}\n\
    nocolon\n\
    badssha:{SSHA}=\n\
    unknown:{MD5}secret\n\
    star:*\n\
    twice:{PLAIN}first\n\
    twice:{PLAIN}secret\n\
    sp ace:{PLAIN}secret\n\
    last:{PLAIN}secret";

const NAMES: [&str; 25] = [
    "des", "md5", "sha256", "rounds", "sha512", "bcrypt", "bsdi", "apr1", "plain", "sha", "ssha", "crlf", "empty",
    "noplain", "nocolon", "badssha", "unknown", "star", "twice", "sp ace", "last", "nobody", "# bob", "bob", "la",
];

fn user(target: &str, name: &str, password: &str) -> Request {
    let encoded = STANDARD.encode(format!("{name}:{password}"));
    get(target).with("Authorization", format!("Basic {encoded}"))
}

/// Every form of a hash, and every spelling of the credentials.
pub fn passwords() -> Site {
    let http = "map $arg_f $file { default users/htpasswd; none users/none; dir users; locked locked.txt; \
             empty empty.txt; fifo fifo; }\n\
         server { listen 127.0.0.1:%port%; root %root%; add_header X-User \"$remote_user\" always; \
         location / { auth_basic site; auth_basic_user_file %root%/users/htpasswd; } \
         location /open/ { auth_basic off; alias %root%/; } \
         location /nofile/ { auth_basic x; alias %root%/; } \
         location /file/ { auth_basic \"realm $arg_r\"; auth_basic_user_file %root%/$file; alias %root%/; } \
         location /empty/ { auth_basic \"\"; auth_basic_user_file %root%/users/htpasswd; alias %root%/; \
             location /empty/off/ { auth_basic off; alias %root%/; } \
             location /empty/in/ { auth_basic in; alias %root%/; } } \
         location /page/ { auth_basic page; auth_basic_user_file %root%/users/htpasswd; error_page 401 /open/404.html; \
             alias %root%/; } \
         location /again/ { auth_basic again; auth_basic_user_file %root%/users/htpasswd; \
             error_page 401 /again/404.html; alias %root%/; } \
         location /named/ { auth_basic named; auth_basic_user_file %root%/users/htpasswd; \
             error_page 401 = @login; alias %root%/; } \
         location @login { auth_basic off; return 200 'log in: $remote_user'; } \
         location /return/ { auth_basic x; auth_basic_user_file %root%/users/htpasswd; return 200 open; } \
         location /header/ { auth_basic x; auth_basic_user_file %root%/users/htpasswd; alias %root%/; \
             add_header X-Challenge $sent_http_www_authenticate always; } \
         location /var/ { auth_basic $arg_r; auth_basic_user_file %root%/users/htpasswd; alias %root%/; } }";
    let mut probes: Vec<Probe> = Vec::new();
    for name in NAMES {
        for password in ["secret", "wrong", "", "secret ", "secre"] {
            probes.push(user("/page.html", name, password).named(&format!("{name}:{password}")));
        }
    }
    for (value, name) in [
        ("Basic", "no credentials"),
        ("Basic ", "an empty value"),
        ("Basic !!", "no base64"),
        ("Basic bm9jb2xvbg==", "no colon"),
        ("Basic OnNlY3JldA==", "no name"),
        ("Bearer cGxhaW46c2VjcmV0", "another scheme"),
        ("basic   cGxhaW46c2VjcmV0", "lower case and blanks"),
        ("Basic cGxhaW46c2VjcmV0AA==", "a NUL behind the password"),
        ("Basic cGxhaW46c2VjcmV0OmE=", "a colon in the password"),
        ("Basic cGxhaW46c2VjcmV0=junk", "junk behind the padding"),
    ] {
        probes.push(get("/page.html").with("Authorization", value).named(name));
    }
    for target in ["/page.html", "/", "/none", "/dir", "/digits.txt", "/open/page.html", "/nofile/page.html"] {
        probes.push(get(target).into());
        probes.push(user(target, "plain", "secret").into());
        probes.push(head(target).into());
    }
    for file in ["", "none", "dir", "locked", "empty", "fifo"] {
        probes.push(get(&format!("/file/page.html?f={file}&r=a")).into());
        if file != "fifo" {
            probes.push(user(&format!("/file/page.html?f={file}&r=a%22b"), "plain", "secret").into());
            probes.push(user(&format!("/file/page.html?f={file}"), "plain", "wrong").into());
        }
    }
    for target in [
        "/empty/page.html",
        "/empty/off/page.html",
        "/empty/in/page.html",
        "/page/page.html",
        "/again/page.html",
        "/named/page.html",
        "/return/",
        "/header/page.html",
        "/header/none",
        "/var/page.html?r=off",
        "/var/page.html?r=on",
        "/var/page.html",
    ] {
        probes.push(get(target).into());
        probes.push(user(target, "bcrypt", "secret").into());
        probes.push(user(target, "bcrypt", "wrong").into());
    }
    probes.push(request("POST", "/page.html").body("a body").into());
    let pair =
        [user("/page.html", "sha512", "secret").bytes(), user("/digits.txt", "sha256", "wrong").bytes()].concat();
    probes.push(Probe::raw_many("pipelined", [pair.clone(), get("/open/page.html").bytes(), pair].concat(), 5));
    Site::new("passwords", http, probes)
}

/// `satisfy` with rules and passwords, and `auth_delay`.
pub fn satisfy() -> Site {
    let guard = "auth_basic x; auth_basic_user_file %root%/users/htpasswd; alias %root%/;";
    let rules = [
        ("allowed", "allow 127.0.0.1; deny all;"),
        ("denied", "deny all;"),
        ("other", "allow 10.0.0.1;"),
        ("norules", ""),
    ];
    let mut http = String::from("server { listen 127.0.0.1:%port%; root %root%; ");
    let mut probes: Vec<Probe> = Vec::new();
    for (name, rules) in rules {
        for how in ["all", "any"] {
            for (kind, inside) in [
                ("", guard.to_owned()),
                ("nopass", "alias %root%/;".to_owned()),
                ("delay", format!("auth_delay 30ms; {guard}")),
                ("page", format!("error_page 401 403 = /open; {guard}")),
                ("broken", guard.replace("htpasswd", "none")),
                ("dir", guard.replace("users/htpasswd", "users")),
            ] {
                let prefix = format!("/{name}/{how}/{kind}x/");
                http += &format!("location {prefix} {{ satisfy {how}; {rules} {inside} }} ");
                let target = format!("{prefix}page.html");
                probes.push(get(&target).into());
                probes.push(user(&target, "apr1", "secret").into());
                probes.push(user(&target, "sha256", "wrong").into());
            }
        }
    }
    http += "location = /open { return 200 'open'; } }";
    let delayed = get("/norules/all/delayx/page.html").bytes();
    let open = get("/open").bytes();
    probes.push(Probe::raw_many("a delay between others", [open.clone(), delayed, open].concat(), 3));
    Site::new("satisfy", &http, probes)
}

/// `limit_except` by every method.
pub fn limit_except() -> Site {
    let http = "server { listen 127.0.0.1:%port%; root %root%; \
         location / { limit_except GET { deny all; } } \
         location /head/ { limit_except HEAD { deny all; } alias %root%/; } \
         location /post/ { limit_except POST PUT { deny all; } alias %root%/; } \
         location /auth/ { limit_except get { auth_basic x; auth_basic_user_file %root%/users/htpasswd; } \
             alias %root%/; } \
         location /allow/ { deny all; limit_except GET { allow 127.0.0.1; deny all; } alias %root%/; } \
         location /inherits/ { deny all; limit_except GET { } alias %root%/; } \
         location /return/ { limit_except GET { deny all; } return 200 returned; } \
         location /returns/ { limit_except GET { allow all; } return 200 returned; } \
         location /outer/ { limit_except GET { deny all; } alias %root%/; location /outer/in/ { alias %root%/; } } \
         location /page/ { limit_except GET { deny all; } error_page 403 /page/404.html; alias %root%/; } \
         location /named/ { limit_except GET { deny all; } error_page 403 @named; alias %root%/; } \
         location @named { limit_except GET { deny all; } return 200 named; } \
         location /if/ { limit_except GET { deny all; } if ($arg_x) { set $x 1; } add_header X-If \"a$x\" always; \
             alias %root%/; } \
         location /try/ { limit_except GET { allow all; } try_files /page.html =404; } \
         location /index/ { limit_except POST { deny all; } alias %root%/dir/; } }";
    let mut probes: Vec<Probe> = Vec::new();
    for target in [
        "/page.html",
        "/head/page.html",
        "/post/page.html",
        "/auth/page.html",
        "/allow/page.html",
        "/inherits/page.html",
        "/return/",
        "/returns/",
        "/outer/page.html",
        "/outer/in/page.html",
        "/page/page.html",
        "/named/page.html",
        "/if/page.html?x=1",
        "/try/none",
        "/index/",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "FROB", "get"] {
            probes.push(request(method, target).into());
        }
        probes.push(head(target).into());
    }
    probes.push(user("/auth/page.html", "plain", "secret").into());
    Site::new("limit_except", http, probes)
}

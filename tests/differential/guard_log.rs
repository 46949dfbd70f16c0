//! The lines that the access phase adds to the error log: nginx's, in the same order.

use crate::script_log::lines_of;
use crate::sites;
use crate::support::server::Product::{Drover, Nginx};
use crate::support::server::{Product, Setup};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const CONF: &str = "%main%\nevents { }\nhttp { %http% \
    map $uri $users { ~^/own/ server.conf; ~^/up/ ../none; ~^/absolute/ %root%/users/htpasswd; } \
    map $uri $server { default \"\nown:{PLAIN}secret\n\"; ~. server; } \
    server { listen 127.0.0.1:%port%; root %root%; access_log off; error_log %dir%/scripts.log info; \
    auth_basic x; auth_basic_user_file %root%/users/htpasswd; \
    location / { } \
    location /missing/ { auth_basic_user_file %root%/users/none; alias %root%/; } \
    location /dir/ { auth_basic_user_file %root%/users; alias %root%/; } \
    location /relative/ { auth_basic_user_file none/of/it; alias %root%/; } \
    location /own/ { auth_basic_user_file $users; alias %root%/; } \
    location /own/braces/ { auth_basic_user_file ${server}.conf; alias %root%/; } \
    location /up/ { auth_basic_user_file $users; alias %root%/; } \
    location /absolute/ { auth_basic_user_file $users; alias %root%/; } \
    location /nameless/ { auth_basic_user_file $users; alias %root%/; } \
    location /any/ { satisfy any; deny all; alias %root%/; } \
    location /rules/ { satisfy any; deny all; auth_basic off; alias %root%/; } \
    location /all/ { deny all; alias %root%/; } \
    location /late/ { auth_delay 10ms; alias %root%/; } \
    location /late-any/ { auth_delay 10ms; satisfy any; deny all; alias %root%/; } \
    location /limited/ { limit_except POST { deny all; } auth_basic off; alias %root%/; } \
    location = /marker { auth_basic off; try_files /marked/x /marked =404; error_page 404 = /marked; } \
    location = /marked { auth_basic off; } } }\n";

const PLACES: [&str; 15] = [
    "",
    "missing/",
    "dir/",
    "relative/",
    "own/",
    "own/braces/",
    "up/",
    "absolute/",
    "nameless/",
    "any/",
    "rules/",
    "all/",
    "late/",
    "late-any/",
    "limited/",
];

#[test]
fn refusals_are_logged_in_nginx_s_words() {
    let root = sites::fixture();
    let start = |product: Product| Setup::new(product, CONF).root(root.path()).start();
    let [nginx, drover] = [Nginx, Drover].map(start);
    let mut said = 0;
    for place in PLACES {
        for who in [
            "",
            "own:secret",
            "own:wrong",
            "plain:secret",
            "plain:wrong",
            "sha512:wrong",
            "nobody:secret",
            "nocolon",
            ":secret",
        ] {
            let field = match who {
                "" => String::new(),
                who => format!("Authorization: Basic {}\r\n", STANDARD.encode(who)),
            };
            let target = format!("/{place}page.html");
            let (theirs, ours) = (lines_of(&nginx, &target, &field), lines_of(&drover, &target, &field));
            let own_dir =
                |lines: Vec<String>, dir: &std::path::Path| lines.concat().replace(&*dir.to_string_lossy(), "");
            said += theirs.len();
            assert_eq!(own_dir(ours, drover.dir()), own_dir(theirs, nginx.dir()), "{target} {who}");
        }
    }
    assert!(said > 60, "{said} lines");
}

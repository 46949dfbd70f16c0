//! Logs by condition.

use super::ranged;
use crate::probe::{Request, Site};
use crate::sites::whole::{crossed, head, plain, post};

/// A log of what went wrong and one of what is slow to guess: lines by condition.
pub fn chosen_lines() -> Site {
    let http = "map $status $is_error { default 1; ~^[23] 0; } \
        map $request_uri $is_noise { default 0; ~^/(?:livez|favicon) 1; } \
        map $is_error$is_noise$http_user_agent $is_logged { default 1; ~^[01]1 0; ~^00kube 0; ~^00.*Bot ''; } \
        log_format brief '$remote_port $status $request_method $uri $is_args$args $body_bytes_sent \
            $sent_http_content_type $http_x_id $is_error$is_noise'; \
        server { listen 127.0.0.1:%port%; root %root%; access_log %dir%/access.log brief if=$is_logged; \
        location /quiet { access_log off; } \
        location /both { access_log %dir%/access.log brief; access_log %dir%/other.log probe if=$is_error; \
            try_files /page.html =404; } \
        location /never { access_log %dir%/access.log brief if=0; return 500; } \
        location /always { access_log %dir%/access.log brief if=yes; return 204; } \
        location /inner { access_log %dir%/access.log brief if=$arg_log; \
            if ($arg_stop) { access_log off; return 403; } rewrite ^ /page.html; } \
        location /livez { return 200 ok; } location = /favicon.ico { empty_gif; } }";
    let targets = [
        "/",
        "/page.html?q=%41",
        "/missing",
        "/livez",
        "/favicon.ico",
        "/quiet",
        "/both",
        "/never",
        "/always",
        "/inner",
        "/inner?log=1",
        "/inner?log=0&stop=1",
        "/dir",
        "/digits.txt",
    ];
    fn kube(request: Request) -> Request {
        request.with("User-Agent", "kube-probe/1.30")
    }
    fn bot(request: Request) -> Request {
        request.with("User-Agent", "GoodBot").with("X-Id", "a \"b\" \\ c")
    }
    Site::new("chosen_lines", http, crossed(&targets, &[plain, head, kube, bot, ranged, post]))
}

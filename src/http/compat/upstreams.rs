//! The directives that say how nginx passes requests on: without a `proxy_pass` or its like they do nothing, in nginx
//! as here. Those that do pass are refused.

use super::family;
use crate::conf::{Contexts, Entry, Inert};

/// The directives `PREFIX_NAME` of a module, accepted with so many arguments.
macro_rules! tuning {
    ($args:expr, $prefix:literal, $($name:literal)*) => {
        family(&[$(concat!($prefix, "_", $name)),*], Contexts::HTTP_ALL, $args, WHY)
    };
}

/// The directives of each module that has a cache.
macro_rules! cached {
    ($prefix:literal) => {
        [
            tuning!((1, 1), $prefix, "buffer_size" "buffering" "busy_buffers_size" "cache" "cache_background_update"
                "cache_key" "cache_lock" "cache_lock_age" "cache_lock_timeout" "cache_max_range_offset" "cache_min_uses"
                "cache_revalidate" "connect_timeout" "force_ranges" "hide_header" "ignore_client_abort"
                "intercept_errors" "limit_rate" "max_temp_file_size" "next_upstream_timeout" "next_upstream_tries"
                "pass_header" "pass_request_body" "pass_request_headers" "read_timeout" "request_buffering"
                "send_timeout" "socket_keepalive" "store" "temp_file_write_size"),
            tuning!((1, usize::MAX), $prefix, "bind" "buffers" "cache_bypass" "cache_methods"
                "cache_use_stale" "cache_valid" "ignore_headers" "next_upstream" "no_cache" "store_access"),
        ]
    };
}

/// The directives of each module that speaks TLS to those it passes to.
macro_rules! over_tls {
    ($prefix:literal) => {
        tuning!((1, usize::MAX), $prefix, "ssl_certificate" "ssl_certificate_cache" "ssl_certificate_key" "ssl_ciphers"
            "ssl_conf_command" "ssl_crl" "ssl_name" "ssl_password_file" "ssl_protocols" "ssl_server_name"
            "ssl_session_reuse" "ssl_trusted_certificate" "ssl_verify" "ssl_verify_depth")
    };
}

const WHY: &str = "It says how requests are passed on, and none are.";

static PROXY: [Inert; 2] = cached!("proxy");
/// The directive of each such module that makes a zone, for http alone.
static CACHE_PATHS: Inert = family(
    &["proxy_cache_path", "fastcgi_cache_path", "uwsgi_cache_path", "scgi_cache_path"],
    Contexts::HTTP,
    (2, usize::MAX),
    WHY,
);
static FASTCGI: [Inert; 2] = cached!("fastcgi");
static UWSGI: [Inert; 2] = cached!("uwsgi");
static SCGI: [Inert; 2] = cached!("scgi");

/// The directives in an `upstream` of nginx, its newest ones among them.
const IN_UPSTREAM: &[&str] = &[
    "hash",
    "ip_hash",
    "keepalive",
    "keepalive_requests",
    "keepalive_time",
    "keepalive_timeout",
    "least_conn",
    "random",
    "resolver",
    "resolver_timeout",
    "sticky",
    "zone",
];

/// The directives about requests that are passed on.
pub static DIRECTIVES: &[&dyn Entry] = &[
    &CACHE_PATHS,
    &PROXY[0],
    &PROXY[1],
    &FASTCGI[0],
    &FASTCGI[1],
    &UWSGI[0],
    &UWSGI[1],
    &SCGI[0],
    &SCGI[1],
    &over_tls!("proxy"),
    &over_tls!("uwsgi"),
    &over_tls!("grpc"),
    &tuning!((1, 4), "proxy", "cache_convert_head" "cookie_domain" "cookie_flags" "cookie_path" "http_version" "method"
        "pass_trailers" "redirect" "send_lowat" "set_body"),
    &tuning!((2, 2), "proxy", "set_header"),
    &tuning!((1, 3), "fastcgi", "catch_stderr" "index" "keep_conn" "param" "send_lowat" "split_path_info"),
    &tuning!((1, 3), "uwsgi", "modifier1" "modifier2" "param" "string"),
    &tuning!((2, 3), "scgi", "param"),
    &tuning!((1, usize::MAX), "grpc", "bind" "buffer_size" "connect_timeout" "hide_header" "ignore_headers"
        "intercept_errors" "next_upstream" "next_upstream_timeout" "next_upstream_tries" "pass_header" "read_timeout"
        "send_timeout" "set_header" "socket_keepalive"),
    &tuning!((1, usize::MAX), "memcached", "bind" "buffer_size" "connect_timeout" "gzip_flag" "next_upstream"
        "next_upstream_timeout" "next_upstream_tries" "read_timeout" "send_timeout" "socket_keepalive"),
    &Inert::new("upstream", Contexts::HTTP, (1, 1), WHY).block_of(&["server", "include"], IN_UPSTREAM),
];

//! nginx's directives that drover does not have: those that nothing here needs are accepted, all others are refused
//! with the reason, so that a conf written for nginx never fails with "unknown directive".

use crate::conf::{Contexts, Entry, Inert, Refused};

const MAIN: Contexts = Contexts::MAIN;
const EVENTS: Contexts = Contexts::EVENTS;
const HTTP: Contexts = Contexts::HTTP;
const SERVERS: Contexts = Contexts::HTTP.union(Contexts::SERVER);
const ALL: Contexts = Contexts::HTTP_ALL;

const GROWING: &str = "Tables grow as they must.";
const NO_AIO: &str = "Files are sent from the page cache, without helper threads or asynchronous reads.";
const ONE_WRITE: &str = "A response leaves in as few writes as its size allows.";
const FILE_CACHE: &str = "Open files are cached always, and checked before each use.";
const NO_TLS_TUNING: &str = "Without TLS there is nothing to tune.";
const NO_HTTP2: &str = "Without HTTP/2 there is nothing to tune.";

const FILES_ONLY: &str = "drover serves files and passes nothing on: put a proxy such as nginx or HAProxy in front \
    of both, or let drover have a name or port of its own.";
const NO_MODULES: &str = "drover has no modules to load and runs no scripts: build such pages when the site is built.";
const NO_REWRITING: &str = "Files are sent as they are: do this when the site is built.";
const READ_ONLY: &str = "drover never changes files: upload by other means.";
const YET_GZIP: &str = "drover does not compress responses yet: leave it out, or compress in a proxy in front.";
const YET_TLS: &str = "drover does not speak TLS yet: let a proxy in front do it, and listen without \"ssl\".";
const YET_HTTP2: &str = "drover does not speak HTTP/2 or HTTP/3 yet: leave it out; clients use HTTP/1.1.";
const YET_USERID: &str = "drover marks no clients yet: leave it out.";
const YET_GEOIP: &str = "drover does not read GeoIP databases: \"geo\" takes the nets themselves, from a file as well.";
const YET_ACCESS: &str = "drover does not check this yet, and won't serve what it should guard: use \"allow\" and \
    \"deny\", or a proxy in front.";
const YET_LIMITS: &str = "drover does not limit this yet: leave it out, or limit in a proxy in front.";
const YET_AUTOINDEX: &str = "drover lists directories in HTML, and all of them, only: \"autoindex on\".";
const YET_CHARSET: &str =
    "drover does not add or convert charsets yet: name it in \"types\" or \"default_type\" (text/html; charset=utf-8).";
const YET_PROCESS: &str = "drover does not set this itself yet: leave it out, and set it where drover is started.";
const YET_OTHER: &str = "drover does not have it yet: leave it out.";

/// nginx's directives that drover does not have.
pub static DIRECTIVES: &[&dyn Entry] = &[
    &Inert::family(
        &["client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path"],
        ALL,
        (1, 4),
        "drover writes no temporary files.",
    ),
    &Inert::family(
        &["client_body_buffer_size", "client_body_in_file_only", "client_body_in_single_buffer"],
        ALL,
        (1, 1),
        "Request bodies are read and dropped, never kept.",
    ),
    &Inert::family(
        &[
            "types_hash_max_size",
            "types_hash_bucket_size",
            "proxy_headers_hash_max_size",
            "proxy_headers_hash_bucket_size",
        ],
        ALL,
        (1, 1),
        GROWING,
    ),
    &Inert::family(
        &[
            "server_names_hash_max_size",
            "server_names_hash_bucket_size",
            "variables_hash_max_size",
            "variables_hash_bucket_size",
            "map_hash_max_size",
            "map_hash_bucket_size",
        ],
        HTTP,
        (1, 1),
        GROWING,
    ),
    &Inert::family(
        &["referer_hash_max_size", "referer_hash_bucket_size"],
        Contexts::SERVER.union(Contexts::LOCATION),
        (1, 1),
        GROWING,
    ),
    &Inert::new(
        "pcre_jit",
        MAIN,
        (1, 1),
        "Most regexes run in linear time without it; the memory of compiled ones would be writable and executable.",
    ),
    &Inert::new("lock_file", MAIN, (1, 1), "The accept mutex is in shared memory, on every machine."),
    &Inert::new("timer_resolution", MAIN, (1, 1), "The clock is read once for each turn of the loop."),
    &Inert::new("debug_points", MAIN, (1, 1), "There are no debug points."),
    &Inert::new("env", MAIN, (1, 1), "Nothing in a worker reads the environment."),
    &Inert::new("thread_pool", MAIN, (2, 3), NO_AIO),
    &Inert::new("ssl_engine", MAIN, (1, 1), NO_TLS_TUNING),
    &Inert::new("worker_aio_requests", EVENTS, (1, 1), NO_AIO),
    &Inert::new("debug_connection", EVENTS, (1, 1), "The debug log is not chosen by address: `error_log FILE debug`."),
    &Inert::family(&["aio", "aio_write"], ALL, (1, 1), NO_AIO),
    &Inert::family(
        &["directio", "directio_alignment", "read_ahead"],
        ALL,
        (1, 1),
        "Files are read through the kernel's page cache.",
    ),
    &Inert::new("output_buffers", ALL, (2, 2), ONE_WRITE),
    &Inert::family(&["postpone_output", "subrequest_output_buffer_size", "send_lowat"], ALL, (1, 1), ONE_WRITE),
    &Inert::new("gzip_buffers", ALL, (2, 2), "Buffers grow as they must."),
    &Inert::family(
        &["gzip_hash", "gzip_window", "gzip_no_buffer", "postpone_gzipping"],
        ALL,
        (1, 1),
        "Buffers grow as they must.",
    ),
    &Inert::new(
        "sendfile_max_chunk",
        ALL,
        (1, 1),
        "A connection never sends so much at once that others would wait for it.",
    ),
    &Inert::new("resolver", ALL, (1, usize::MAX), "Nothing asks for names while drover runs."),
    &Inert::new("resolver_timeout", ALL, (1, 1), "Nothing asks for names while drover runs."),
    &Inert::new(
        "request_pool_size",
        SERVERS,
        (1, 1),
        "Memory of a connection is reused by the next, whatever its size.",
    ),
    &Inert::new("open_file_cache", ALL, (1, 2), FILE_CACHE),
    &Inert::family(
        &["open_file_cache_errors", "open_file_cache_events", "open_file_cache_min_uses", "open_file_cache_valid"],
        ALL,
        (1, 1),
        FILE_CACHE,
    ),
    &Inert::new("open_log_file_cache", ALL, (1, 4), "Log files stay open."),
    &Inert::new("ssl_protocols", SERVERS, (1, usize::MAX), NO_TLS_TUNING),
    &Inert::new("ssl_session_cache", SERVERS, (1, 2), NO_TLS_TUNING),
    &Inert::new("ssl_conf_command", SERVERS, (2, 2), NO_TLS_TUNING),
    &Inert::family(
        &[
            "ssl_buffer_size",
            "ssl_ciphers",
            "ssl_dhparam",
            "ssl_early_data",
            "ssl_ecdh_curve",
            "ssl_prefer_server_ciphers",
            "ssl_session_ticket_key",
            "ssl_session_tickets",
            "ssl_session_timeout",
            "ssl_stapling",
            "ssl_stapling_file",
            "ssl_stapling_responder",
            "ssl_stapling_verify",
            "ssl_trusted_certificate",
        ],
        SERVERS,
        (1, 1),
        NO_TLS_TUNING,
    ),
    &Inert::family(
        &[
            "http2_body_preread_size",
            "http2_idle_timeout",
            "http2_max_concurrent_streams",
            "http2_max_field_size",
            "http2_max_header_size",
            "http2_max_requests",
            "http2_recv_timeout",
        ],
        SERVERS,
        (1, 1),
        NO_HTTP2,
    ),
    &Inert::new("http2_chunk_size", ALL, (1, 1), NO_HTTP2),
    &Inert::new("http2_recv_buffer_size", HTTP, (1, 1), NO_HTTP2),
    &Refused::family(
        &[
            "proxy_*",
            "fastcgi_*",
            "uwsgi_*",
            "scgi_*",
            "grpc_*",
            "memcached_*",
            "upstream",
            "mirror",
            "mirror_request_body",
            "mail",
        ],
        FILES_ONLY,
    ),
    &Refused::family(
        &["load_module", "perl", "perl_*", "js_*", "lua_*", "passenger_*", "xslt_*", "image_filter*"],
        NO_MODULES,
    ),
    &Refused::family(
        &["ssi", "ssi_*", "sub_filter*", "add_before_body", "add_after_body", "addition_types", "slice"],
        NO_REWRITING,
    ),
    &Refused::family(
        &["flv", "mp4", "mp4_*", "hls*", "f4f*"],
        "drover seeks in media by Range requests only; all players can.",
    ),
    &Refused::family(&["dav_*", "create_full_put_path", "min_delete_depth"], READ_ONLY),
    &Refused::family(
        &[
            "gzip",
            "gzip_comp_level",
            "gzip_disable",
            "gzip_http_version",
            "gzip_min_length",
            "gzip_proxied",
            "gzip_static",
            "gzip_types",
            "gzip_vary",
            "gunzip",
            "gunzip_buffers",
            "brotli",
            "brotli_*",
            "zstd",
            "zstd_*",
        ],
        YET_GZIP,
    ),
    &Refused::family(
        &[
            "ssl",
            "ssl_certificate",
            "ssl_certificate_key",
            "ssl_client_certificate",
            "ssl_crl",
            "ssl_ocsp",
            "ssl_ocsp_cache",
            "ssl_ocsp_responder",
            "ssl_password_file",
            "ssl_reject_handshake",
            "ssl_verify_client",
            "ssl_verify_depth",
        ],
        YET_TLS,
    ),
    &Refused::family(&["http2", "http2_push", "http2_push_preload", "http3", "http3_*", "quic_*"], YET_HTTP2),
    &Refused::family(&["userid", "userid_*"], YET_USERID),
    &Refused::family(&["geoip_*"], YET_GEOIP),
    &Refused::family(
        &[
            "auth_basic",
            "auth_basic_user_file",
            "auth_delay",
            "auth_request",
            "auth_request_set",
            "auth_jwt*",
            "satisfy",
            "limit_except",
            "secure_link",
            "secure_link_*",
            "disable_symlinks",
        ],
        YET_ACCESS,
    ),
    &Refused::family(
        &["limit_req", "limit_req_*", "limit_conn", "limit_conn_*", "limit_rate", "limit_rate_after"],
        YET_LIMITS,
    ),
    &Refused::family(&["autoindex_format", "random_index"], YET_AUTOINDEX),
    &Refused::family(&["charset", "charset_map", "charset_types", "source_charset", "override_charset"], YET_CHARSET),
    &Refused::family(&["worker_priority", "worker_rlimit_core", "working_directory"], YET_PROCESS),
    &Refused::family(
        &[
            "add_trailer",
            "ancient_browser",
            "ancient_browser_value",
            "modern_browser",
            "modern_browser_value",
            "chunked_transfer_encoding",
            "empty_gif",
            "ignore_invalid_headers",
            "keepalive_disable",
            "keepalive_min_timeout",
            "lingering_close",
            "lingering_time",
            "lingering_timeout",
            "log_subrequest",
            "max_headers",
            "msie_refresh",
            "post_action",
            "underscores_in_headers",
        ],
        YET_OTHER,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{self, Registry, Section};

    static EVENTS_BLOCK: Section =
        Section::new("events").contexts(MAIN).inner(EVENTS).about("As in the real registry.");
    static HTTP_BLOCK: Section = Section::new("http").contexts(MAIN).inner(HTTP).about("As in the real registry.");
    static BLOCKS: &[&dyn Entry] = &[&EVENTS_BLOCK, &HTTP_BLOCK];

    fn registry() -> Registry {
        Registry::new(&[BLOCKS, DIRECTIVES])
    }

    #[test]
    fn the_lists_do_not_overlap() {
        assert_eq!(registry().problems(), Vec::<String>::new());
        assert_eq!(Registry::new(crate::http::DIRECTIVES).problems(), Vec::<String>::new());
    }

    #[test]
    fn what_is_inert_is_checked_and_named_in_one_notice() {
        let text = "pcre_jit on;\nhttp { types_hash_max_size 4096;\n types_hash_max_size 4096; ssl_protocols a b c; }";
        let conf = conf::parse(&registry(), text).unwrap();
        let [warning] = &conf.warnings[..] else { panic!("{:?}", conf.warnings) };
        assert!(warning.notice);
        assert_eq!(
            warning.error.sentence(),
            "without effect here, and not needed: \"pcre_jit\" in conf:1, \"types_hash_max_size\" in conf:2, \
             \"ssl_protocols\" in conf:3"
        );
        let sentence = |text| conf::parse(&registry(), text).unwrap_err().sentence();
        assert_eq!(sentence("pcre_jit;"), "invalid number of arguments in \"pcre_jit\" directive in conf:1");
        assert_eq!(sentence("http { pcre_jit on; }"), "\"pcre_jit\" directive is not allowed here in conf:1");
    }

    #[test]
    fn what_is_refused_says_why() {
        for (text, word) in [
            ("http { proxy_pass http://x; }", "passes nothing on"),
            ("http { fastcgi_split_path_info x; }", "passes nothing on"),
            ("http { geoip_country x; }", "\"geo\""),
            ("http { gzip on; }", "compress"),
            ("http { ssl_certificate x; }", "TLS"),
            ("mail { }", "passes nothing on"),
        ] {
            let error = conf::parse(&registry(), text).unwrap_err();
            let help = error.help_text().unwrap_or_default();
            assert!(help.contains(word), "{text}: {error}");
        }
    }
}

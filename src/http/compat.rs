//! nginx's directives that drover does not have: those that nothing here needs are accepted, all others are refused
//! with the reason, so that a conf written for nginx never fails with "unknown directive".

mod checks;
pub mod modules;
pub mod upstreams;
mod values;

use crate::conf::{Contexts, Entry, Inert, Refused};
pub use values::form_of;

const MAIN: Contexts = Contexts::MAIN;
const EVENTS: Contexts = Contexts::EVENTS;
const HTTP: Contexts = Contexts::HTTP;
const SERVERS: Contexts = Contexts::HTTP.union(Contexts::SERVER);
const ALL: Contexts = Contexts::HTTP_ALL;

const GROWING: &str = "Tables grow as they must.";
const GROWING_BUFFERS: &str = "Buffers grow as they must.";
const NO_AIO: &str = "The kernel's own asynchronous reads are not used: `aio threads` is what waits for disks.";
const ONE_WRITE: &str = "A response leaves in as few writes as its size allows.";
const NO_HTTP2: &str = "drover's HTTP/2 has nothing of the kind to tune; most of these are obsolete in nginx as well.";
const NO_PUSH: &str = "Nothing is pushed; obsolete in nginx as well.";

const FILES_ONLY: &str = "drover serves files and passes nothing on: put a proxy such as nginx or HAProxy in front \
    of both, or let drover have a name or port of its own.";
const NO_MODULES: &str = "drover has no modules to load and runs no scripts: build such pages when the site is built.";
const NO_REWRITING: &str = "Files are sent as they are: do this when the site is built.";
const READ_ONLY: &str = "drover never changes files: upload by other means.";
const YET_HTTP3: &str = "drover does not speak HTTP/3 yet: leave it out; clients use HTTP/1.1 or HTTP/2.";
const NO_XSLT: &str = "There is no \"xslt_stylesheet\".";
const NO_GEOIP: &str = "There is no \"geoip_country\" or \"geoip_city\".";
const YET_GEOIP: &str = "drover does not read GeoIP databases: \"geo\" takes the nets themselves, from a file as well.";
const YET_ACCESS: &str = "drover does not check this yet, and won't serve what it should guard: use \"allow\" and \
    \"deny\", or a proxy in front.";
const YET_PROCESS: &str = "drover does not set this itself yet: leave it out, and set it where drover is started.";
const YET_OTHER: &str = "drover does not have it yet: leave it out.";

/// An inert directive, whose values nginx's parser takes.
const fn one(name: &'static str, contexts: Contexts, args: (usize, usize), why: &'static str) -> Inert {
    Inert::new(name, contexts, args, why).formed(form_of)
}

/// Inert directives with the same reason, whose values nginx's parser takes.
pub const fn family(
    names: &'static [&'static str],
    contexts: Contexts,
    args: (usize, usize),
    why: &'static str,
) -> Inert {
    Inert::family(names, contexts, args, why).formed(form_of)
}

/// nginx's directives that drover does not have.
pub static DIRECTIVES: &[&dyn Entry] = &[
    &family(
        &["client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path"],
        ALL,
        (1, 4),
        "drover writes no temporary files.",
    ),
    &family(
        &[
            "client_body_buffer_size",
            "client_body_early_read",
            "client_body_in_file_only",
            "client_body_in_single_buffer",
        ],
        ALL,
        (1, 1),
        "Request bodies are read and dropped, never kept.",
    ),
    &family(
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
    &family(
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
    &family(
        &["referer_hash_max_size", "referer_hash_bucket_size"],
        Contexts::SERVER.union(Contexts::LOCATION),
        (1, 1),
        GROWING,
    ),
    &one(
        "pcre_jit",
        MAIN,
        (1, 1),
        "Most regexes run in linear time without it; the memory of compiled ones would be writable and executable.",
    ),
    &one("lock_file", MAIN, (1, 1), "The accept mutex is in shared memory, on every machine."),
    &one("timer_resolution", MAIN, (1, 1), "The clock is read once for each turn of the loop."),
    &one("debug_points", MAIN, (1, 1), "There are no debug points."),
    &one("env", MAIN, (1, 1), "Nothing in a worker reads the environment."),
    &one("ssl_engine", MAIN, (1, 1), "TLS needs no device."),
    &one("worker_aio_requests", EVENTS, (1, 1), NO_AIO),
    &one("epoll_events", EVENTS, (1, 1), "How many events a turn of the loop takes is fixed."),
    &one("debug_connection", EVENTS, (1, 1), "The debug log is not chosen by address: `error_log FILE debug`."),
    &one("aio_write", ALL, (1, 1), "Nothing is written but logs."),
    &family(
        &["directio", "directio_alignment", "read_ahead"],
        ALL,
        (1, 1),
        "Files are read through the kernel's page cache.",
    ),
    &one("output_buffers", ALL, (2, 2), ONE_WRITE),
    &family(&["postpone_output", "subrequest_output_buffer_size", "send_lowat"], ALL, (1, 1), ONE_WRITE),
    &family(&["gzip_buffers", "gunzip_buffers"], ALL, (2, 2), GROWING_BUFFERS),
    &one("gzip_hash", ALL, (1, 1), GROWING_BUFFERS),
    &one("gzip_no_buffer", ALL, (1, 1), GROWING_BUFFERS),
    &one("postpone_gzipping", ALL, (1, 1), GROWING_BUFFERS),
    &one("sendfile_max_chunk", ALL, (1, 1), "A connection never sends so much at once that others would wait for it."),
    &one("resolver", ALL, (1, usize::MAX), "Nothing asks for names while drover runs."),
    &one("resolver_timeout", ALL, (1, 1), "Nothing asks for names while drover runs."),
    &one("request_pool_size", SERVERS, (1, 1), "Memory of a connection is reused by the next, whatever its size."),
    &one("open_file_cache_events", ALL, (1, 1), "Linux has no such events: nginx does not use it there either."),
    &family(
        &[
            "http2_idle_timeout",
            "http2_max_concurrent_pushes",
            "http2_max_field_size",
            "http2_max_header_size",
            "http2_max_requests",
            "http2_pool_size",
            "http2_recv_timeout",
            "http2_streams_index_size",
        ],
        SERVERS,
        (1, 1),
        NO_HTTP2,
    ),
    &family(&["http2_push", "http2_push_preload"], ALL, (1, 1), NO_PUSH),
    &Refused::family(
        &["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass", "mail"],
        FILES_ONLY,
    ),
    &Refused::new("mirror", FILES_ONLY).but("off").contexts(ALL),
    &one(
        "early_hints",
        ALL,
        (1, usize::MAX),
        "It says which 103 responses of a backend are passed on, and there is no backend: files have none.",
    ),
    &one("mirror_request_body", ALL, (1, 1), "There is no \"mirror\"."),
    &one("load_module", MAIN, (1, 1), "What a module adds is built in, or refused by its name."),
    &Refused::family(&["perl", "perl_*", "xslt_stylesheet"], NO_MODULES),
    &family(&["xml_entities", "xslt_last_modified"], ALL, (1, 1), NO_XSLT),
    &family(&["xslt_param", "xslt_string_param"], ALL, (2, 2), NO_XSLT),
    &one("xslt_types", ALL, (1, usize::MAX), NO_XSLT),
    &Refused::new("image_filter", NO_MODULES).but("off").contexts(ALL),
    &family(
        &[
            "image_filter_buffer",
            "image_filter_interlace",
            "image_filter_jpeg_quality",
            "image_filter_sharpen",
            "image_filter_transparency",
            "image_filter_webp_quality",
        ],
        ALL,
        (1, 1),
        "There is no \"image_filter\".",
    ),
    &Refused::new("ssi", NO_REWRITING).but("off").contexts(ALL.union(Contexts::LOCATION_IF)),
    &family(
        &[
            "ssi_ignore_recycled_buffers",
            "ssi_last_modified",
            "ssi_min_file_chunk",
            "ssi_silent_errors",
            "ssi_types",
            "ssi_value_length",
        ],
        ALL,
        (1, usize::MAX),
        "There is no \"ssi\".",
    ),
    &Refused::new("sub_filter", NO_REWRITING),
    &family(
        &["sub_filter_last_modified", "sub_filter_once", "sub_filter_types"],
        ALL,
        (1, usize::MAX),
        "There is no \"sub_filter\".",
    ),
    &Refused::new("slice", NO_REWRITING).but("0").contexts(ALL),
    &Refused::family(&["flv", "mp4", "hls*", "f4f*"], "drover seeks in media by Range requests only; all players can."),
    &family(&["mp4_buffer_size", "mp4_max_buffer_size", "mp4_start_key_frame"], ALL, (1, 1), "There is no \"mp4\"."),
    &Refused::family(&["dav_methods", "create_full_put_path"], READ_ONLY).but("off").contexts(ALL),
    &family(&["dav_access", "min_delete_depth"], ALL, (1, 3), "There is no \"dav_methods\"."),
    &Refused::new("ssl", "it stands in \"listen\" now: listen 443 ssl;").but("off").contexts(SERVERS),
    &Refused::family(&["http3", "http3_*", "quic_gso", "quic_retry"], YET_HTTP3).but("off").contexts(SERVERS),
    &Refused::family(&["quic_*"], YET_HTTP3),
    &Refused::family(&["geoip_*"], YET_GEOIP),
    &one("geoip_proxy", HTTP, (1, 1), NO_GEOIP),
    &one("geoip_proxy_recursive", HTTP, (1, 1), NO_GEOIP),
    &Refused::family(&["secure_link", "secure_link_*"], YET_ACCESS),
    &Refused::family(&["auth_request", "auth_jwt"], YET_ACCESS).but("off").contexts(ALL),
    &Refused::family(&["auth_jwt_*"], YET_ACCESS),
    &one("auth_request_set", ALL, (2, 2), "There is no \"auth_request\"."),
    &Refused::new("worker_priority", YET_PROCESS).but("0").contexts(MAIN),
    &Refused::family(&["worker_rlimit_core", "working_directory"], YET_PROCESS),
    &Refused::new("post_action", YET_OTHER).but("off").contexts(ALL),
    &one("log_subrequest", ALL, (1, 1), "What is added to an answer has no line of its own."),
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
        let text = "pcre_jit on;\nhttp { early_hints a;\n early_hints b; http2_pool_size 8k; }";
        let conf = conf::parse(&registry(), text).unwrap();
        let [warning] = &conf.warnings[..] else { panic!("{:?}", conf.warnings) };
        assert!(warning.notice);
        assert_eq!(
            warning.error.sentence(),
            "without effect here, and not needed: \"pcre_jit\" in conf:1, \"early_hints\" in conf:2, \
             \"http2_pool_size\" in conf:3"
        );
        let sentence = |text| conf::parse(&registry(), text).unwrap_err().sentence();
        assert_eq!(sentence("pcre_jit;"), "invalid number of arguments in \"pcre_jit\" directive in conf:1");
        let (value, twice) = ("pcre_jit x;", "http { types_hash_max_size 1;\n types_hash_max_size 1; }");
        assert_eq!(
            sentence(value),
            "invalid value \"x\" in \"pcre_jit\" directive, it must be \"on\" or \"off\" in conf:1"
        );
        assert_eq!(sentence(twice), "\"types_hash_max_size\" directive is duplicate in conf:2");
        assert_eq!(
            sentence("http { client_body_early_read x; }"),
            "invalid value \"x\" in \"client_body_early_read\" directive, it must be \"on\" or \"off\" in conf:1"
        );
        assert_eq!(sentence("http { pcre_jit on; }"), "\"pcre_jit\" directive is not allowed here in conf:1");
    }

    #[test]
    fn values_count_and_not_names() {
        let text = "load_module x.so; http { ssi off; slice 0; xslt_types a b; geoip_proxy_recursive off; \
            post_action off; upstream a { server b { } }\n proxy_set_header a b; \
            sub_filter_once off; fastcgi_param a b if_not_empty; http2_pool_size 8k; }";
        let registry = Registry::new(&[BLOCKS, DIRECTIVES, upstreams::DIRECTIVES]);
        let conf = conf::parse(&registry, text).unwrap();
        let [warning] = &conf.warnings[..] else { panic!("{:?}", conf.warnings) };
        assert_eq!(
            warning.error.sentence(),
            "without effect here, and not needed: \"load_module\" in conf:1, \"ssi\" in conf:1, \"slice\" in conf:1, \
             \"xslt_types\" in conf:1, \"geoip_proxy_recursive\" in conf:1, \"post_action\" in conf:1, \
             \"upstream\" in conf:1, \"proxy_set_header\" in conf:2, \"sub_filter_once\" in conf:2, \
             \"fastcgi_param\" in conf:2, \"http2_pool_size\" in conf:2"
        );
        let misspelled = conf::parse(&registry, "http { proxy_set_heder a b; }").unwrap_err();
        assert_eq!(misspelled.help_text(), Some("did you mean \"proxy_set_header\"?"));
    }

    #[test]
    fn what_is_refused_says_why() {
        for (text, word) in [
            ("http { proxy_pass http://x; }", "passes nothing on"),
            ("http { fastcgi_pass x; }", "passes nothing on"),
            ("http { ssi on; }", "site is built"),
            ("http { ssi off off; }", "site is built"),
            ("http { ssi off { } }", "site is built"),
            ("http { geoip_country x; }", "\"geo\""),
            ("http { post_action /x; }", "leave it out"),
            ("http { ssl on; }", "listen"),
            ("mail { }", "passes nothing on"),
        ] {
            let error = conf::parse(&registry(), text).unwrap_err();
            let help = error.help_text().unwrap_or_default();
            assert!(help.contains(word), "{text}: {error}");
        }
    }
}

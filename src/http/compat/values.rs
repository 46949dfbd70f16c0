//! The values that nginx's parser takes for directives without effect here, by the kinds of its setters
//! (`ngx_conf_set_flag_slot` and the like in `ngx_conf_file.c`).

use super::checks;
use crate::conf::{Args, Error, Form};

const MANY: usize = usize::MAX;

const FLAG: Form = Form::once((1, 1), "on | off", |args| args.flag(0).map(drop));
const SIZE: Form = Form::once((1, 1), "SIZE", |args| args.size(0).map(drop));
const TIME: Form = Form::once((1, 1), "TIME", |args| args.time_ms(0).map(drop));
const NUMBER: Form = Form::once((1, 1), "NUMBER", |args| args.count(0).map(drop));
const TEXT: Form = Form::once((1, 1), "TEXT", checks::text);
const NAME: Form = Form::many((1, 1), "NAME", |_| Ok(()));
const FILE: Form = Form::once((1, 1), "FILE", checks::text);
const PAIR: Form = Form::many((2, 2), "NAME VALUE", checks::text);
const PARAM: Form = Form::many((2, 3), "NAME VALUE [if_not_empty]", checks::param);
const BUFFERS: Form = Form::once((2, 2), "NUMBER SIZE", checks::buffers);
const CONDITIONS: Form = Form::many((1, MANY), "VALUE ...", checks::text);
const TYPES: Form = Form::many((1, MANY), "TYPE ...", |_| Ok(()));
const POOL_SIZE: Form = Form::once((1, 1), "SIZE", checks::pool_size);
const TEMP_PATH: Form = Form::once((1, 4), "PATH [LEVEL1 [LEVEL2 [LEVEL3]]]", checks::path_and_levels);
const ACCESS: Form = Form::once((1, 3), "USERS:PERMISSIONS ...", checks::access);

/// Directives by their names.
const NAMED: &[(&[&str], Form)] = &[
    (
        &[
            "aio_write",
            "client_body_early_read",
            "client_body_in_single_buffer",
            "geoip_proxy_recursive",
            "gzip_no_buffer",
            "image_filter_interlace",
            "image_filter_transparency",
            "log_subrequest",
            "mirror_request_body",
            "mp4_start_key_frame",
            "open_file_cache_events",
            "pcre_jit",
            "ssi_ignore_recycled_buffers",
            "ssi_last_modified",
            "ssi_silent_errors",
            "ssl_stapling_verify",
            "sub_filter_last_modified",
            "sub_filter_once",
            "xslt_last_modified",
        ],
        FLAG,
    ),
    (
        &[
            "client_body_buffer_size",
            "directio_alignment",
            "image_filter_buffer",
            "mp4_buffer_size",
            "mp4_max_buffer_size",
            "postpone_gzipping",
            "postpone_output",
            "read_ahead",
            "send_lowat",
            "sendfile_max_chunk",
            "ssi_min_file_chunk",
            "subrequest_output_buffer_size",
        ],
        SIZE,
    ),
    (&["resolver_timeout", "timer_resolution"], TIME),
    (
        &[
            "epoll_events",
            "map_hash_bucket_size",
            "map_hash_max_size",
            "min_delete_depth",
            "referer_hash_bucket_size",
            "referer_hash_max_size",
            "server_names_hash_bucket_size",
            "server_names_hash_max_size",
            "worker_aio_requests",
        ],
        NUMBER,
    ),
    (
        &[
            "proxy_headers_hash_bucket_size",
            "proxy_headers_hash_max_size",
            "types_hash_bucket_size",
            "types_hash_max_size",
            "variables_hash_bucket_size",
            "variables_hash_max_size",
        ],
        Form::once((1, 1), "NUMBER", checks::size_of_table),
    ),
    (&["ssi_value_length"], SIZE),
    (&["request_pool_size"], POOL_SIZE),
    (&["gzip_buffers", "gunzip_buffers", "output_buffers", "brotli_buffers", "zstd_buffers"], BUFFERS),
    (&["brotli_comp_level", "brotli_min_length", "zstd_min_length"], NUMBER),
    (&["zstd_comp_level"], Form::once((1, 1), "LEVEL", |_| Ok(()))),
    (&["brotli_window"], SIZE),
    (&["zstd_dict_file"], Form::once((1, 1), "FILE", |_| Ok(()))),
    (&["modsecurity_rules", "modsecurity_transaction_id"], Form::many((1, 1), "TEXT", |_| Ok(()))),
    (&["modsecurity_rules_file"], Form::many((1, 1), "FILE", |_| Ok(()))),
    (&["modsecurity_rules_remote"], Form::many((2, 2), "KEY URL", |_| Ok(()))),
    (&["modsecurity_use_error_log"], FLAG),
    (&["gzip_hash"], Form::once((1, 1), "SIZE", checks::gzip_hash)),
    (&["client_body_temp_path"], TEMP_PATH),
    (&["dav_access"], ACCESS),
    (&["lock_file"], Form::once((1, 1), "FILE", |_| Ok(()))),
    (&["ssl_ocsp_responder", "ssl_stapling_responder"], Form::once((1, 1), "URL", |_| Ok(()))),
    (&["ssl_ocsp_cache"], Form::once((1, 1), "off | shared:NAME:SIZE", checks::ocsp_cache)),
    (&["ssi_types", "sub_filter_types", "xslt_types", "brotli_types", "zstd_types"], TYPES),
    (&["auth_request_set"], Form::many((2, 2), "$VARIABLE VALUE", checks::variable)),
    (&["directio"], Form::once((1, 1), "SIZE | off", checks::off_or_size)),
    (&["debug_points"], Form::once((1, 1), "stop | abort", checks::debug_points)),
    (&["resolver"], Form::once((1, MANY), "ADDRESS ... [valid=TIME] [ipv4=on|off] [ipv6=on|off]", checks::resolver)),
    (
        &["client_body_in_file_only"],
        Form::once((1, 1), "on | clean | off", |args| args.one_of(0, &[("off", ()), ("on", ()), ("clean", ())])),
    ),
    (&["http2_idle_timeout", "http2_recv_timeout"], Form::many((1, 1), "TIME", |_| Ok(()))),
    (
        &["http2_max_concurrent_pushes", "http2_max_field_size", "http2_max_header_size", "http2_max_requests"],
        Form::many((1, 1), "NUMBER", |_| Ok(())),
    ),
    (&["http2_pool_size"], POOL_SIZE),
    (&["http2_streams_index_size"], Form::once((1, 1), "NUMBER", checks::power_of_two)),
    (&["http2_push"], Form::many((1, 1), "URI | off", |_| Ok(()))),
    (&["http2_push_preload"], Form::many((1, 1), "on | off", |_| Ok(()))),
    (&["env"], Form::many((1, 1), "NAME[=VALUE]", |_| Ok(()))),
    (&["load_module"], Form::many((1, 1), "FILE", |_| Ok(()))),
    (&["ssl_engine"], Form::once((1, 1), "DEVICE", |_| Ok(()))),
    (&["debug_connection"], Form::many((1, 1), "ADDRESS | CIDR | unix:", |_| Ok(()))),
    (&["early_hints"], Form::many((1, MANY), "VALUE ...", checks::text)),
    (&["geoip_proxy"], Form::many((1, 1), "ADDRESS | CIDR", |_| Ok(()))),
    (&["xml_entities"], Form::once((1, 1), "FILE", |_| Ok(()))),
    (&["xslt_param", "xslt_string_param"], PAIR),
    (
        &["image_filter_jpeg_quality", "image_filter_sharpen", "image_filter_webp_quality"],
        Form::once((1, 1), "NUMBER", checks::text),
    ),
    (&["proxy_next_upstream"], Form::many((1, MANY), NEXT, |args| failures(args, &[]))),
    (&["grpc_next_upstream"], Form::many((1, MANY), NEXT, |args| failures(args, &[2]))),
    (&["proxy_cache_use_stale"], Form::many((1, MANY), STALE, |args| failures(args, &[]))),
    (
        &["memcached_next_upstream"],
        Form::many((1, MANY), "error | timeout | invalid_response | not_found | off ...", |args| {
            checks::words(args, &["error", "timeout", "invalid_response", "not_found", "off"])
        }),
    ),
];

/// Beginnings of the names of those that say how requests are passed on; what follows is in the list below.
const PASSING: &[&str] = &["proxy_", "fastcgi_", "uwsgi_", "scgi_", "grpc_", "memcached_"];

/// Failures for which nginx tries another server: the words of each module, and those of some.
const FAILURES: [&[&str]; 3] = [
    &[
        "error",
        "timeout",
        "invalid_header",
        "non_idempotent",
        "http_500",
        "http_503",
        "http_403",
        "http_404",
        "http_429",
        "off",
    ],
    &["http_502", "http_504"],
    &["updating"],
];

/// The words of [`FAILURES`], but for those of one list or two.
fn failures(args: &Args, without: &[usize]) -> Result<(), Error> {
    let lists = FAILURES.iter().enumerate().filter(|(n, _)| !without.contains(n));
    checks::words(args, &lists.flat_map(|(_, words)| words.iter().copied()).collect::<Vec<_>>())
}

const NEXT: &str = "error | timeout | http_500 | ... | off";
const STALE: &str = "error | timeout | updating | http_500 | ... | off";

const IGNORED_HEADERS: &[&str] = &[
    "X-Accel-Redirect",
    "X-Accel-Expires",
    "X-Accel-Limit-Rate",
    "X-Accel-Buffering",
    "X-Accel-Charset",
    "Expires",
    "Cache-Control",
    "Set-Cookie",
    "Vary",
];

/// Directives by what follows the module's name.
const PASSED: &[(&[&str], Form)] = &[
    (
        &[
            "buffering",
            "cache_background_update",
            "cache_convert_head",
            "cache_lock",
            "cache_revalidate",
            "force_ranges",
            "ignore_client_abort",
            "intercept_errors",
            "keep_conn",
            "pass_request_body",
            "pass_request_headers",
            "pass_trailers",
            "request_buffering",
            "socket_keepalive",
            "ssl_server_name",
            "ssl_session_reuse",
            "ssl_verify",
        ],
        FLAG,
    ),
    (
        &[
            "buffer_size",
            "busy_buffers_size",
            "cache_max_range_offset",
            "max_temp_file_size",
            "send_lowat",
            "temp_file_write_size",
        ],
        SIZE,
    ),
    (
        &[
            "cache_lock_age",
            "cache_lock_timeout",
            "connect_timeout",
            "next_upstream_timeout",
            "read_timeout",
            "send_timeout",
        ],
        TIME,
    ),
    (&["cache_min_uses", "gzip_flag", "modifier1", "modifier2", "next_upstream_tries", "ssl_verify_depth"], NUMBER),
    (&["limit_rate"], Form::once((1, 1), "SIZE", checks::size_or_variables)),
    (&["buffers"], BUFFERS),
    (&["hide_header", "pass_header"], NAME),
    (&["set_header"], PAIR),
    (&["param"], PARAM),
    (&["cache_bypass", "no_cache"], CONDITIONS),
    (&["cache"], Form::once((1, 1), "ZONE | off", checks::text)),
    (&["cache_key", "method", "ssl_name"], TEXT),
    (&["catch_stderr"], Form::many((1, 1), "TEXT", |_| Ok(()))),
    (&["index", "set_body", "string"], Form::once((1, 1), "TEXT", |_| Ok(()))),
    (&["store"], Form::once((1, 1), "on | off | PATH", checks::text)),
    (&["store_access"], ACCESS),
    (&["temp_path"], TEMP_PATH),
    (&["cache_path"], Form::many((2, MANY), "PATH keys_zone=NAME:SIZE [PARAMETER=VALUE] ...", checks::cache_path)),
    (&["cache_valid"], Form::many((1, MANY), "[STATUS | any] ... TIME", checks::cache_valid)),
    (
        &["cache_methods"],
        Form::many((1, MANY), "GET | HEAD | POST ...", |args| checks::words(args, &["GET", "HEAD", "POST"])),
    ),
    (&["cache_use_stale"], Form::many((1, MANY), STALE, |args| failures(args, &[1]))),
    (&["next_upstream"], Form::many((1, MANY), NEXT, |args| failures(args, &[1]))),
    (&["ignore_headers"], Form::many((1, MANY), "NAME ...", |args| checks::words(args, IGNORED_HEADERS))),
    (&["bind"], Form::once((1, 2), "ADDRESS [transparent] | off", checks::bind)),
    (&["http_version"], Form::once((1, 1), "1.0 | 1.1 | 2", |args| checks::word(args, &["1.0", "1.1", "2"]))),
    (&["cookie_domain", "cookie_path"], Form::many((1, 2), "off | FROM TO", checks::off_or_pair)),
    (&["cookie_flags"], Form::many((1, 4), "off | COOKIE FLAG ...", checks::off_or_pair)),
    (&["redirect"], Form::many((1, 2), "off | FROM TO", checks::redirect)),
    (&["split_path_info"], Form::once((1, 1), "REGEX", checks::split_path_info)),
    (&["ssl_certificate", "ssl_certificate_key"], FILE),
    (&["ssl_crl", "ssl_trusted_certificate"], Form::once((1, 1), "FILE", |_| Ok(()))),
    (&["ssl_password_file"], Form::once((1, 1), "FILE", checks::readable)),
    (&["ssl_ciphers"], Form::once((1, 1), "CIPHERS", |_| Ok(()))),
    (&["ssl_conf_command"], Form::many((2, 2), "NAME VALUE", |_| Ok(()))),
    (
        &["ssl_certificate_cache"],
        Form::once((1, 3), "off | max=NUMBER [inactive=TIME] [valid=TIME]", checks::certificate_cache),
    ),
    (
        &["ssl_protocols"],
        Form::many((1, MANY), "TLSv1.2 | TLSv1.3 ...", |args| {
            checks::words(args, &["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
        }),
    ),
];

/// The form of a directive's values; `None`: nginx has more for it than is known here.
pub fn form_of(name: &str) -> Option<&'static Form> {
    let find = |list: &'static [(&[&str], Form)], name: &str| {
        list.iter().find(|(names, _)| names.contains(&name)).map(|(_, form)| form)
    };
    let passing = || PASSING.iter().find_map(|start| name.strip_prefix(start));
    find(NAMED, name).or_else(|| find(PASSED, passing()?))
}

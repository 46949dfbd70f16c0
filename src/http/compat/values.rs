//! The values that nginx's parser takes for directives without effect here, by the kinds of its setters
//! (`ngx_conf_set_flag_slot` and the like in `ngx_conf_file.c`).

use crate::conf::{Args, Check};

const FLAGS: &[&str] = &[
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
    "sub_filter_last_modified",
    "sub_filter_once",
    "xslt_last_modified",
];

const SIZES: &[&str] = &[
    "client_body_buffer_size",
    "directio_alignment",
    "image_filter_buffer",
    "mp4_buffer_size",
    "mp4_max_buffer_size",
    "postpone_gzipping",
    "postpone_output",
    "read_ahead",
    "request_pool_size",
    "send_lowat",
    "sendfile_max_chunk",
    "ssi_min_file_chunk",
    "ssi_value_length",
    "subrequest_output_buffer_size",
];

const TIMES: &[&str] = &["resolver_timeout", "timer_resolution"];

const NUMBERS: &[&str] = &[
    "epoll_events",
    "map_hash_bucket_size",
    "map_hash_max_size",
    "min_delete_depth",
    "proxy_headers_hash_bucket_size",
    "proxy_headers_hash_max_size",
    "referer_hash_bucket_size",
    "referer_hash_max_size",
    "server_names_hash_bucket_size",
    "server_names_hash_max_size",
    "types_hash_bucket_size",
    "types_hash_max_size",
    "variables_hash_bucket_size",
    "variables_hash_max_size",
    "worker_aio_requests",
];

/// Beginnings of the names of those that say how requests are passed on; what follows is in the lists below.
const PASSING: &[&str] = &["proxy_", "fastcgi_", "uwsgi_", "scgi_", "grpc_", "memcached_"];

const PASSING_FLAGS: &[&str] = &[
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
];

const PASSING_SIZES: &[&str] = &[
    "buffer_size",
    "busy_buffers_size",
    "cache_max_range_offset",
    "max_temp_file_size",
    "send_lowat",
    "temp_file_write_size",
];

const PASSING_TIMES: &[&str] = &[
    "cache_lock_age",
    "cache_lock_timeout",
    "connect_timeout",
    "next_upstream_timeout",
    "read_timeout",
    "send_timeout",
];

const PASSING_NUMBERS: &[&str] =
    &["cache_min_uses", "gzip_flag", "modifier1", "modifier2", "next_upstream_tries", "ssl_verify_depth"];

/// The check of a directive's value; `None`: nginx takes more for it than is known here.
pub(super) fn check_of(name: &str) -> Option<Check> {
    let passing = PASSING.iter().find_map(|start| name.strip_prefix(start)).unwrap_or_default();
    let is_one_of = |names: &[&str], passing_names: &[&str]| names.contains(&name) || passing_names.contains(&passing);
    if is_one_of(FLAGS, PASSING_FLAGS) {
        Some(|args: &Args| args.flag(0).map(drop))
    } else if is_one_of(SIZES, PASSING_SIZES) {
        Some(|args: &Args| args.size(0).map(drop))
    } else if is_one_of(TIMES, PASSING_TIMES) {
        Some(|args: &Args| args.time_ms(0).map(drop))
    } else if is_one_of(NUMBERS, PASSING_NUMBERS) {
        Some(|args: &Args| args.count(0).map(drop))
    } else if name == "client_body_in_file_only" {
        Some(|args: &Args| args.one_of(0, &[("off", ()), ("on", ()), ("clean", ())]))
    } else {
        None
    }
}

//! Directives of modules that do not come with nginx: unknown to drover as to nginx, which says so in the same words.
//! The help names the module, and what drover has in its place.

use super::{family, one};
use crate::conf::{Contexts, Entry, Refused};

const ALL: Contexts = Contexts::HTTP_ALL.union(Contexts::LOCATION_IF);
const ANY: (usize, usize) = (1, usize::MAX);

const GZIP_ONLY: &str = "responses are compressed as gzip only (\"gzip on\"): make .br or .zst files \
    when the site is built, and say \"brotli_static on\" or \"zstd_static on\".";
const NO_BROTLI: &str = "There is no \"brotli\".";
const NO_ZSTD: &str = "There is no \"zstd\".";
const NO_FIREWALL: &str = "There is no \"modsecurity\".";

/// The directives, by module.
pub static DIRECTIVES: &[&dyn Entry] = &[
    &Refused::foreign(&["brotli", "zstd"], GZIP_ONLY).but("off").contexts(ALL),
    &family(&["brotli_buffers"], ALL, (2, 2), NO_BROTLI),
    &family(&["brotli_comp_level", "brotli_min_length", "brotli_window"], ALL, (1, 1), NO_BROTLI),
    &one("brotli_types", ALL, ANY, NO_BROTLI),
    &one("zstd_buffers", ALL, (2, 2), NO_ZSTD),
    &family(&["zstd_comp_level", "zstd_dict_file", "zstd_min_length"], ALL, (1, 1), NO_ZSTD),
    &one("zstd_types", ALL, ANY, NO_ZSTD),
    &Refused::foreign(
        &["more_set_headers", "more_clear_headers", "more_set_input_headers", "more_clear_input_headers"],
        "it is of the module headers-more: \"add_header NAME VALUE always\" adds a field to any answer, \
         \"server_tokens off\" shortens Server, \"etag off\" and \"if_modified_since off\" are for caches.",
    ),
    &Refused::foreign(&["fancyindex", "fancyindex_*"], "it is of the module fancyindex: use \"autoindex on\".")
        .but("off"),
    &Refused::foreign(
        &["echo", "echo_*"],
        "it is of the module echo: \"return 200 TEXT\" answers with a text, \"default_type\" gives its type.",
    ),
    &Refused::foreign(
        &["geoip2", "geoip2_*"],
        "it is of the module geoip2, which reads a database: \"geo\" takes the nets themselves, from a file as well.",
    ),
    &Refused::foreign(
        &["modsecurity"],
        "it is of the module ModSecurity, and drover filters no requests: \"allow\", \"deny\", \"limit_req\" and \
         \"map\" guard files; for more put a proxy in front.",
    )
    .but("off"),
    &family(
        &["modsecurity_rules", "modsecurity_rules_file", "modsecurity_transaction_id", "modsecurity_use_error_log"],
        ALL,
        (1, 1),
        NO_FIREWALL,
    ),
    &one("modsecurity_rules_remote", ALL, (2, 2), NO_FIREWALL),
    &Refused::foreign(
        &["pagespeed"],
        "it is of the module PageSpeed, and files are sent as they are: make them small when the site is built.",
    )
    .only("on"),
    &Refused::foreign(
        &["vhost_traffic_status", "vhost_traffic_status_*"],
        "it is of the module VTS: \"stub_status\", \"status_page\" and \"metrics\" (for Prometheus) show what happens.",
    )
    .but("off"),
    &Refused::foreign(
        &[
            "access_by_lua*",
            "balancer_by_lua*",
            "body_filter_by_lua*",
            "content_by_lua*",
            "exit_worker_by_lua*",
            "header_filter_by_lua*",
            "init_by_lua*",
            "init_worker_by_lua*",
            "log_by_lua*",
            "lua_*",
            "preread_by_lua*",
            "rewrite_by_lua*",
            "server_rewrite_by_lua*",
            "set_by_lua*",
            "ssl_certificate_by_lua*",
            "ssl_client_hello_by_lua*",
            "ssl_session_fetch_by_lua*",
            "ssl_session_store_by_lua*",
        ],
        "it is of the module lua, and drover runs no scripts: \"return 200 TEXT\", \"map\", \"geo\", \"rewrite\" and \
         \"if\" do much of it.",
    )
    .holding_code(),
    &Refused::foreign(
        &["js_*"],
        "it is of the module njs, and drover runs no scripts: \"return 200 TEXT\", \"map\", \"geo\", \"rewrite\" and \
         \"if\" do much of it.",
    ),
    &Refused::foreign(
        &[
            "set_base32_alphabet",
            "set_decode_base32",
            "set_decode_base64",
            "set_decode_base64url",
            "set_decode_hex",
            "set_encode_base32",
            "set_encode_base64",
            "set_encode_base64url",
            "set_encode_hex",
            "set_escape_uri",
            "set_formatted_gmt_time",
            "set_formatted_local_time",
            "set_hashed_upstream",
            "set_hmac_sha1",
            "set_hmac_sha256",
            "set_if_empty",
            "set_local_today",
            "set_md5",
            "set_misc_base32_padding",
            "set_quote_*",
            "set_random",
            "set_rotate",
            "set_secure_random_*",
            "set_sha1",
            "set_unescape_uri",
        ],
        "it is of the module set-misc: \"map\" makes a value of another, \"split_clients\" draws one, \"$request_id\" \
         is 16 random bytes.",
    ),
    &Refused::foreign(
        &["subs_filter", "subs_filter_*", "concat", "concat_*", "trim", "trim_*", "small_light", "small_light_*"],
        "it is of a module that changes pages, and files are sent as they are: do this when the site is built.",
    ),
    &Refused::foreign(
        &["security_headers", "security_headers_*", "hide_server_tokens", "set_cookie_flag"],
        "it is of a module for fields of the answer: use \"add_header NAME VALUE always\" and \"server_tokens off\".",
    )
    .but("off"),
    &Refused::foreign(
        &["auth_digest*", "auth_gss*", "auth_ldap*", "auth_pam*", "auth_spnego*", "ldap_server"],
        "it is of a module for passwords: \"auth_basic\" reads them from a file; for more put a proxy in front.",
    )
    .but("off"),
    &Refused::foreign(
        &["BasicRule", "CheckRule", "DeniedUrl", "LearningMode", "MainRule", "SecRulesDisabled", "SecRulesEnabled"],
        "it is of the module naxsi, and drover filters no requests: \"allow\", \"deny\", \"limit_req\" and \"map\" \
         guard files; for more put a proxy in front.",
    ),
    &Refused::foreign(
        &["upload_*", "upload_progress", "track_uploads", "report_uploads", "dav_ext_methods", "dav_ext_lock*"],
        "it is of a module for uploads, and drover never changes files: upload by other means.",
    ),
    &Refused::foreign(
        &[
            "ajp_*",
            "drizzle_*",
            "memc_*",
            "nchan_*",
            "passenger_*",
            "postgres_*",
            "push_stream_*",
            "redis2_*",
            "redis_*",
            "rtmp",
            "srcache_*",
        ],
        "it is of a module that answers with more than files: put a proxy such as nginx or HAProxy in front of both.",
    ),
    &Refused::foreign(
        &["vod", "vod_*", "video_thumbextractor*"],
        "it is of a module for media: drover seeks in them by Range requests only; all players can.",
    ),
    &Refused::foreign(
        &["datadog_*", "opentelemetry*", "opentracing*", "otel_*", "zipkin_*"],
        "it is of a module that traces requests: \"log_format\" with \"$request_id\", \"$request_time\" and \
         \"$http_traceparent\" tells the same, and syslog takes it.",
    )
    .but("off"),
    &Refused::foreign(
        &["acme_*"],
        "it is of the module acme: let certbot or lego renew the files; \"certificate_watch on\" takes them.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{self, Registry, Section};

    static HTTP: Section = Section::new("http").contexts(Contexts::MAIN).inner(Contexts::HTTP).about("As in http.");

    fn registry() -> Registry {
        Registry::new(&[&[&HTTP], DIRECTIVES])
    }

    #[test]
    fn values_that_change_nothing_are_accepted() {
        let text = "http { brotli off; brotli_types a b; brotli_comp_level 6; zstd OFF; modsecurity off; \
            modsecurity_rules_file x; pagespeed off; pagespeed FileCachePath /x; fancyindex off; }";
        let conf = conf::parse(&registry(), text).unwrap();
        let [notice] = &conf.warnings[..] else { panic!("{:?}", conf.warnings) };
        let said = notice.error.sentence();
        assert!(
            notice.notice && said.starts_with("without effect here, and not needed: \"brotli\" in conf:1"),
            "{said}"
        );
        for name in ["brotli_types", "zstd", "modsecurity_rules_file", "pagespeed", "fancyindex"] {
            assert!(said.contains(&format!("\"{name}\"")), "{name}: {said}");
        }
    }

    #[test]
    fn what_another_module_does_is_unknown_and_explained() {
        for (text, word) in [
            ("brotli on;", "brotli_static"),
            ("brotli on off;", "brotli_static"),
            ("zstd on;", "zstd_static"),
            ("modsecurity on;", "ModSecurity"),
            ("pagespeed on;", "PageSpeed"),
            ("pagespeed;", "PageSpeed"),
            ("more_clear_headers Server;", "server_tokens"),
            ("fancyindex on;", "autoindex"),
            ("fancyindex_footer /x;", "autoindex"),
            ("echo x;", "return 200"),
            ("geoip2 /x { $a country; }", "\"geo\""),
            ("vhost_traffic_status_zone;", "metrics"),
            ("content_by_lua_block { ngx.say(1) ; }", "lua"),
            ("set_by_lua $x 'return 1';", "lua"),
            ("js_import x from y.js;", "njs"),
            ("set_md5 $x $y;", "set-misc"),
            ("passenger_ruby /x;", "in front"),
        ] {
            let error = conf::parse(&registry(), &format!("http {{ {text} }}")).unwrap_err();
            let name = text.split([' ', ';']).next().unwrap();
            assert_eq!(error.sentence(), format!("unknown directive \"{name}\" in conf:1"));
            assert!(error.help_text().unwrap_or_default().contains(word), "{text}: {error}");
        }
    }
}

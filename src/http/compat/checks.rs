//! Checks of the values of directives without effect here, in nginx's sentences: its own setters, where the kinds that
//! [`Args`] has don't do.

use crate::conf::{Args, Error, parse_count, parse_size, parse_time_ms, parse_time_s};
use crate::os::pcre::Pattern;
use crate::os::{Failure, resolve};
use std::fs::File;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Anything but a `$` without a name (`ngx_http_compile_complex_value`).
pub(super) fn text(args: &Args) -> Result<(), Error> {
    (0..args.len()).try_for_each(|i| variables(args, i))
}

fn variables(args: &Args, i: usize) -> Result<(), Error> {
    let is_nameless = |rest: &str| {
        let name = rest.strip_prefix('{').unwrap_or(rest);
        !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    };
    match args.str(i)?.split('$').skip(1).any(is_nameless) {
        true => Err(args.bad(i, "invalid variable name")),
        false => Ok(()),
    }
}

/// A number of buffers and their size (`ngx_conf_set_bufs_slot`).
pub(super) fn buffers(args: &Args) -> Result<(), Error> {
    let is_some = |number: Option<u64>| number.is_some_and(|number| number > 0);
    let error = |i: usize| args.invalid(i, "value", "a number of buffers, and the size of each: 16 8k");
    if !is_some(args.count(0).ok()) {
        return Err(error(0));
    }
    if is_some(args.size(1).ok()) { Ok(()) } else { Err(error(1)) }
}

/// The size of a table that nginx always has (`ngx_hash_init`).
pub(super) fn size_of_table(args: &Args) -> Result<(), Error> {
    let name = args.name();
    let table = name.trim_end_matches("_max_size").trim_end_matches("_bucket_size");
    match args.count(0)? {
        0 => Err(args.bad(0, format!("could not build {table}, you should increase {name}: 0"))),
        _ => Ok(()),
    }
}

/// A file that is read with the conf (`ngx_ssl_read_password_file`).
pub(super) fn readable(args: &Args) -> Result<(), Error> {
    let path = args.conf_path(0)?;
    let failed = |error| Error::failed(args.span(0), Failure::on_path("open", Path::new(&path), error));
    File::open(&path).map(drop).map_err(failed)
}

/// A size, or a text with variables (`ngx_http_set_complex_value_size_slot`).
pub(super) fn size_or_variables(args: &Args) -> Result<(), Error> {
    if args.str(0)?.contains('$') { variables(args, 0) } else { args.size(0).map(drop) }
}

/// Words of a list, each in its case or another (`ngx_conf_set_bitmask_slot`).
pub(super) fn words(args: &Args, known: &[&str]) -> Result<(), Error> {
    let known: Vec<(&str, ())> = known.iter().map(|word| (*word, ())).collect();
    (0..args.len()).try_for_each(|i| args.one_of(i, &known))
}

/// A word of a list (`ngx_conf_set_enum_slot`).
pub(super) fn word(args: &Args, known: &[&str]) -> Result<(), Error> {
    words(args, known)
}

/// `off`, or a size (`ngx_http_core_directio`).
pub(super) fn off_or_size(args: &Args) -> Result<(), Error> {
    if args.str(0)? == "off" { Ok(()) } else { args.size(0).map(drop) }
}

/// The memory of a connection or a request (`ngx_http_core_pool_size`).
pub(super) fn pool_size(args: &Args) -> Result<(), Error> {
    match args.size(0)? {
        size if size < LEAST_POOL => Err(args.bad(0, format!("the pool size must be no less than {LEAST_POOL}"))),
        size if size % POOL_UNIT != 0 => Err(args.bad(0, format!("the pool size must be a multiple of {POOL_UNIT}"))),
        _ => Ok(()),
    }
}

/// `NGX_MIN_POOL_SIZE` and `NGX_POOL_ALIGNMENT` of nginx on 64 bits.
const LEAST_POOL: u64 = 112;
const POOL_UNIT: u64 = 16;

/// `ngx_http_v2_streams_index_mask`
pub(super) fn power_of_two(args: &Args) -> Result<(), Error> {
    if args.count(0)?.is_power_of_two() { Ok(()) } else { Err(args.directive("must be a power of two")) }
}

/// `ngx_http_gzip_hash`
pub(super) fn gzip_hash(args: &Args) -> Result<(), Error> {
    let size = args.size(0)?;
    let is_known = size.is_power_of_two() && (512..=128 << 10).contains(&size);
    let error = || args.directive("must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k");
    if is_known { Ok(()) } else { Err(error()) }
}

/// A path, and the digits of up to three levels of directories (`ngx_conf_set_path_slot`).
pub(super) fn path_and_levels(args: &Args) -> Result<(), Error> {
    let mut digits = 0;
    for i in 1..args.len() {
        let level = parse_count(args.str(i)?).filter(|level| (1..10).contains(level));
        digits += level.ok_or_else(|| args.invalid(i, "value", "digits in the name of a directory: 1 2"))?;
    }
    if digits <= 10 { Ok(()) } else { Err(args.invalid(1, "value", "at most 10 digits in all")) }
}

/// `user:rw group:r all:r` (`ngx_conf_set_access_slot`).
pub(super) fn access(args: &Args) -> Result<(), Error> {
    for i in 0..args.len() {
        let text = args.str(i)?;
        let is_known = matches!(text.split_once(':'), Some(("user" | "group" | "all", "rw" | "r")));
        if !is_known {
            return Err(args.bad(i, format!("invalid value \"{text}\"")).help("such as user:rw group:rw all:r"));
        }
    }
    Ok(())
}

/// `off`, or an address with or without a port, and `transparent` (`ngx_http_upstream_bind_set_slot`).
pub(super) fn bind(args: &Args) -> Result<(), Error> {
    let address = args.str(0)?;
    if args.len() == 1 && address == "off" {
        return Ok(());
    }
    let is_address = address.parse::<IpAddr>().is_ok() || address.parse::<SocketAddr>().is_ok();
    if address.contains('$') {
        variables(args, 0)?;
    } else if !is_address && !bracketed(address) {
        let help = "an address of this machine, such as 192.0.2.1, or off";
        return Err(args.bad(0, format!("invalid address \"{address}\"")).help(help));
    }
    match args.opt_str(1) {
        Some(text) if text != "transparent" => Err(parameter(args, 1)),
        _ => Ok(()),
    }
}

fn bracketed(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inside.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn parameter(args: &Args, i: usize) -> Error {
    args.bad(i, format!("invalid parameter \"{}\"", args.str(i).unwrap_or_default()))
}

/// `ngx_http_file_cache_valid_set_slot`
pub(super) fn cache_valid(args: &Args) -> Result<(), Error> {
    let last = args.len().saturating_sub(1);
    let time = args.str(last)?;
    if parse_time_s(time).is_none() {
        return Err(args
            .bad(last, format!("invalid time value \"{time}\""))
            .help("statuses, then a time: 200 301 10m"));
    }
    for i in 0..last {
        let text = args.str(i)?;
        if text != "any" && !parse_count(text).is_some_and(|status| (100..=599).contains(&status)) {
            return Err(args.bad(i, format!("invalid status \"{text}\"")));
        }
    }
    Ok(())
}

/// `ngx_http_file_cache_set_slot`: a zone is what no cache can do without.
pub(super) fn cache_path(args: &Args) -> Result<(), Error> {
    let mut has_zone = false;
    for i in 1..args.len() {
        let text = args.str(i)?;
        let Some((name, value)) = text.split_once('=') else { return Err(parameter(args, i)) };
        let is_good = match name {
            "keys_zone" => {
                let (zone, size) = value.split_once(':').unwrap_or_default();
                has_zone = true;
                let size = parse_size(size);
                if zone.is_empty() || size.is_none() {
                    return Err(args.bad(i, format!("invalid keys zone size \"{text}\"")).help("keys_zone=NAME:SIZE"));
                }
                if size.is_some_and(|size| size < LEAST_ZONE) {
                    return Err(args.bad(i, format!("keys zone \"{text}\" is too small")));
                }
                true
            }
            "levels" => value.split(':').count() <= 3 && value.split(':').all(|level| matches!(level, "1" | "2")),
            "use_temp_path" | "purger" => matches!(value, "on" | "off"),
            "inactive" => parse_time_s(value).is_some(),
            "max_size" | "min_free" => parse_size(value).is_some(),
            "loader_files" | "manager_files" | "purger_files" => parse_count(value).is_some(),
            "loader_sleep" | "loader_threshold" | "manager_sleep" | "manager_threshold" | "purger_sleep"
            | "purger_threshold" => parse_time_ms(value).is_some(),
            _ => return Err(parameter(args, i)),
        };
        if !is_good {
            return Err(args.bad(
                i,
                match name {
                    "levels" => format!("invalid \"levels\" \"{text}\""),
                    "use_temp_path" => format!("invalid {name} value \"{text}\", it must be \"on\" or \"off\""),
                    _ => format!("invalid {name} value \"{text}\""),
                },
            ));
        }
    }
    if has_zone { Ok(()) } else { Err(args.bad(0, format!("\"{}\" must have \"keys_zone\" parameter", args.name()))) }
}

/// Two pages of 4 KiB are not enough for a zone.
const LEAST_ZONE: u64 = 2 * 4096;

/// `off` alone, or a pair (`ngx_http_proxy_cookie_path` and its like).
pub(super) fn off_or_pair(args: &Args) -> Result<(), Error> {
    if args.len() == 1 && args.str(0)? != "off" { Err(parameter(args, 0)) } else { text(args) }
}

/// `off`, `default`, or a pair (`ngx_http_proxy_redirect`).
pub(super) fn redirect(args: &Args) -> Result<(), Error> {
    match (args.len(), args.str(0)?) {
        (1, "off" | "false") => Ok(()),
        (1, "default") => {
            Err(args.bad(0, "\"proxy_redirect default\" should be placed after the \"proxy_pass\" directive"))
        }
        (1, _) => Err(parameter(args, 0)),
        _ => text(args),
    }
}

/// `ngx_http_upstream_param_set_slot`
pub(super) fn param(args: &Args) -> Result<(), Error> {
    match args.opt_str(2) {
        Some(text) if text != "if_not_empty" => Err(parameter(args, 2)),
        _ => variables(args, 1),
    }
}

/// `ngx_http_fastcgi_split_path_info`
pub(super) fn split_path_info(args: &Args) -> Result<(), Error> {
    let text = args.str(0)?;
    let pattern = Pattern::new(text, false).map_err(|error| args.bad(0, error.in_pattern(text)))?;
    match pattern.groups() {
        2 => Ok(()),
        _ => Err(args.bad(0, format!("pattern \"{text}\" must have 2 captures"))),
    }
}

/// Name servers, with what is said about their answers (`ngx_resolver_create`).
pub(super) fn resolver(args: &Args) -> Result<(), Error> {
    for i in 0..args.len() {
        let text = args.str(i)?;
        if let Some(time) = text.strip_prefix("valid=") {
            if parse_time_s(time).is_none() {
                return Err(args.bad(i, format!("invalid parameter: {text}")));
            }
        } else if let Some((_, flag)) = text.split_once('=').filter(|(name, _)| matches!(*name, "ipv4" | "ipv6")) {
            if !matches!(flag, "on" | "off") {
                return Err(args.bad(i, format!("invalid parameter: {text}")));
            }
        } else if !text.starts_with("status_zone=") {
            name_server(args, i, text)?;
        }
    }
    Ok(())
}

fn name_server(args: &Args, i: usize, text: &str) -> Result<(), Error> {
    let is_address = text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok() || bracketed(text);
    let host = text.split(':').next().unwrap_or_default();
    if is_address || !resolve(host).is_empty() {
        return Ok(());
    }
    let help = "the address of a name server, such as 127.0.0.53";
    Err(args.bad(i, format!("host not found in resolver \"{text}\"")).help(help))
}

/// `ngx_http_ssl_ocsp_cache`
pub(super) fn ocsp_cache(args: &Args) -> Result<(), Error> {
    let text = args.str(0)?;
    let is_zone = text
        .strip_prefix("shared:")
        .and_then(|zone| zone.split_once(':'))
        .is_some_and(|(name, size)| !name.is_empty() && parse_size(size).is_some_and(|size| size >= LEAST_ZONE));
    if text == "off" || is_zone { Ok(()) } else { Err(args.bad(0, format!("invalid OCSP cache \"{text}\""))) }
}

/// `ngx_http_proxy_ssl_certificate_cache`
pub(super) fn certificate_cache(args: &Args) -> Result<(), Error> {
    let mut has_max = false;
    for i in 0..args.len() {
        let text = args.str(i)?;
        let is_good = match text.split_once('=') {
            Some(("max", max)) => {
                has_max = true;
                parse_count(max).is_some_and(|max| max > 0)
            }
            Some(("inactive" | "valid", time)) => parse_time_s(time).is_some(),
            _ => text == "off",
        };
        if !is_good {
            return Err(parameter(args, i));
        }
        has_max |= text == "off";
    }
    let error = || args.bad(0, format!("\"{}\" must have the \"max\" parameter", args.name()));
    if has_max { Ok(()) } else { Err(error()) }
}

/// A variable's name, and its value.
pub(super) fn variable(args: &Args) -> Result<(), Error> {
    let text = args.str(0)?;
    match text.strip_prefix('$') {
        Some(name) if !name.is_empty() => variables(args, 1),
        _ => Err(args.bad(0, format!("invalid variable name \"{text}\"")).help("it begins with \"$\"")),
    }
}

/// `ngx_debug_points`
pub(super) fn debug_points(args: &Args) -> Result<(), Error> {
    word(args, &["stop", "abort"])
}

//! Variables of nginx's modules that drover does not have: they are as empty as they are in nginx for a static file.

use super::cx::Variable;
use crate::conf;
use crate::http::site::template::VariableNames;

/// Names, and beginnings of names that end in `_`.
const NAMES: &[(&str, &[&str])] = &[
    (
        "upstream_",
        &[
            "addr",
            "bytes_received",
            "bytes_sent",
            "cache_age",
            "cache_key",
            "cache_last_modified",
            "cache_status",
            "connect_time",
            "cookie_",
            "first_byte_time",
            "header_time",
            "http_",
            "last_addr",
            "queue_time",
            "response_length",
            "response_time",
            "status",
            "trailer_",
        ],
    ),
    ("ssl_", &["client_sigalg", "ech_outer_server_name", "ech_status", "sigalg"]),
    (
        "geoip_",
        &[
            "area_code",
            "city",
            "city_continent_code",
            "city_country_code",
            "city_country_code3",
            "city_country_name",
            "country_code",
            "country_code3",
            "country_name",
            "dma_code",
            "latitude",
            "longitude",
            "org",
            "postal_code",
            "region",
            "region_name",
        ],
    ),
    (
        "",
        &[
            "fastcgi_path_info",
            "http3",
            "proxy_host",
            "proxy_port",
            "secure_link",
            "secure_link_expires",
            "slice_range",
        ],
    ),
];

/// Whether nginx has a module with a variable of this name.
pub(super) fn is_known(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|(family, rests)| {
        let Some(rest) = name.strip_prefix(family) else { return false };
        rests.iter().any(|known| if known.ends_with('_') { rest.starts_with(known) } else { rest == *known })
    })
}

/// The notice that names all such variables of a conf.
pub(in crate::http) fn notice(conf: &conf::Conf, names: &VariableNames, variables: &[Variable]) -> Option<conf::Error> {
    let is_absent = |variable: &Variable| match variable {
        Variable::Absent => true,
        Variable::Set { unset: Some(unset), .. } => matches!(**unset, Variable::Absent),
        _ => false,
    };
    let used = names.used().zip(variables).filter(|(_, variable)| is_absent(variable));
    let named = used.map(|((name, span), _)| match conf.place(span) {
        Some(place) => format!("\"${name}\" in {place}"),
        None => format!("\"${name}\""),
    });
    let named: Vec<String> = named.collect();
    let message = || format!("empty here, as in nginx for a static file: {}", named.join(", "));
    (!named.is_empty()).then(|| conf::Error::at(conf::Span::NOWHERE, message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_nginx() {
        for name in ["upstream_addr", "Upstream_Status", "upstream_http_x_y", "ssl_sigalg"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["upstream_adr", "upstream_", "ssl_", "ssl_protocols", "proxy_hosts", "sent_trailer_x", "msie", ""]
        {
            assert!(!is_known(name), "{name}");
        }
    }
}

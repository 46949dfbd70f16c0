//! The sites over HTTP/2: each well-formed request of a site's probes as fields on a stream, to nginx and to drover.
//!
//! Requests that say something about their connection or have a body in chunks are HTTP/1's own, and left out.

use std::path::Path;

use crate::intended;
use crate::marks;
use crate::probe::{Probe, Site, Step};
use crate::sites;
use crate::support::h2::{Answer, H2, request};
use crate::support::server::{Product, Server, Setup};
use crate::times;

/// Differences that are meant, by site and the beginning of the probe's name, and why.
const MEANT: &[(&str, &str, &str)] = &[
    ("lines", "GET /sent/", "$sent_http_connection is \"close\" in nginx; HTTP/2 has no Connection (RFC 9113, 8.2.2)"),
    ("trailers", "GET /large.bin Host: some", "nginx's $bytes_sent is 0 until a large body is out"),
    ("unchunked", "GET /digits.txt Host: ends Accept-Encoding: gzip", "$gzip_ratio is known in front of a trailer"),
    ("unchunked", "GET /coded/long.html Host: ends Accept-Encoding: gzip", "likewise"),
    ("strict", "empty name", "nginx ends the connection, the RFC's error is one of the stream (RFC 9113, 8.1.1)"),
    ("refused", "no name", "likewise"),
];

/// The fields of a probe that is one well-formed request.
fn fields(probe: &Probe) -> Option<Vec<(String, String)>> {
    let [Step::Send(bytes), Step::Read { .. }] = &probe.steps[..] else { return None };
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    if !body.is_empty() || words.next()? != "HTTP/1.1" || words.next().is_some() || !target.starts_with('/') {
        return None;
    }
    let mut fields = vec![(":method", method), (":scheme", "http"), (":path", target)];
    let (mut authority, mut others) = (None, Vec::new());
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        let is_host = name.eq_ignore_ascii_case("host");
        let own = ["connection", "transfer-encoding", "content-length", "expect", "upgrade", "te", "keep-alive"];
        if own.iter().any(|own| own.eq_ignore_ascii_case(name))
            || value.trim() != value
            || is_host && authority.is_some()
        {
            return None;
        }
        if is_host { authority = Some(value) } else { others.push((name.to_ascii_lowercase(), value.to_owned())) }
    }
    fields.push((":authority", authority?));
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Some(fields.chain(others).collect())
}

/// Starts the product with the site's conf, asks each probe on a connection of its own, and writes down what comes.
fn record(site: &Site, product: Product, root: &Path) -> Vec<(String, Vec<String>)> {
    let conf = site.conf.replace("%uncached%", if product == Product::Drover { "gzip_cache off;" } else { "" });
    let conf = conf.replacen("http {", "http { http2 on;", 1);
    let server = Setup::new(product, conf).root(root).start();
    let asked = site.probes.iter().filter_map(|probe| Some((probe, fields(probe)?)));
    asked.map(|(probe, fields)| (probe.name.clone(), converse(site, &server, &fields))).collect()
}

fn converse(site: &Site, server: &Server, fields: &[(String, String)]) -> Vec<String> {
    let mut client = H2::connect(server.addr());
    client.send(request(1, fields));
    match client.until_over([1]) {
        Ok(()) => described(site, &client.answers[&1], server),
        Err(nothing) => vec![format!("{nothing:?} {:?}", client.goaways)],
    }
}

fn described(site: &Site, answer: &Answer, server: &Server) -> Vec<String> {
    let product = answer.field("server").unwrap_or("?").to_owned();
    let kind = answer.field("content-type").unwrap_or_default();
    let boundary = kind.split_once("boundary=").map(|(_, boundary)| boundary.to_owned()).unwrap_or_default();
    let placeholders = |text: &str| {
        let text = text.replace(&format!(":{}", server.port()), ":<port>").replace(&product, "<product>");
        if boundary.is_empty() { text } else { text.replace(&boundary, "<boundary>") }
    };
    let status = answer.status().parse().unwrap_or(0);
    let is_page = answer.text().contains("<center>");
    let date = answer.field("date").unwrap_or_default();
    let is_coded = answer.field("content-encoding").is_some();
    let mut lines = vec![format!("reset: {:?}", answer.reset.filter(|code| *code != 0))];
    let titled = |name: &str| name.split('-').map(title).collect::<Vec<_>>().join("-");
    let is_shared = |(name, value): &&(String, String)| {
        server.product == Product::Nginx || !intended::adds(status, &titled(name), value)
    };
    for (name, value) in answer.fields.iter().filter(is_shared) {
        let value = match name.as_str() {
            "date" if httpdate::parse_http_date(value).is_ok() => "<date>".to_owned(),
            "expires" => times::expires(value, date),
            "x-date" => times::in_words(value, date),
            "set-cookie" => marks::cookie(value),
            "x-uid" => marks::words(value),
            "content-length" if site.is_measured => continue,
            // The built-in pages name the product, and compressors differ; an answer to HEAD does not show which it is.
            "content-length" if is_page || is_coded || answer.body.is_empty() => "<length>".to_owned(),
            // nginx leaves white space at the ends of values (RFC 9113, 8.2.1).
            _ => placeholders(value.trim()),
        };
        lines.push(format!("{name}: {value}"));
    }
    let body = intended::without_own_parts(&answer.text());
    lines.push(if is_coded { "<coded>".to_owned() } else { format!("> {}", placeholders(&body).escape_debug()) });
    lines
        .extend(answer.trailers.iter().map(|(name, value)| format!("trailer: {name}: {}", placeholders(value.trim()))));
    lines
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// nginx against drover: no difference but the meant ones.
#[track_caller]
pub fn compare(site: &Site) {
    let fixture = sites::fixture();
    let [nginx, drover] = [Product::Nginx, Product::Drover].map(|product| record(site, product, fixture.path()));
    let mut wrong = String::new();
    for ((name, theirs), (_, ours)) in nginx.iter().zip(&drover) {
        let is_meant = MEANT.iter().any(|(of, probe, _)| *of == site.name && name.starts_with(probe))
            || intended::of(site.name).any(|entry| entry.probe == name);
        if theirs != ours && !is_meant {
            wrong += &format!("\n=== {} | {name}\n", site.name);
            theirs.iter().filter(|line| !ours.contains(line)).for_each(|line| wrong += &format!("- {line}\n"));
            ours.iter().filter(|line| !theirs.contains(line)).for_each(|line| wrong += &format!("+ {line}\n"));
        }
    }
    assert!(wrong.is_empty(), "over HTTP/2 (nginx first, drover second):{wrong}");
}

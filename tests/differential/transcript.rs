//! Received bytes as text, with placeholders where no two servers can agree.

use std::collections::BTreeMap;
use std::path::Path;

use crate::intended;
use crate::marks;
use crate::probe::{Probe, Site, Step};
use crate::support::client::{Client, Nothing, Response};
use crate::support::server::{Product, Server, Setup};
use crate::times;

/// The conversation of a probe, a line each: responses, the end, log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    pub lines: Vec<String>,
}

impl Transcript {
    /// The statuses that came back and what became of the connection: `200 404 close`.
    pub fn summary(&self) -> String {
        let word = |line: &String| match line.split_once("HTTP/1.") {
            Some(("", rest)) => rest.split(' ').nth(1).map(str::to_owned),
            _ => line.strip_prefix("connection: ").map(str::to_owned),
        };
        self.lines.iter().filter_map(word).collect::<Vec<_>>().join(" ")
    }

    /// Leaves out how the end of a body is told.
    fn forget_lengths(&mut self) {
        self.lines.retain(|line| !line.starts_with("Content-Length: "));
        for line in self.lines.iter_mut().filter(|line| line.ends_with(" of body up to the end]")) {
            *line = line.replace(" up to the end", "");
        }
    }
}

/// Starts the product with the site's conf over `root` and runs every probe.
pub fn record(site: &Site, product: Product, root: &Path) -> Vec<Transcript> {
    let conf = site.conf.replace("%uncached%", if product == Product::Drover { "gzip_cache off;" } else { "" });
    let mut server = Setup::new(product, &conf).root(root).start();
    let mut conversations: Vec<(u16, Transcript, Vec<usize>)> = Vec::new();
    for probe in &site.probes {
        let mut taken = Vec::new();
        // The log tells conversations apart by the client's port, which the kernel may give out again.
        let conversation = loop {
            let client = server.connect();
            if conversations.iter().all(|(port, ..)| *port != client.local_port()) {
                break converse(client, &server, probe);
            }
            taken.push(client);
        };
        conversations.push(conversation);
    }
    let status = server.quit();
    assert!(status.success(), "{product:?} ended with {status}");
    let mut log = log_lines(&server);
    for (port, transcript, products) in &mut conversations {
        let lines = log.remove(port).unwrap_or_default();
        // The last response is always logged; one before it may not be, with `access_log off`.
        let logged = products.iter().skip(products.len().saturating_sub(lines.len())).copied();
        transcript.lines.extend(
            lines.iter().zip(logged.chain(std::iter::repeat(0))).map(|(line, product)| without_product(line, product)),
        );
    }
    if site.is_measured {
        conversations.iter_mut().for_each(|(_, transcript, _)| transcript.forget_lengths());
    }
    conversations.into_iter().map(|(_, transcript, _)| transcript).collect()
}

/// The port, what was said, and for each response how many bytes of its body are the product's name.
fn converse(mut client: Client, server: &Server, probe: &Probe) -> (u16, Transcript, Vec<usize>) {
    let mut products = Vec::new();
    let mut lines = Vec::new();
    for step in &probe.steps {
        match step {
            Step::Handshake(wish) => {
                let port = client.local_port();
                client = match client.shake_hands(wish) {
                    Ok(client) => client,
                    Err(error) => {
                        lines.push(format!("handshake: {error}"));
                        return (port, Transcript { lines }, products);
                    }
                };
            }
            Step::Send(bytes) => drop(client.send(bytes)),
            Step::ShutdownWrite => drop(client.shutdown_write()),
            Step::ReadAll => {
                let all = client.until_closed();
                lines.push(all.map_or_else(|n| format!("{n:?}"), |bytes| placeholders_in(&bytes, server)));
            }
            Step::Read { to_head } => {
                let response = if *to_head { client.head_response() } else { client.response() };
                let response = response.map(decoded);
                let open = matches!(&response, Ok(r) if !r.ended_by_close);
                products.extend(response.as_ref().ok().filter(|r| r.status >= 200).map(product_in));
                lines.extend(described(response, *to_head, server));
                if !open {
                    break;
                }
            }
        }
    }
    let (fate, last) = fate(&mut client);
    lines.push(format!("connection: {fate}"));
    products.extend(last.as_ref().map(product_in));
    (client.local_port(), Transcript { lines }, products)
}

/// The response with its body decompressed: two compressors make different bytes of the same text. A body that is no
/// gzip stays.
fn decoded(mut response: Response) -> Response {
    if response.header("Content-Encoding") == Some("gzip") {
        let mut text = vec![0; 1 << 20];
        let mut gzip = flate2::Decompress::new_gzip(15);
        let done = gzip.decompress(&response.body, &mut text, flate2::FlushDecompress::Finish);
        if matches!(done, Ok(flate2::Status::StreamEnd)) {
            text.truncate(gzip.total_out() as usize);
            response.body = text;
        }
    }
    response
}

/// Bytes of a body that are the product's name, or drover's own, or of which no two servers send the same number.
fn product_in(response: &Response) -> usize {
    let is_weak = response.header("ETag").is_some_and(|etag| etag.starts_with("W/"));
    let is_coded = is_weak || response.header("Content-Encoding").is_some();
    // More than a chunk, of which no two servers make as many.
    let is_long = response.header("Transfer-Encoding").is_some() && response.body.len() > 8 << 10;
    let is_made_here = response.header("Content-Length").is_none() && (is_coded || is_long) && response.status != 304;
    if is_made_here {
        return usize::MAX;
    }
    let product = response.header("Server").unwrap_or_default();
    if response.text().contains(&format!("<center>{product}</center>")) {
        return product.len();
    }
    let body = String::from_utf8_lossy(&response.body);
    body.len() - intended::without_own_parts(&body).len()
}

/// A log line with the product's name taken off its count of bytes.
fn without_product(line: &str, product: usize) -> String {
    let fields: Vec<&str> = line.split(' ').collect();
    let at = fields.iter().rposition(|field| field.bytes().all(|byte| byte.is_ascii_digit()) && !field.is_empty());
    let fields = fields.iter().enumerate().map(|(i, field)| match (field.parse::<usize>(), Some(i) == at) {
        (Ok(bytes), true) => bytes.saturating_sub(product).to_string(),
        _ => (*field).to_owned(),
    });
    fields.collect::<Vec<_>>().join(" ")
}

/// Another request tells an open connection from a closed one without waiting for either.
fn fate(client: &mut Client) -> (&'static str, Option<Response>) {
    client.send("GET /still-open HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    match client.response() {
        Ok(response) if client.is_closed_by_server() => ("open", Some(response)),
        Ok(response) => ("open, and not closed when asked to", Some(response)),
        Err(Nothing::Closed) => ("close", None),
        Err(Nothing::Silent) => ("silent", None),
        Err(Nothing::Garbage) => ("garbage", None),
    }
}

/// HTTP/0.9: a body and nothing else.
fn placeholders_in(bytes: &[u8], server: &Server) -> String {
    let name = match server.product {
        Product::Drover => concat!("drover/", env!("CARGO_PKG_VERSION")),
        Product::Nginx => "nginx/1.28.3",
    };
    String::from_utf8_lossy(bytes).replace(name, "<product>").escape_debug().to_string()
}

fn described(response: Result<Response, Nothing>, to_head: bool, server: &Server) -> Vec<String> {
    let response = match response {
        Ok(response) => response,
        Err(nothing) => return vec![format!("{nothing:?}")],
    };
    let product = response.header("Server").unwrap_or("?").to_owned();
    let boundary = boundary_of(&response);
    let placeholders = |text: &str| {
        let text = text.replace(&format!(":{}", server.port()), ":<port>").replace(&product, "<product>");
        if boundary.is_empty() { text } else { text.replace(&boundary, "<boundary>") }
    };
    let mut lines = vec![format!("{} {} {}", response.version, response.status, response.reason)];
    let text = String::from_utf8_lossy(&response.body);
    let mut body = intended::without_own_parts(&text);
    // Bodies that are no UTF-8 are shown byte by byte, but for lists of names, which have drover's own parts.
    if std::str::from_utf8(&response.body).is_err() && !text.starts_with("<html>") {
        body = response.body.escape_ascii().to_string();
    }
    let body = placeholders(&body);
    let date = response.header("Date").unwrap_or_default();
    let is_shared = |(name, value): &&(String, String)| {
        server.product == Product::Nginx || !intended::adds(response.status, name, value)
    };
    for (name, value) in response.headers.iter().filter(is_shared) {
        let value = match name.as_str() {
            "Date" if httpdate::parse_http_date(value).is_ok() => "<date>".to_owned(),
            "Expires" => times::expires(value, date),
            "Server" => "<product>".to_owned(),
            "Content-Length" => length(value, &response, to_head, &product),
            "Set-Cookie" => marks::cookie(value),
            "X-Date" => times::in_words(value, date),
            "X-Uid" => marks::words(value),
            _ => placeholders(value),
        };
        lines.push(format!("{name}: {value}"));
    }
    lines.push(format!(
        "[{} bytes of body{}]",
        body.len(),
        if response.ended_by_close { " up to the end" } else { "" }
    ));
    lines.push(format!("> {}", body.escape_debug()));
    lines.extend(response.trailers.iter().map(|trailer| format!("trailer: {}", placeholders(trailer))));
    lines
}

/// A built-in page names the product, so its length is told without that name.
fn length(value: &str, response: &Response, to_head: bool, product: &str) -> String {
    let names_product = response.text().contains(&format!("<center>{product}</center>"))
        || to_head && response.status >= 300 && response.header("ETag").is_none();
    match value.parse::<usize>().ok().and_then(|n| n.checked_sub(product.len())) {
        Some(n) if names_product => format!("{n} and the product"),
        _ => value.to_owned(),
    }
}

fn boundary_of(response: &Response) -> String {
    let kind = response.header("Content-Type").unwrap_or("");
    kind.split_once("boundary=").map(|(_, boundary)| boundary.to_owned()).unwrap_or_default()
}

/// The access log by client port, times aside.
fn log_lines(server: &Server) -> BTreeMap<u16, Vec<String>> {
    let mut by_port: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for line in server.read("access.log").lines() {
        let (port, rest) = line.split_once(' ').unwrap_or(("0", line));
        let rest = match (rest.split_once('['), rest.split_once(']')) {
            (Some((before, _)), Some((_, after))) => format!("{before}[<time>]{after}"),
            _ => rest.to_owned(),
        };
        by_port.entry(port.parse().unwrap_or(0)).or_default().push(format!("log: {rest}"));
    }
    by_port
}

/// Both transcripts side by side: equal lines once, others with `-` (left) and `+` (right).
pub fn diff(left: &Transcript, right: &Transcript) -> String {
    let only = |line: &&String, other: &Transcript| !other.lines.contains(line);
    let cut = |line: &str| line.chars().take(250).collect::<String>();
    let mut text = String::new();
    for line in &left.lines {
        text += &format!("{} {}\n", if only(&line, right) { '-' } else { ' ' }, cut(line));
    }
    for line in right.lines.iter().filter(|line| only(line, left)) {
        text += &format!("+ {}\n", cut(line));
    }
    if !text.lines().any(|line| line.starts_with(['-', '+'])) {
        text += &format!("same lines, other order or number; the second:\n{}\n", right.lines.join("\n"));
    }
    text
}

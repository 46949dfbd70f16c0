//! The same conf, the same files and the same bytes for nginx 1.28.3 and for drover: every response, what becomes of
//! the connection and every access log line must be equal.
//!
//! Two places say which differences may be there. `transcript` puts placeholders for what no two servers share: the
//! date, the product and its version, the port, the boundary between parts. `intended` lists each difference that is
//! meant, with its reason; an entry that no longer differs fails the test.

#[path = "../support/mod.rs"]
mod support;

mod dual_stack;
mod exchange_log;
mod file_log;
mod guard_log;
mod header_log;
mod hostile;
mod intended;
mod limit_log;
mod limit_zones;
mod log_targets;
mod marks;
mod over_http2;
mod probe;
mod script_log;
mod sites;
mod times;
mod transcript;

use probe::{Probe, Site};
use support::server::Product::{self, Drover, Nginx};
use transcript::Transcript;

/// Runs a site's probes against both products and returns a line for each difference.
fn differences(site: &Site, products: [Product; 2]) -> Vec<(Probe, Transcript, Transcript)> {
    let fixture = sites::fixture();
    let [left, right] = products.map(|product| transcript::record(site, product, fixture.path()));
    let rows = site.probes.iter().zip(left).zip(right);
    rows.filter(|((_, l), r)| l != r).map(|((probe, l), r)| (probe.clone(), l, r)).collect()
}

fn report(site: &Site, found: &[(Probe, Transcript, Transcript)]) -> String {
    let one = |(probe, left, right): &(Probe, Transcript, Transcript)| {
        format!("\n=== {} | {}\n{}", site.name, probe.name, transcript::diff(left, right))
    };
    found.iter().map(one).collect()
}

/// nginx against drover: no difference but the intended ones, and each of those.
#[track_caller]
fn compare(site: Site) {
    let found = differences(&site, [Nginx, Drover]);
    let (intended, unintended): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(probe, _, right)| intended::covers(site.name, &probe.name, right));
    let gone: Vec<_> = intended::of(site.name)
        .filter(|entry| !intended.iter().any(|(probe, ..)| probe.name == entry.probe))
        .map(|entry| format!("\n=== {} | {}: listed as intended, but not what was seen", site.name, entry.probe))
        .collect();
    let total = site.probes.len();
    assert!(
        unintended.is_empty() && gone.is_empty(),
        "{} of {total} probes differ (nginx first, drover second):{}{}",
        unintended.len(),
        report(&site, &unintended),
        gone.concat()
    );
}

macro_rules! sites {
    ($($name:ident),* $(,)?) => {
        mod drover_equals_nginx {
            $(#[test]
            fn $name() {
                crate::compare(crate::sites::$name());
            })*
        }

        mod drover_equals_nginx_over_http2 {
            $(#[test]
            fn $name() {
                crate::over_http2::compare(&crate::sites::$name());
            })*
        }

        /// The harness itself: two runs of one server must not differ.
        mod nginx_equals_nginx {
            $(#[test]
            fn $name() {
                let site = crate::sites::$name();
                let found = crate::differences(&site, [crate::Nginx, crate::Nginx]);
                assert!(found.is_empty(), "nginx differs from itself:{}", crate::report(&site, &found));
            })*
        }

        fn all() -> Vec<Site> {
            vec![$(sites::$name()),*]
        }
    };
}

sites!(
    files,
    ranges,
    conditionals,
    paths,
    spa,
    aliases,
    errors,
    pages,
    returns,
    locations,
    names,
    nameless,
    hosts,
    headers,
    validators,
    lines,
    texts,
    variables,
    access,
    types,
    listings,
    charsets,
    charset_lists,
    charset_maps,
    charset_codings,
    random,
    pixels,
    connection,
    connect,
    strict,
    bodies,
    limits,
    quiet,
    users,
    secure,
    secure_names,
    secure_clients,
    secure_variables,
    regexes,
    unicode,
    maps,
    map_hosts,
    map_sites,
    splits,
    geos,
    geo_ranges,
    referers,
    decisions,
    rewrites,
    conditions,
    sets,
    moves,
    realip,
    request_limits,
    connection_limits,
    rates,
    proxied,
    connection_variables,
    gzip_static,
    hardened,
    manual,
    tenants,
    moved_pages,
    origins,
    repairs,
    container,
    mirror,
    boilerplate,
    handbook,
    archive,
    application,
    hosts_by_pattern,
    failures,
    chosen_lines,
    exported_blog,
    fragments,
    gzip,
    gunzip,
    passwords,
    satisfy,
    limit_except,
    additions,
    agents,
    marked,
    cookies,
    trailers,
    unchunked,
    header_lines,
    header_lines_by_default,
    refused,
    browsers,
    lingering,
    redirect_forms,
    old_browsers,
    symlinks,
    cached_files
);

#[test]
fn the_comparison_is_wide_enough() {
    let sites = all();
    let probes: usize = sites.iter().map(|site| site.probes.len()).sum();
    assert!(sites.len() >= 45 && probes >= 2500, "{} confs, {probes} requests", sites.len());
    for site in &sites {
        let mut names: Vec<_> = site.probes.iter().map(|probe| &probe.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), site.probes.len(), "{}: two probes share a name", site.name);
    }
}

/// The harness itself: a conf that differs must be seen.
#[test]
fn a_difference_is_found() {
    let fixture = sites::fixture();
    let site = sites::files();
    let mut other = sites::files();
    other.conf = other.conf.replace("location /", "add_header X-Other yes; location /");
    let left = transcript::record(&site, Nginx, fixture.path());
    let right = transcript::record(&other, Nginx, fixture.path());
    let seen = left.iter().zip(&right).filter(|(l, r)| l != r).count();
    let (found, same) = (left.iter().filter(|l| l.summary().starts_with("200")).count(), left.len() - seen);
    assert!(seen >= found && same > 0, "{seen} of {} differ, {found} are plain 200", left.len());
}

/// The line of the error log about a refused request, up to the name of the client.
fn reason_in_log(server: &support::server::Server, request: &str) -> String {
    let before = server.read("error.log").len();
    server.connect().send(request).response().expect("an answer");
    support::until("a line in the error log", || {
        let log = server.read("error.log");
        let line = log[before..].lines().find(|line| line.contains(", client: "))?;
        let (_, behind_number) = line.split_once(": *")?.1.split_once(' ')?;
        Some(behind_number.split_once(", client: ")?.0.to_owned())
    })
}

#[test]
fn the_error_log_names_the_line_that_is_to_blame() {
    let conf = "%main%\nevents { }\nhttp { %http% server { listen 127.0.0.1:%port%; } }\n";
    let [nginx, drover] = [Nginx, Drover].map(|product| support::server::Setup::new(product, conf).start());
    let with = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    for request in [
        with("Host:b"),
        with("Content-Length: 1\r\nX: y\r\ncontent-length: 2"),
        with("Authorization: Basic a\r\nAuthorization: Basic b"),
        with("If-Range: \"x\"\r\nIf-Range:"),
        with("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip"),
        with("Transfer-Encoding: gzip, chunked"),
        with("Content-Length: x"),
        "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
    ] {
        assert_eq!(reason_in_log(&drover, &request), reason_in_log(&nginx, &request), "{request}");
    }
    // nginx ends a line where it stopped to read it.
    let begins = format!("client sent invalid header line: \"{}", "X: a\\x00");
    for server in [&drover, &nginx] {
        assert!(reason_in_log(server, &with("X: a\0b")).starts_with(&begins));
    }
    assert!(reason_in_log(&drover, &with("NoColon")).starts_with("client sent invalid header line: \"NoColon\""));
    let connect = "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(reason_in_log(&drover, connect), "client sent CONNECT method while reading client request headers");
}

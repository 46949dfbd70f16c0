//! The line for the person who starts the server: its addresses, its process, and how to end it.

use std::ffi::OsStr;
use std::fmt::Write;

use super::Cycle;
use crate::os::{Addr, process};
use crate::serve::listen_sockets;

/// The number of addresses that are named.
const NAMED: usize = 4;

/// The means by which a person ends the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// Ctrl-C: the server stays in the foreground.
    Key,
    /// `drover -s`.
    Command,
    /// kill(1): there is no pid file.
    Kill,
}

/// The line, with its line feed. `what`: the thing that is served, and a hint, when the conf is built in.
pub(crate) fn line(cycle: &Cycle, what: Option<(&str, &str)>, end: EndedBy) -> String {
    let pid = process::id();
    let how = match end {
        EndedBy::Key => "Ctrl-C ends it".to_owned(),
        EndedBy::Command => format!("\"{} -s quit\" ends it", command(std::env::args_os())),
        EndedBy::Kill => format!("\"kill -QUIT {pid}\" ends it"),
    };
    let (what, hint) = what.map_or((String::new(), String::new()), |(what, hint)| {
        (format!(" {what}"), if hint.is_empty() { String::new() } else { format!("; {hint}") })
    });
    let background = if end == EndedBy::Key { "" } else { " in the background" };
    format!("drover: serving{what} on {}{background} (process {pid}; {how}{hint})\n", addresses(cycle))
}

fn addresses(cycle: &Cycle) -> String {
    let scheme = |n| match () {
        () if n >= cycle.site.sockets.len() => None,
        () if cycle.site.is_tls(cycle.site.bound(n, None)) => Some(("https", 443)),
        () => Some(("http", 80)),
    };
    let sockets = listen_sockets(&cycle.site, &cycle.streams).map(|socket| &socket.addr);
    let all: Vec<String> = sockets.enumerate().map(|(n, addr)| address(addr, scheme(n))).collect();
    match all.get(NAMED..) {
        _ if all.is_empty() => "no address".to_owned(),
        None | Some([]) => all.join(", "),
        Some(more) => format!("{} and {} more", all[..NAMED].join(", "), more.len()),
    }
}

/// The address as a URL, by the scheme and its own port: no browser opens `*`.
fn address(addr: &Addr, scheme: Option<(&str, u16)>) -> String {
    let (Some(port), Some((scheme, own_port))) = (addr.port(), scheme) else { return addr.to_string() };
    let text = addr.to_string();
    let host = match text.rsplit_once(':') {
        Some((host, _)) if !addr.is_wildcard() => host,
        _ => "localhost",
    };
    let mut url = format!("{scheme}://{host}");
    if port != own_port {
        // Writing to a String does not fail.
        let _ = write!(url, ":{port}");
    }
    url.push('/');
    if addr.is_wildcard() {
        url.push_str(" and every other address");
    }
    url
}

/// A command line with quotes, ready to be typed again.
fn command(args: impl Iterator<Item = impl AsRef<OsStr>>) -> String {
    let quoted = args.map(|arg| {
        let text = arg.as_ref().to_string_lossy();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        if !text.is_empty() && text.chars().all(is_plain) {
            return text.into_owned();
        }
        format!("'{}'", text.replace('\'', r"'\''"))
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_can_be_opened_in_a_browser() {
        let addr = |text: &str| Addr::from(text.parse::<std::net::SocketAddr>().unwrap());
        let shown = |text: &str| address(&addr(text), Some(("http", 80)));
        assert_eq!(shown("127.0.0.1:8080"), "http://127.0.0.1:8080/");
        assert_eq!(shown("[::1]:80"), "http://[::1]/");
        assert_eq!(shown("0.0.0.0:80"), "http://localhost/ and every other address");
        assert_eq!(shown("[::]:8080"), "http://localhost:8080/ and every other address");
        assert_eq!(address(&addr("127.0.0.1:443"), Some(("https", 443))), "https://127.0.0.1/");
        assert_eq!(address(&addr("127.0.0.1:80"), Some(("https", 443))), "https://127.0.0.1:80/");
        assert_eq!(address(&Addr::unix("/run/x.sock"), Some(("http", 80))), "unix:/run/x.sock");
        assert_eq!(address(&addr("127.0.0.1:7000"), None), "127.0.0.1:7000");
    }

    #[test]
    fn a_command_is_quoted_where_a_shell_needs_it() {
        assert_eq!(
            command(["drover", "-c", "my site.conf", "-g", "daemon on;", "it's", ""].iter()),
            "drover -c 'my site.conf' -g 'daemon on;' 'it'\\''s' ''"
        );
    }
}

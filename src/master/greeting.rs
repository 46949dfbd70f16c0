//! Tells the person who starts the server where it serves, which process it is, and how it is ended.

use std::ffi::OsStr;
use std::fmt::Write;

use super::Cycle;
use crate::os::{Addr, process};
use crate::serve::listen_sockets;

/// How many addresses are named.
const NAMED: usize = 4;

/// How a person ends the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The server stays in the foreground.
    Key,
    /// `drover -s`.
    Command,
    /// There is no pid file.
    Kill,
}

/// The line, with its end. `what`: what is served, and a hint, where that is not the person's own conf.
pub fn line(cycle: &Cycle, what: Option<(&str, &str)>, end: End) -> String {
    let pid = process::id();
    let how = match end {
        End::Key => "Ctrl-C ends it".to_owned(),
        End::Command => format!("\"{} -s quit\" ends it", command(std::env::args_os())),
        End::Kill => format!("\"kill -QUIT {pid}\" ends it"),
    };
    let (what, hint) = what.map_or((String::new(), String::new()), |(what, hint)| {
        (format!(" {what}"), if hint.is_empty() { String::new() } else { format!("; {hint}") })
    });
    let background = if end == End::Key { "" } else { " in the background" };
    format!("drover: serving{what} on {}{background} (process {pid}; {how}{hint})\n", addresses(cycle))
}

fn addresses(cycle: &Cycle) -> String {
    let https = cycle.site.sockets.len();
    let sockets = listen_sockets(&cycle.site, &cycle.streams).map(|socket| &socket.addr);
    let all: Vec<String> = sockets.enumerate().map(|(n, addr)| address(addr, n < https)).collect();
    match all.get(NAMED..) {
        _ if all.is_empty() => "no address".to_owned(),
        None | Some([]) => all.join(", "),
        Some(more) => format!("{} and {} more", all[..NAMED].join(", "), more.len()),
    }
}

/// The host as a browser takes it: no browser opens `*`.
fn address(addr: &Addr, is_http: bool) -> String {
    let (Some(port), true) = (addr.port(), is_http) else { return addr.to_string() };
    let text = addr.to_string();
    let host = match text.rsplit_once(':') {
        Some((host, _)) if !addr.is_wildcard() => host,
        _ => "localhost",
    };
    let mut url = format!("http://{host}");
    if port != 80 {
        // Writing to a String does not fail.
        let _ = write!(url, ":{port}");
    }
    url.push('/');
    if addr.is_wildcard() {
        url.push_str(" and every other address");
    }
    url
}

/// A command as it may be typed again.
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
        let shown = |text: &str| address(&text.parse::<std::net::SocketAddr>().unwrap().into(), true);
        assert_eq!(shown("127.0.0.1:8080"), "http://127.0.0.1:8080/");
        assert_eq!(shown("[::1]:80"), "http://[::1]/");
        assert_eq!(shown("0.0.0.0:80"), "http://localhost/ and every other address");
        assert_eq!(shown("[::]:8080"), "http://localhost:8080/ and every other address");
        assert_eq!(address(&Addr::unix("/run/x.sock"), true), "unix:/run/x.sock");
        assert_eq!(address(&"127.0.0.1:7000".parse::<std::net::SocketAddr>().unwrap().into(), false), "127.0.0.1:7000");
    }

    #[test]
    fn a_command_is_quoted_where_a_shell_needs_it() {
        assert_eq!(
            command(["drover", "-c", "my site.conf", "-g", "daemon on;", "it's", ""].iter()),
            "drover -c 'my site.conf' -g 'daemon on;' 'it'\\''s' ''"
        );
    }
}

//! The address of a view, for a program that asks for it.

use super::ledger::LEDGER;
use crate::conf::{Conf, Listen, Node};
use crate::http::site::block::{HTTP, HttpBlock};
use crate::http::site::location::LOCATION;
use crate::http::site::server::SERVER;
use crate::http::site::server_name::SERVER_NAME;

/// The way to a view.
#[derive(Debug)]
pub struct Place {
    /// The address that its server listens on.
    pub listen: Listen,
    /// A name of the server.
    pub host: String,
    /// The path.
    pub path: String,
}

/// The first `ledger` of a conf that a client can ask for in clear, by a path that the conf says as it is.
pub fn ledger(conf: &Conf) -> Option<Place> {
    conf.root.children_of(&HTTP).flat_map(|http| http.children_of(&SERVER)).find_map(of_server)
}

fn of_server(server: &Node) -> Option<Place> {
    let path = match server.scope.set_here(&LEDGER) {
        true => "/".to_owned(),
        false => server.children_of(&LOCATION).find_map(of_location)?,
    };
    let listen = HttpBlock::listens_of(server).into_iter().find(|listen| !listen.ssl)?;
    let is_plain = |name: &&str| !name.is_empty() && !name.starts_with(['~', '*', '.']) && !name.ends_with('*');
    let names = server.scope.get(&SERVER_NAME).iter().map(|name| name.text.as_str());
    let host = names.clone().find(is_plain).unwrap_or("localhost").to_owned();
    Some(Place { listen, host, path })
}

fn of_location(location: &Node) -> Option<String> {
    let path = match location.args.as_slice() {
        [modifier, path] if matches!(modifier.text.as_str(), "=" | "^~") => Some(&path.text),
        [path] if path.text.starts_with('/') => Some(&path.text),
        _ => None,
    };
    let own = path.filter(|_| location.scope.set_here(&LEDGER)).map(|path| path.to_string());
    own.or_else(|| location.children_of(&LOCATION).find_map(of_location))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{self, Registry};

    #[test]
    fn a_ledger_is_found_where_a_client_can_ask_for_it_in_clear() {
        let found = |http: &str| {
            let conf = conf::parse(&Registry::new(crate::http::DIRECTIVES), &format!("http {{ {http} }}")).unwrap();
            ledger(&conf).map(|place| format!("{} {} {}", place.listen.addr, place.host, place.path))
        };
        let whole = "server { listen 81; server_name .b ~x b.example; location /in { location = /in/l { ledger; } } }";
        for (http, expected) in [
            ("server { listen 80; location = /l { ledger; } }", Some("0.0.0.0:80 localhost /l")),
            ("server { listen 80; location /l { ledger; } }", Some("0.0.0.0:80 localhost /l")),
            ("server { listen unix:/run/s; ledger; }", Some("unix:/run/s localhost /")),
            ("server { listen 80; location /x { } }", None),
            ("server { listen 80; location ~ /l { ledger; } }", None),
            ("server { listen 443 ssl; location /l { ledger; } }", None),
            ("server { listen 443 ssl; listen [::1]:80; location ^~ /l { ledger; } }", Some("[::1]:80 localhost /l")),
            (&format!("server {{ listen 80; }} {whole}"), Some("0.0.0.0:81 b.example /in/l")),
        ] {
            assert_eq!(found(http).as_deref(), expected, "{http}");
        }
    }
}

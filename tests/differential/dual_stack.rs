//! `allow` and `deny` beside nginx, for clients of a socket that takes both IPv4 and IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::support::client::Client;
use crate::support::server::Product::{Drover, Nginx};
use crate::support::server::{Product, Setup};

const RULES: [&str; 12] = [
    "deny 127.0.0.1;",
    "allow 127.0.0.0/8; deny all;",
    "deny ::1;",
    "deny ::ffff:127.0.0.1;",
    "deny ::ffff:0:0/96;",
    "deny ::/0;",
    "allow ::ffff:127.0.0.0/104; deny ::/0;",
    "deny ::ffff:127.0.0.1; allow all;",
    "allow ::ffff:127.0.0.1; deny all;",
    "deny ::ffff:127.0.0.1; allow 127.0.0.1;",
    "deny ::ffff:127.0.0.1; deny unix:;",
    "allow ::1; deny ::/0; allow 127.0.0.1;",
];

#[test]
fn clients_of_a_dual_stack_socket_meet_the_rules_that_nginx_finds_for_them() {
    let locations: String = (0..).zip(RULES).map(|(n, rules)| format!("location = /{n} {{ {rules} }} ")).collect();
    let server = format!("listen [::]:%port% ipv6only=off; root %dir%/root; {locations}");
    let conf = format!("%main%\nevents {{ }}\nhttp {{ %http% server {{ {server} }} }}\n");
    let servers = [Nginx, Drover].map(|product: Product| {
        let server = Setup::new(product, &*conf).start();
        (0..RULES.len()).for_each(|n| _ = server.file(&n.to_string(), "let in"));
        server
    });
    let mut refused = 0;
    for host in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        for (n, rules) in RULES.iter().enumerate() {
            let status = |port| Client::connect((host, port).into()).get(&format!("/{n}")).status;
            let [theirs, ours] = [&servers[0], &servers[1]].map(|server| status(server.addr().port()));
            assert_eq!(ours, theirs, "{host}: {rules}");
            refused += usize::from(ours == 403);
        }
    }
    assert!((5..20).contains(&refused), "{refused}");
}

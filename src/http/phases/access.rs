//! `allow` and `deny`: the clients that get an answer, as in nginx's `ngx_http_access_module.c`.

use super::satisfy::{self, SATISFY, Satisfy};
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Flow, error_lines};
use crate::http::site::location::Location;
use crate::os::Addr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The value of an `allow` or `deny`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    allow: bool,
    clients: Clients,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Clients {
    All,
    Unix,
    Net { base: IpAddr, bits: u8 },
}

/// `allow` and `deny` in their order: the first that fits decides.
pub static ACCESS: Setting<Vec<Rule>> = Setting::many(&["allow", "deny"], |args, rules: &mut Vec<Rule>| {
    let clients = Clients::parse(args)?;
    if clients.has_host_bits() {
        args.warn(0, format!("low address bits of {} are meaningless", args.str(0)?));
    }
    rules.push(Rule { allow: args.name() == "allow", clients });
    Ok(())
})
.contexts(Contexts::HTTP_ALL.union(Contexts::LIMIT_EXCEPT))
.args(1, 1)
.syntax("ADDRESS | CIDR | unix: | all")
.about("Lets clients in (`allow`) or answers 403 (`deny`); the first rule that fits the client's address decides.");

impl Clients {
    fn parse(args: &conf::Args) -> Result<Clients, conf::Error> {
        let text = args.str(0)?;
        match text {
            "all" => return Ok(Clients::All),
            "unix:" => return Ok(Clients::Unix),
            _ => {}
        }
        let bad = || {
            let error = args.bad(0, format!("invalid parameter \"{text}\""));
            error.help("an address, a net such as 192.0.2.0/24 or 2001:db8::/32, unix: or all")
        };
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| bad())?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width { Err(bad()) } else { Ok(Clients::Net { base, bits }) }
    }

    /// Whether bits are set behind the length of the net, where they mean nothing.
    fn has_host_bits(&self) -> bool {
        match self {
            Clients::Net { base: IpAddr::V4(base), bits } => {
                base.to_bits().checked_shl((*bits).into()).unwrap_or(0) != 0
            }
            Clients::Net { base: IpAddr::V6(base), bits } => {
                base.to_bits().checked_shl((*bits).into()).unwrap_or(0) != 0
            }
            Clients::All | Clients::Unix => false,
        }
    }

    fn include(&self, client: Option<IpAddr>) -> bool {
        match (self, client) {
            (Clients::All, _) => true,
            (Clients::Unix, client) => client.is_none(),
            (Clients::Net { base: IpAddr::V4(base), bits }, Some(IpAddr::V4(ip))) => {
                same_net(base.to_bits().into(), ip.to_bits().into(), 32 - bits)
            }
            (Clients::Net { base: IpAddr::V6(base), bits }, Some(IpAddr::V6(ip))) => {
                same_net(base.to_bits(), ip.to_bits(), 128 - bits)
            }
            _ => false,
        }
    }
}

fn same_net(a: u128, b: u128, host_bits: u8) -> bool {
    (a ^ b).checked_shr(host_bits.into()).unwrap_or(0) == 0
}

/// Whether `rules` let `client` in; `None`: no rule fits it.
fn permits(rules: &[Rule], client: &Addr) -> Option<bool> {
    if rules.is_empty() {
        return None;
    }
    // ngx_http_access_handler: only where there are rules for IPv4 is a client of a dual-stack socket one of IPv4.
    let is_of_ipv4 = |rule: &Rule| matches!(rule.clients, Clients::All | Clients::Net { base: IpAddr::V4(_), .. });
    let maps = rules.iter().any(is_of_ipv4);
    let ip = client.ip().map(|ip| if maps { ip.to_canonical() } else { ip });
    rules.iter().find(|rule| rule.clients.include(ip)).map(|rule| rule.allow)
}

/// Whether `client` is this machine itself: 127.0.0.1, ::1, or a Unix socket.
fn is_local(client: &Addr) -> bool {
    client
        .ip()
        .is_none_or(|ip| matches!(ip.to_canonical(), IpAddr::V4(Ipv4Addr::LOCALHOST) | IpAddr::V6(Ipv6Addr::LOCALHOST)))
}

/// Whether the location has rules, or content that may be private.
pub(super) fn is_needed(location: &Location) -> bool {
    location.has_handler || !location.scope.get(&ACCESS).is_empty()
}

/// Phase: 403 for clients that no rule lets in; an internal redirect goes through it again. Private content (a
/// handler's) is for clients on this machine, unless the very location that shows it has a rule: a rule further out was
/// hardly written with it in mind.
pub(super) fn check(ex: &mut Exchange, cx: &Cx) -> Flow {
    let location = ex.location_of(cx);
    let (rules, client) = (location.scope.get(&ACCESS).as_slice(), ex.client(cx));
    let is_private = cx.conf.handler(location).is_some_and(|handler| handler.is_private);
    let is_open = !is_private || cx.conf.location(location.home()).scope.set_here(&ACCESS);
    if !is_open && !is_local(client) {
        error_lines::forbidden_by_rule(ex, cx);
        return Flow::Answer(Answer::Error(403));
    }
    match permits(rules, client) {
        // nginx: ngx_http_core_access_phase.
        _ if ex.is_aside() => Flow::Next,
        None => Flow::Next,
        Some(true) => satisfy::allow(ex, cx),
        Some(false) => {
            // With `any` the end of the access phase says so, where nothing else has let the client in.
            if *location.scope.get(&SATISFY) == Satisfy::All {
                error_lines::forbidden_by_rule(ex, cx);
            }
            satisfy::refuse(ex, cx, 403)
        }
    }
}

/// The directives of this module: `allow` and `deny`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ACCESS];

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str, bits: u8) -> Clients {
        Clients::Net { base: text.parse().unwrap(), bits }
    }

    #[test]
    fn nets_compare_their_leading_bits_only() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert!(net("10.1.0.0", 16).include(ip("10.1.2.3")));
        assert!(!net("10.1.0.0", 16).include(ip("10.2.2.3")));
        assert!(net("0.0.0.0", 0).include(ip("1.2.3.4")));
        assert!(!net("0.0.0.0", 0).include(ip("::1")));
        assert!(net("2001:db8::", 32).include(ip("2001:db8:1::5")));
        assert!(net("::", 0).include(ip("2001:db8:1::5")));
        assert!(Clients::Unix.include(None));
        assert!(!Clients::Unix.include(ip("1.2.3.4")));
    }

    #[test]
    fn a_client_of_a_dual_stack_socket_is_of_ipv4_where_rules_are() {
        let client = Addr::V6("[::ffff:192.0.2.1]:5000".parse().unwrap());
        let deny = |clients| Rule { allow: false, clients };
        for mapped in [net("::ffff:192.0.2.1", 128), net("::ffff:0:0", 96), net("::", 0)] {
            assert_eq!(permits(&[deny(mapped.clone())], &client), Some(false), "{mapped:?}");
            let of_ipv4 = Rule { allow: true, clients: net("192.0.2.0", 24) };
            assert_eq!(permits(&[deny(mapped.clone()), of_ipv4], &client), Some(true), "as nginx: {mapped:?}");
        }
        assert_eq!(permits(&[deny(net("192.0.2.0", 24))], &client), Some(false));
        assert_eq!(permits(&[deny(net("2001:db8::", 32))], &client), None);
    }
}

//! Who may ask: `allow` and `deny`, as nginx's `ngx_http_access_module.c`.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::error_lines;
use crate::http::exchange::{Cx, Exchange};
use crate::http::site::Location;
use crate::os::Addr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One `allow` or `deny`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    allow: bool,
    who: Who,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    All,
    Unix,
    Net { base: IpAddr, bits: u8 },
}

/// `allow` and `deny` in their order: the first that fits decides.
pub static ACCESS: Setting<Vec<Rule>> = Setting::many(&["allow", "deny"], |args, rules: &mut Vec<Rule>| {
    let who = Who::parse(args)?;
    if who.has_host_bits() {
        args.warn(0, format!("low address bits of {} are meaningless", args.str(0)?));
    }
    rules.push(Rule { allow: args.name() == "allow", who });
    Ok(())
})
.contexts(Contexts::HTTP.union(Contexts::SERVER).union(Contexts::LOCATION))
.args(1, 1)
.syntax("ADDRESS | CIDR | unix: | all")
.about("Lets clients in (`allow`) or answers 403 (`deny`); the first rule that fits the client's address decides.");

impl Who {
    fn parse(args: &conf::Args) -> Result<Who, conf::Error> {
        let text = args.str(0)?;
        match text {
            "all" => return Ok(Who::All),
            "unix:" => return Ok(Who::Unix),
            _ => {}
        }
        let bad = || args.bad(0, format!("invalid parameter \"{text}\""));
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| bad())?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width { Err(bad()) } else { Ok(Who::Net { base, bits }) }
    }

    /// Whether bits are set that the length of the net says nobody looks at.
    fn has_host_bits(&self) -> bool {
        match self {
            Who::Net { base: IpAddr::V4(base), bits } => base.to_bits().checked_shl((*bits).into()).unwrap_or(0) != 0,
            Who::Net { base: IpAddr::V6(base), bits } => base.to_bits().checked_shl((*bits).into()).unwrap_or(0) != 0,
            Who::All | Who::Unix => false,
        }
    }

    fn is(&self, client: Option<IpAddr>) -> bool {
        match (self, client) {
            (Who::All, _) => true,
            (Who::Unix, client) => client.is_none(),
            (Who::Net { base: IpAddr::V4(base), bits }, Some(IpAddr::V4(ip))) => {
                same_net(base.to_bits().into(), ip.to_bits().into(), 32 - bits)
            }
            (Who::Net { base: IpAddr::V6(base), bits }, Some(IpAddr::V6(ip))) => {
                same_net(base.to_bits(), ip.to_bits(), 128 - bits)
            }
            _ => false,
        }
    }
}

fn same_net(a: u128, b: u128, host_bits: u8) -> bool {
    (a ^ b).checked_shr(host_bits.into()).unwrap_or(0) == 0
}

/// Whether `rules` let `client` in; no rule fitting, it may.
fn permits(rules: &[Rule], client: &Addr) -> bool {
    if rules.is_empty() {
        return true;
    }
    let ip = client.ip().map(|ip| ip.to_canonical());
    rules.iter().find(|rule| rule.who.is(ip)).is_none_or(|rule| rule.allow)
}

/// Whether `client` is this machine itself: 127.0.0.1, ::1, or a Unix socket.
fn is_local(client: &Addr) -> bool {
    client
        .ip()
        .is_none_or(|ip| matches!(ip.to_canonical(), IpAddr::V4(Ipv4Addr::LOCALHOST) | IpAddr::V6(Ipv6Addr::LOCALHOST)))
}

/// The access phase, which an internal redirect goes through again. What the service tells of itself is for this machine
/// only, unless the very location that shows it has a rule: one further out was hardly written with it in mind.
pub(in crate::http) fn allowed(ex: &Exchange, cx: &Cx, location: &Location) -> bool {
    let (rules, client) = (location.scope.get(&ACCESS).as_slice(), &cx.conn.peer);
    let is_open = location.view.is_none() || location.scope.set_here(&ACCESS);
    if permits(rules, client) && (is_open || is_local(client)) {
        return true;
    }
    error_lines::forbidden_by_rule(ex, cx);
    false
}

pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ACCESS];

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str, bits: u8) -> Who {
        Who::Net { base: text.parse().unwrap(), bits }
    }

    #[test]
    fn nets_compare_their_leading_bits_only() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert!(net("10.1.0.0", 16).is(ip("10.1.2.3")));
        assert!(!net("10.1.0.0", 16).is(ip("10.2.2.3")));
        assert!(net("0.0.0.0", 0).is(ip("1.2.3.4")));
        assert!(!net("0.0.0.0", 0).is(ip("::1")));
        assert!(net("2001:db8::", 32).is(ip("2001:db8:1::5")));
        assert!(net("::", 0).is(ip("2001:db8:1::5")));
        assert!(Who::Unix.is(None));
        assert!(!Who::Unix.is(ip("1.2.3.4")));
    }
}

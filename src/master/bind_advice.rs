//! Advice about an address that can't be listened on.

use std::fs;
use std::path::Path;

use nix::errno::Errno;

use super::holders;
use crate::os::{Addr, Failure};

/// Adds advice to the `failure` of a socket for `addr`, where some is known. `rival`: a sentence about this service's
/// own socket on the port.
pub(crate) fn advise(failure: Failure, addr: &Addr, rival: Option<&str>) -> Failure {
    match advice(&failure, addr, rival) {
        Some(advice) => failure.with_advice(advice),
        None => failure,
    }
}

fn advice(failure: &Failure, addr: &Addr, rival: Option<&str>) -> Option<String> {
    let is_v6 = matches!(addr, Addr::V6(_));
    match Errno::from_raw(failure.error.raw_os_error()?) {
        Errno::EADDRINUSE => match rival {
            Some(rival) => Some(rival.to_owned()),
            None => Some(format!("held by {}", holders::of(addr)?)),
        },
        Errno::EAFNOSUPPORT if is_v6 => Some(format!("this kernel has no IPv6, leave \"listen {addr}\" out")),
        Errno::EPROTONOSUPPORT => Some("there is no Multipath TCP here, leave \"multipath\" out".into()),
        Errno::EADDRNOTAVAIL if is_v6 && is_v6_disabled() => Some(format!(
            "IPv6 is switched off here (sysctl net.ipv6.conf.all.disable_ipv6), leave \"listen {addr}\" out"
        )),
        Errno::EADDRNOTAVAIL => Some("no network interface of this machine has that address".into()),
        Errno::EACCES => {
            let first =
                sysctl("ipv4/ip_unprivileged_port_start").filter(|first| addr.port().is_some_and(|p| p < *first))?;
            Some(format!("ports below {first} need CAP_NET_BIND_SERVICE, listen on a higher one"))
        }
        _ => None,
    }
}

fn is_v6_disabled() -> bool {
    sysctl("ipv6/conf/all/disable_ipv6") == Some(1)
}

/// A number under /proc/sys/net.
fn sysctl(name: &str) -> Option<u16> {
    fs::read_to_string(Path::new("/proc/sys/net").join(name)).ok()?.trim().parse().ok()
}

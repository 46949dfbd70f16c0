//! Kernels that lack something.

use std::fs;
use std::process::{Command, Output};

use crate::support::seccomp::{Refusal, refuse};
use crate::support::server::{Product, Setup};
use crate::support::tools;

const NO_IPV6: Refusal =
    Refusal { call: libc::SYS_socket, argument: 0, mask: !0, value: libc::AF_INET6 as u32, error: libc::EAFNOSUPPORT };
/// Before 6.3.
const NO_SEAL: Refusal = Refusal {
    call: libc::SYS_memfd_create,
    argument: 1,
    mask: libc::MFD_NOEXEC_SEAL,
    value: libc::MFD_NOEXEC_SEAL,
    error: libc::EINVAL,
};

/// `drover -t` of a server on these sockets, by way of `command`, to which the program and its arguments are added.
fn test(mut command: Command, listens: &str) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("x.conf");
    let text =
        format!("user root; pid off; error_log stderr; events {{ }} http {{ access_log off; server {{ {listens} }} }}");
    fs::write(&conf, text).unwrap();
    command.arg(Product::Drover.binary()).arg("-tqc").arg(&conf);
    let output: Output = command.output().expect("run drover -t");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs what follows, with its arguments.
fn plainly() -> Command {
    Command::new(tools::find("env"))
}

/// A network, and what else `script` makes of it, for the program that is run with "$@".
fn in_namespaces(namespaces: &[&str], script: &str) -> Command {
    let mut command = Command::new(tools::find("unshare"));
    command.args(["--user", "--map-root-user"]).args(namespaces);
    command.args(["sh", "-ec", &format!("{script}; exec \"$@\""), "sh"]);
    command
}

#[test]
fn without_ipv6_the_message_says_which_listen_to_leave_out() {
    let mut command = plainly();
    refuse(&mut command, NO_IPV6);
    let (code, text) = test(command, "listen 127.0.0.1:8088; listen [::]:8088;");
    assert_eq!(code, Some(1), "{text}");
    says(
        &text,
        "socket() for [::]:8088 failed (97: Address family not supported by protocol)",
        "this kernel has no IPv6, leave \"listen [::]:8088\" out",
    );
    let mut command = plainly();
    refuse(&mut command, NO_IPV6);
    assert_eq!(test(command, "listen 127.0.0.1:8088;"), (Some(0), String::new()));
}

/// The failure with the line of the conf, and below that what helps.
#[track_caller]
fn says(text: &str, failure: &str, advice: &str) {
    let below = text.split_once(failure).map_or("", |(_, below)| below);
    assert!(below.starts_with(" in ") && below.contains(advice), "{text}");
}

#[test]
fn where_ipv6_is_switched_off_the_message_says_so() {
    let switch_off = "ip link set lo up; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
    let (code, text) = test(in_namespaces(&["--net"], switch_off), "listen [::1]:8088;");
    assert_eq!(code, Some(1), "{text}");
    says(
        &text,
        "bind() to [::1]:8088 failed (99: Cannot assign requested address)",
        "IPv6 is switched off here (sysctl net.ipv6.conf.all.disable_ipv6), leave \"listen [::1]:8088\" out",
    );
    let (code, text) = test(in_namespaces(&["--net"], "ip link set lo up"), "listen 192.0.2.1:8088;");
    assert_eq!(code, Some(1), "{text}");
    let advice = "no network interface of this machine has that address";
    says(&text, "(99: Cannot assign requested address)", advice);
}

#[test]
fn a_port_for_the_privileged_is_no_riddle() {
    let (code, text) = test(in_namespaces(&[], ":"), "listen 127.0.0.1:79;");
    assert_eq!(code, Some(1), "{text}");
    says(
        &text,
        "bind() to 127.0.0.1:79 failed (13: Permission denied)",
        "ports below 1024 need CAP_NET_BIND_SERVICE, listen on a higher one",
    );
}

#[test]
fn shared_memory_cant_be_executed_and_that_is_no_condition() {
    // The kernel refuses memfds that could be.
    let strict = in_namespaces(&["--pid", "--fork", "--mount-proc"], "echo 2 > /proc/sys/vm/memfd_noexec");
    assert_eq!(test(strict, "listen 127.0.0.1:8088;"), (Some(0), String::new()));
    let mut command = plainly();
    refuse(&mut command, NO_SEAL);
    assert_eq!(test(command, "listen 127.0.0.1:8088;"), (Some(0), String::new()));
}

/// Before 5.6, or built without.
const NO_MULTIPATH: Refusal = Refusal {
    call: libc::SYS_socket,
    argument: 2,
    mask: !0,
    value: libc::IPPROTO_MPTCP as u32,
    error: libc::EPROTONOSUPPORT,
};

#[test]
fn without_multipath_tcp_the_message_says_what_to_leave_out() {
    let mut command = plainly();
    refuse(&mut command, NO_MULTIPATH);
    let (code, text) = test(command, "listen 127.0.0.1:8088 multipath;");
    assert_eq!(code, Some(1), "{text}");
    says(
        &text,
        "socket() for 127.0.0.1:8088 failed (93: Protocol not supported)",
        "there is no Multipath TCP here, leave \"multipath\" out",
    );
}

/// Built without filters.
const NO_SECCOMP: Refusal =
    Refusal { call: libc::SYS_prctl, argument: 0, mask: !0, value: libc::PR_SET_SECCOMP as u32, error: libc::EINVAL };
/// A systemd unit with "SystemCallFilter=@system-service", which has not seccomp(2): to make it is the end.
const IN_A_UNIT: Refusal = Refusal { call: libc::SYS_seccomp, argument: 0, mask: 0, value: 0, error: 0 };
/// Before 5.13, or built without.
const NO_LANDLOCK: Refusal =
    Refusal { call: libc::SYS_landlock_create_ruleset, argument: 0, mask: 0, value: 0, error: libc::ENOSYS };

#[test]
fn without_seccomp_and_landlock_the_service_goes_on_and_says_so_once() {
    let notices = ["leaves system calls as they are: this kernel", "leaves files as they are: this kernel"];
    let serve = |sandbox: &str, refusals: &[Refusal]| {
        let conf = format!("sandbox {sandbox};\n{}", crate::conf(3));
        let setup = refusals.iter().fold(Setup::new(Product::Drover, conf), |setup, refusal| setup.refusing(*refusal));
        let mut server = setup.start();
        assert_eq!(server.connect().get("/v").text(), "one");
        assert_eq!(server.quit().code(), Some(0));
        notices.map(|notice| server.error_log().matches(notice).count())
    };
    let neither = [NO_LANDLOCK, IN_A_UNIT, NO_SECCOMP];
    assert_eq!(serve("on", &neither), [1, 1]);
    assert_eq!(serve("on", &neither[..2]), [0, 1]);
    assert_eq!(serve("calls", &neither), [1, 0]);
    assert_eq!(serve("off", &neither), [0, 0]);
}

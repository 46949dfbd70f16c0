use super::*;
use crate::os::faults::execve_nothing;
use crate::os::in_child::in_child;
use crate::os::process::{self, Fork};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Enters a filter in a child, and returns what `work` says there, and the log.
fn in_filter(extra: ExtraCalls, work: fn() -> String) -> (String, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let said = in_child(
        || {
            nix::sys::prctl::set_no_new_privs().unwrap();
            CallFilter::prepare(extra).unwrap().enter(log.as_file().as_raw_fd()).unwrap();
            work()
        },
        None,
    );
    (said.unwrap(), std::fs::read_to_string(log.path()).unwrap())
}

#[test]
fn a_call_that_is_not_allowed_fails_and_is_logged_once() {
    let (said, log) = in_filter(ExtraCalls::empty(), || {
        let sockets = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap_err().raw_os_error().unwrap();
        let thread = std::thread::spawn(execve_nothing).join().unwrap();
        format!(
            "{thread} {} {} {} {}",
            execve_nothing(),
            execve_nothing(),
            sockets(),
            File::open("/proc/self/exe").is_ok()
        )
    });
    assert_eq!(said, "1 1 1 1 true");
    let lines: Vec<_> = log.lines().collect();
    let expected = [("execve", libc::SYS_execve), ("socket", libc::SYS_socket)];
    assert_eq!(lines.len(), expected.len(), "{log}");
    for (call, number) in expected {
        let end = format!(": sandbox: system call {call} ({number}) is not allowed");
        assert!(lines.iter().any(|line| line.contains(" [alert] ") && line.ends_with(&end)), "{call}: {log}");
    }
}

/// With no descriptor left for an eventfd, polling asks for a pipe, in both ways.
#[test]
fn a_pipe_is_a_poller_s_second_choice() {
    let (said, log) = in_filter(ExtraCalls::empty(), || {
        let pipes = [nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).is_ok(), nix::unistd::pipe().is_ok()];
        format!("{pipes:?}")
    });
    assert_eq!((said.as_str(), log.as_str()), ("[true, true]", ""));
}

#[test]
fn arguments_count() {
    let (said, _) = in_filter(ExtraCalls::empty(), || {
        let map = |protection| {
            let (flags, none) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, std::ptr::null_mut());
            // SAFETY: new memory, which nothing uses.
            (unsafe { libc::mmap(none, 4096, protection, flags, -1, 0) }) != libc::MAP_FAILED
        };
        // SAFETY: numbers.
        let kill = |signal| unsafe { libc::kill(libc::getppid(), signal) } == 0;
        let mut limit = std::mem::MaybeUninit::<libc::rlimit64>::uninit();
        let mut limits = |pid| {
            // SAFETY: `limit` has room for what the call writes.
            (unsafe { libc::prlimit64(pid, libc::RLIMIT_NOFILE, std::ptr::null(), limit.as_mut_ptr()) }) == 0
        };
        // SAFETY: a number.
        let dumpable = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) } == 0;
        let codes = [libc::PROT_READ | libc::PROT_WRITE, libc::PROT_READ | libc::PROT_EXEC].map(map);
        format!(
            "{codes:?} {:?} {:?} {dumpable}",
            [0, libc::SIGWINCH].map(kill),
            [0, process::parent_id()].map(&mut limits)
        )
    });
    assert_eq!(said, "[true, false] [true, false] [true, false] false");
}

#[test]
fn models_that_fork_may() {
    let (said, log) = in_filter(ExtraCalls::FORK, || match process::fork() {
        Ok(Fork::Child) => process::exit_now(execve_nothing()),
        Ok(Fork::Parent(pid)) => {
            let ended = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
            let namespace = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).is_ok();
            format!("{} {namespace}", matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 1)))
        }
        Err(error) => error.to_string(),
    });
    assert_eq!(said, "true false", "{log}");
}

/// The handler must not change a register when no call was refused.
#[test]
fn a_signal_that_a_process_sends_changes_nothing() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let raised = in_child(
        || {
            refused::log_to(log.as_file().as_raw_fd()).unwrap();
            format!("{:?}", nix::sys::signal::raise(nix::sys::signal::Signal::SIGSYS))
        },
        None,
    );
    assert_eq!(raised.unwrap(), "Ok(())");
    assert_eq!(std::fs::read_to_string(log.path()).unwrap(), "");
}

#[test]
fn a_call_that_a_tracer_has_taken_away_is_no_reason_to_die() {
    let (said, log) = in_filter(ExtraCalls::empty(), || {
        // SAFETY: no call has the number.
        let answer = unsafe { libc::syscall(-1) };
        format!("{answer} {}", std::io::Error::last_os_error().raw_os_error().unwrap())
    });
    assert_eq!((said, log), (format!("-1 {}", libc::ENOSYS), String::new()));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_of_another_machine_is_the_end() {
    let mut ended = Vec::new();
    for number in [libc::SYS_getpid, libc::SYS_getpid | i64::from(X32)] {
        match process::fork().unwrap() {
            Fork::Child => {
                nix::sys::prctl::set_no_new_privs().unwrap();
                CallFilter::prepare(ExtraCalls::empty()).unwrap().enter(2).unwrap();
                // SAFETY: the call takes no argument.
                unsafe { libc::syscall(number) };
                process::exit_now(0)
            }
            Fork::Parent(pid) => {
                ended.push(nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap());
            }
        }
    }
    use nix::sys::signal::Signal;
    use nix::sys::wait::WaitStatus;
    assert!(matches!(ended[..], [WaitStatus::Exited(_, 0), WaitStatus::Signaled(_, Signal::SIGSYS, _)]), "{ended:?}");
}

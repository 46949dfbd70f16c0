//! Which processes a new connection may wake, by /proc and socket diagnostics: the kernel's view, not the server's.

use std::collections::HashMap;
use std::fs;

use super::sock_diag::Diagnostics;
use crate::process::Process;

/// The processes that have a TCP listening socket of `port` in one of their epoll sets now: the kernel may wake them
/// for a connection. With an accept mutex, its holder.
pub(crate) fn epoll_watchers(processes: &[Process], port: u16) -> Vec<u32> {
    let listening = Diagnostics::open().and_then(|diagnostics| diagnostics.listening(port)).unwrap_or_default();
    let sockets: Vec<String> = listening.iter().map(|socket| format!("socket:[{}]", socket.inode)).collect();
    processes.iter().filter(|process| watches(process.pid, &sockets)).map(|process| process.pid).collect()
}

fn watches(pid: u32, sockets: &[String]) -> bool {
    let mut inodes = HashMap::new();
    let mut epolls = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        let Some(fd) = entry.file_name().to_str().map(str::to_owned) else { continue };
        match fs::read_link(entry.path()).ok().and_then(|link| link.to_str().map(str::to_owned)) {
            Some(link) if link == "anon_inode:[eventpoll]" => epolls.push(fd),
            Some(link) => {
                inodes.insert(fd, link);
            }
            None => {}
        }
    }
    let is_listening = |fd: &str| inodes.get(fd).is_some_and(|link| sockets.contains(link));
    epolls.iter().any(|epoll| {
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")).unwrap_or_default();
        // "tfd:        6 events:       19 data: ..."; an event mask of zero is a disabled one-shot source.
        let watched = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
        watched.map(str::split_whitespace).any(|mut words| words.next().is_some_and(&is_listening))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_listening_socket_in_its_epoll_set_is_found() {
        use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let me = vec![Process { pid: std::process::id(), ..Process::default() }];
        assert!(epoll_watchers(&me, port).is_empty());
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, 0)).unwrap();
        assert_eq!(epoll_watchers(&me, port), [std::process::id()]);
    }
}

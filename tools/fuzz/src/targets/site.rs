//! A site that an engine serves at one end of a socket pair.

use drover::conf;
use drover::event::Clock;
use drover::http::HttpConf;
use drover::os::{Addr, Socket};
use drover::serve::access_log::AccessLogs;
use drover::serve::{Accepted, Engine, Need};
use drover::shm::{Ledger, Role};
use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// Turns that a connection may take.
const MOST_TURNS: usize = 20_000;

/// Files, and the engine that serves them.
pub(super) struct Site {
    engine: Engine,
    dir: TempDir,
}

impl Site {
    /// A site with this conf, in which `%` is the directory of the files.
    pub(super) fn new(text: &str, files: &[(&str, &str)]) -> Site {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, content) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("mkdir");
            std::fs::write(path, content).expect("write a file");
        }
        let registry = drover::cli::registry();
        let conf = conf::parse(&registry, &text.replace('%', dir.path().to_str().expect("UTF-8"))).expect("a conf");
        let site = Arc::new(HttpConf::new(&conf).expect("a site"));
        let tally = Ledger::create().and_then(|ledger| ledger.claim(1, Role::Worker, 0)).expect("a ledger");
        let logs = AccessLogs::default();
        let engine = Engine::new(site, Arc::default(), Arc::default(), Clock::new(), logs, Arc::new(tally));
        Site { engine, dir }
    }

    /// The path of a file.
    pub(super) fn place(&self, name: &[u8]) -> PathBuf {
        self.dir.path().join(OsStr::from_bytes(name))
    }

    /// The answers to what a client sends before it ends its side. The engine comes to an end, and makes progress in
    /// each turn that it asks for.
    pub(super) fn ask(&mut self, mut unsent: &[u8]) -> Vec<u8> {
        let (mut client, server) = UnixStream::pair().expect("a socket pair");
        client.set_nonblocking(true).expect("O_NONBLOCK");
        let socket = Socket::from(OwnedFd::from(server));
        socket.set_nonblocking(true).expect("O_NONBLOCK");
        let mut conn = self.engine.open(Accepted { socket, peer: Addr::unix(""), listener: 0 });
        let (mut answers, mut need) = (Vec::new(), Need::Read);
        let mut is_shut = false;
        for turn in 0.. {
            assert!(turn < MOST_TURNS, "it never ends: {need:?}");
            match client.write(unsent) {
                Ok(n) => unsent = &unsent[n..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => unsent = &[],
            }
            if unsent.is_empty() && !is_shut {
                is_shut = true;
                let _ = client.shutdown(Shutdown::Write);
            }
            let mut buffer = [0; 1 << 16];
            let got = client.read(&mut buffer).unwrap_or(0);
            answers.extend_from_slice(&buffer[..got]);
            if need == Need::Close {
                break;
            }
            need = self.engine.advance(&mut conn, is_shut);
            self.engine.end_of_turn();
        }
        self.engine.closing(&mut conn);
        drop(conn);
        let _ = client.set_nonblocking(false);
        let _ = client.read_to_end(&mut answers);
        answers
    }
}

/// The bytes behind the head of an answer.
pub(super) fn body(answer: &[u8]) -> &[u8] {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    &answer[end + 4..]
}

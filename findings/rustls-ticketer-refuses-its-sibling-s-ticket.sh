#!/usr/bin/env bash
# rustls' Ticketer, made before a fork so that all workers have its key, refuses each ticket that is longer than any its own process has issued.
#
# Guess:    the key decides: a ticket that one child has encrypted can be decrypted by its siblings until the keys rotate.
# Seen:     the sibling says no to the genuine ticket, without an error. As soon as it has issued a ticket of that length itself, it takes the very
#           same bytes.
# Versions: rustls 0.23.46 with ring and with aws-lc-rs 1.19.0, libc 0.2.189.
# Matters:  forked workers that share a ticketer resume only what comes back to a worker that has talked before, and tickets that grew (a client
#           certificate, a longer name) fail now and then for ever. Each process rotates its keys by itself as well.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
rustls = { version = "=0.23.46", default-features = false, features = ["std", "ring", "aws_lc_rs"] }
libc = "=0.2.189"
TOML
cat > src/main.rs <<'RUST'
use rustls::server::ProducesTickets;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

fn ticket_of_a_child(ticketer: &dyn ProducesTickets, session: &[u8]) -> Vec<u8> {
    let (mut ours, mut childs) = UnixStream::pair().unwrap();
    if unsafe { libc::fork() } == 0 {
        childs.write_all(&ticketer.encrypt(session).unwrap()).unwrap();
        unsafe { libc::_exit(0) };
    }
    drop(childs);
    let mut ticket = Vec::new();
    ours.read_to_end(&mut ticket).unwrap();
    ticket
}

fn probe(provider: &str, ticketer: Arc<dyn ProducesTickets>) {
    let session = b"the state of a session";
    let ticket = ticket_of_a_child(&*ticketer, session);
    let is_taken = || ticketer.decrypt(&ticket).as_deref() == Some(session);
    let before = is_taken();
    ticketer.encrypt(&session[..2]).unwrap();
    let after_a_shorter = is_taken();
    ticketer.encrypt(session).unwrap();
    let after_an_equal = is_taken();
    println!("{provider}: the sibling's ticket is taken: at first {before}, after a shorter one of our own {after_a_shorter}, after one as long {after_an_equal}");
    assert_eq!((before, after_a_shorter, after_an_equal), (false, false, true));
}

fn main() {
    probe("ring", rustls::crypto::ring::Ticketer::new().unwrap());
    probe("aws-lc-rs", rustls::crypto::aws_lc_rs::Ticketer::new().unwrap());
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q

#!/usr/bin/env bash
# One wait of the polling crate costs up to five system calls on Linux.
#
# Guess:    `Poller::wait` with a timeout is one epoll_wait; a level or edge mode needs nothing more.
# Seen:     timerfd_settime, two epoll_ctl, epoll_pwait, and a read of the eventfd that ends in EAGAIN: 509 calls for 100 waits.
# Version:  polling 3.11.0, Linux with timerfd. Counted by strace.
# Matters:  where a request is two system calls, the event loop's own are the larger part; its descriptor (AsFd) can be waited on directly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
polling = "=3.11.0"
TOML
cat > src/main.rs <<'RUST'
use std::time::Duration;

fn main() {
    let poller = polling::Poller::new().unwrap();
    let mut events = polling::Events::new();
    for _ in 0..100 {
        events.clear();
        poller.wait(&mut events, Some(Duration::from_micros(10))).unwrap();
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo build -q
strace -f -c -o counts -e trace=timerfd_settime,epoll_ctl,epoll_wait,epoll_pwait,epoll_pwait2,read target/debug/probe
cat counts
calls=$(awk '$NF == "total" { print $4 }' counts)
[ "$calls" -ge 500 ] && [ "$calls" -le 520 ]

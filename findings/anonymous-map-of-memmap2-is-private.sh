#!/usr/bin/env bash
# memmap2's anonymous map is MAP_PRIVATE: after fork(), parent and child write to different memory.
#
# Guess:    `MmapMut::map_anon` is MAP_SHARED | MAP_ANONYMOUS, as Python's mmap.mmap(-1, n) is and as prefork servers want.
# Seen:     the parent reads 0 where its child wrote 7; with a memfd behind `map_mut` it reads 7.
# Version:  memmap2 0.9.12, Linux.
# Matters:  a lock or a counter in such a map works in every test of one process.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
libc = "0.2"
memmap2 = "=0.9.12"
TOML
cat > src/main.rs <<'RUST'
use std::os::fd::FromRawFd;

/// What the parent reads of a byte that a forked child has set to 7.
fn seen_by_parent(map: &mut memmap2::MmapMut) -> u8 {
    // SAFETY: the child stores one byte and leaves without running anything of the parent's.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            map[0] = 7;
            libc::_exit(0);
        }
        assert_eq!(libc::waitpid(child, std::ptr::null_mut(), 0), child);
    }
    map[0]
}

fn main() {
    let anonymous = seen_by_parent(&mut memmap2::MmapMut::map_anon(4096).unwrap());
    // SAFETY: the descriptor is new and owned by the file; nobody else maps it.
    let mut shared = unsafe {
        let file = std::fs::File::from_raw_fd(libc::memfd_create(c"probe".as_ptr(), 0));
        file.set_len(4096).unwrap();
        memmap2::MmapMut::map_mut(&file).unwrap()
    };
    let memfd = seen_by_parent(&mut shared);
    println!("map_anon: {anonymous}, map_mut of a memfd: {memfd}");
    assert_eq!((anonymous, memfd), (0, 7));
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q

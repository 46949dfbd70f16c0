#!/usr/bin/env bash
# Memory that is asked for, compared with null and freed is "there" in an optimised Rust program, however much it is.
#
# Guess:    the system is asked: std::alloc::System is the allocator beneath the one that the compiler may reason about, its calls are
#           plain malloc and free. So a look whether 4 EiB can be had says no, with and without optimisation.
# Seen:     yes at levels 1, 2, 3 and s: LLVM knows malloc and free by name, removes the pair, and takes the comparison for "not null". Without
#           `.max(1)` the answer is no again: the length is then compared with the alignment, another call may be made, and both stay.
#           Vec::try_reserve_exact says no at every level.
# Version:  rustc 1.95.0.
# Matters:  a look for room before work that can't be refused memory does nothing in a release, while every test of it passes in a debug
#           build. std::hint::black_box around the pointer keeps it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > room.rs <<'RS'
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

fn look(layout: Layout, seen: impl Fn(*mut u8) -> *mut u8) -> bool {
    let got = seen(unsafe { System.alloc(layout) });
    if got.is_null() {
        return false;
    }
    unsafe { System.dealloc(got, layout) };
    true
}

fn main() {
    let bytes: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let layout = |bytes| Layout::from_size_align(bytes, 1).unwrap();
    let vec = Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    println!("{} {} {} {vec}", look(layout(bytes.max(1)), |got| got), look(layout(bytes), |got| got), look(layout(bytes.max(1)), black_box));
}
RS
rustc --version
for level in 0 1 2 3 s; do
    rustc --edition 2024 -C opt-level=$level -o room room.rs
    seen=$(./room $((1 << 62)))
    echo "opt-level=$level, 4 EiB: at least one byte, any length, black_box, Vec: $seen"
    if [ $level = 0 ]; then expected="false false false false"; else expected="true false false false"; fi
    [ "$seen" = "$expected" ]
done

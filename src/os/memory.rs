//! Memory that is kept back for the moment when there is no more.
//!
//! Rust ends a process that can't have the memory it asks for, and that would be all clients of a worker for one that
//! asked for much. So each thread that serves has a reserve. The allocator gives it up, a piece at a time, when the
//! system refuses memory, so that the work under way can go on, and [`is_short`] says so: connections are to be closed
//! until [`refill`] gets the reserve together again.
//!
//! Each thread has its own, because the C library's allocator gives memory that was freed by a thread to that thread,
//! and to others only if they share its heap (`arena`). Nothing here is shared, so that there is nothing to lock.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::TryReserveError;
use std::hint::black_box;
use std::ptr::null_mut;

use nix::errno::Errno;

/// Bytes of a reserve: more than one event of a connection asks for, whose most is the state of a compression, 0.3 MB.
const WHOLE: usize = 496 << 10;

/// Bytes of a reserve with which a thread may go on: more than it asks for from one look at [`is_exhausted`] to the
/// next. That is a head of HTTP/2 and its lines of logs; what asks for more looks for room first.
const ENOUGH: usize = WHOLE / 2;

/// The pieces that a reserve is made of, the largest that there are: the C library takes pieces of less than 128 KiB
/// from its heap, where other requests are served from when they are given up. One of those may live on, so that a
/// piece of that length is not there again. Only the first page of each is touched.
const PIECES: [Layout; 4] = [piece(124 << 10), piece(96 << 10), piece(64 << 10), piece(32 << 10)];

const fn piece(size: usize) -> Layout {
    match Layout::from_size_align(size, 16) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    }
}

thread_local! {
    /// The first piece of the reserve.
    static RESERVE: Cell<*mut Piece> = const { Cell::new(null_mut()) };
    /// The request under way may be refused, and is not to have the reserve.
    static MAY_FAIL: Cell<bool> = const { Cell::new(false) };
    /// Bytes of the last request that was refused; 0: none has been since the last refill.
    static REFUSED: Cell<usize> = const { Cell::new(0) };
}

/// The beginning of a piece.
struct Piece {
    next: *mut Piece,
    layout: Layout,
}

/// The system's allocator, with the reserves. For a `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Allocator;

// SAFETY: all memory is the system allocator's, by the layouts that it was asked for with; what is added never unwinds,
// and never asks this allocator.
unsafe impl GlobalAlloc for Allocator {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those of `System`.
        or_with_reserve(layout.size(), || unsafe { System.alloc(layout) })
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        or_with_reserve(layout.size(), || unsafe { System.alloc_zeroed(layout) })
    }

    #[inline(always)]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; a request that is refused leaves the old memory as it was, so that it can be repeated.
        or_with_reserve(size, || unsafe { System.realloc(at, layout, size) })
    }
}

#[inline(always)]
fn or_with_reserve(size: usize, ask: impl Fn() -> *mut u8) -> *mut u8 {
    let got = ask();
    if got.is_null() { with_reserve(size, ask) } else { got }
}

/// Gives up pieces of the reserve until there is memory. Null: there is none with all of them. The others are kept,
/// because the C library may hand what is freed back to the system, where the next thread that is short takes it.
#[cold]
#[inline(never)]
fn with_reserve(size: usize, ask: impl Fn() -> *mut u8) -> *mut u8 {
    REFUSED.set(size.max(1));
    while !MAY_FAIL.get() && give_up_piece() {
        let got = ask();
        if !got.is_null() {
            return got;
        }
    }
    null_mut()
}

/// Frees the first piece of the reserve. False: there is none.
fn give_up_piece() -> bool {
    let piece = RESERVE.get();
    if piece.is_null() {
        return false;
    }
    // SAFETY: each piece of the reserve came from `System.alloc` with its layout, and is this thread's alone.
    unsafe {
        let Piece { next, layout } = piece.read();
        RESERVE.set(next);
        System.dealloc(piece.cast(), layout);
    }
    true
}

/// Whether memory has been refused to this thread, and its reserve is not together again.
#[inline(always)]
pub fn is_short() -> bool {
    REFUSED.get() != 0
}

/// Whether `bytes` can be had in one piece, without the reserve; if not, [`is_short`] says so from now on. Asked before
/// work that can't stop half-way: better no compression is begun than the process ended in the middle of it.
pub fn has_room(bytes: usize) -> bool {
    let has_room = try_out(bytes, |layout| {
        // SAFETY: the layout has a size.
        unsafe { System.alloc(layout) }
    });
    if !has_room {
        REFUSED.set(bytes);
    }
    has_room
}

/// Sees to it that `bytes` can be had in one piece, also by giving up pieces of the reserve: for a library that asks
/// the system by itself. False: they can't.
pub fn make_room(bytes: usize) -> bool {
    try_out(bytes, |layout| {
        // SAFETY: the layout has a size.
        or_with_reserve(layout.size(), || unsafe { System.alloc(layout) })
    })
}

/// Whether `ask` gets `bytes` from the system's allocator; they are given back.
fn try_out(bytes: usize, ask: impl Fn(Layout) -> *mut u8) -> bool {
    let Ok(layout) = Layout::from_size_align(bytes.max(1), 1) else { return false };
    // Else an optimising compiler takes memory that nobody uses for memory that is there, and asks for none.
    let got = black_box(ask(layout));
    if got.is_null() {
        return false;
    }
    // SAFETY: the memory was allocated with this layout, and nothing refers to it.
    unsafe { System.dealloc(got, layout) };
    true
}

/// Whether memory has been refused to this thread, and so little of its reserve is there that the work to come might
/// end the process.
#[inline(always)]
pub fn is_exhausted() -> bool {
    is_short() && length(RESERVE.get()) < ENOUGH
}

/// ENOMEM if the thread is exhausted: for work that asks often for a little, of which the reserve serves some.
pub fn check() -> Result<(), Errno> {
    if is_exhausted() { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// Bytes of the last request that was refused to this thread.
pub fn refused() -> usize {
    REFUSED.get()
}

/// Gets the reserve of the thread together. To be called by a thread that begins to serve, and by one that has been
/// short and has closed connections since. False: there is not enough memory for it, and [`is_short`] says so.
pub fn refill() -> bool {
    let mut first = RESERVE.replace(null_mut());
    let mut there = length(first);
    for layout in PIECES {
        while there < WHOLE {
            // SAFETY: the layout has a size, and is aligned for a `Piece`.
            let piece: *mut Piece = unsafe { System.alloc(layout) }.cast();
            if piece.is_null() {
                break;
            }
            // SAFETY: the piece is valid and nobody else's.
            unsafe { piece.write(Piece { next: first, layout }) };
            (first, there) = (piece, there + layout.size());
        }
    }
    RESERVE.set(first);
    REFUSED.set(if there < WHOLE { REFUSED.get().max(WHOLE - there) } else { 0 });
    there >= WHOLE
}

/// Bytes of a list of pieces, which are this thread's.
fn length(mut piece: *mut Piece) -> usize {
    let mut sum = 0;
    while !piece.is_null() {
        // SAFETY: each piece of the reserve is valid, and this thread's.
        (sum, piece) = unsafe { (sum + (*piece).layout.size(), (*piece).next) };
    }
    sum
}

/// Bytes for which the reserve may be taken, although the request could be refused: else a short line of a log would be
/// lost for as long as memory is short.
const LITTLE: usize = 16 << 10;

/// Makes room for `more` items. Error: there is not enough memory. The reserve is left to what can't be refused.
#[inline(always)]
pub fn reserve<T>(items: &mut Vec<T>, more: usize) -> Result<(), TryReserveError> {
    if items.capacity() - items.len() >= more { Ok(()) } else { grow(items, more) }
}

#[cold]
fn grow<T>(items: &mut Vec<T>, more: usize) -> Result<(), TryReserveError> {
    MAY_FAIL.set(items.len().saturating_add(more).saturating_mul(size_of::<T>()) > LITTLE);
    let result = items.try_reserve(more);
    MAY_FAIL.set(false);
    result
}

/// Bytes that are all 0. Error: there is not enough memory, see [`reserve`].
pub fn zeroed(len: usize) -> Result<Vec<u8>, TryReserveError> {
    let mut bytes = Vec::new();
    reserve(&mut bytes, len)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// Bytes of stack that a thread of a worker uses at most, and more.
const STACK: usize = 256 << 10;

/// Has the kernel map the stack of the calling thread as far down as it is going to be used. A stack that grows when no
/// more may be mapped ends the process (SIGSEGV), whatever the reserve.
#[inline(never)]
pub fn map_stack() {
    let mut room = std::mem::MaybeUninit::<[u8; STACK]>::uninit();
    // SAFETY: the first byte is within the array. The write is volatile so that the array is not optimised away.
    unsafe { room.as_mut_ptr().cast::<u8>().write_volatile(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_request_takes_a_piece_and_a_refill_ends_the_shortage() {
        assert!(refill() && !is_short());
        let tries = Cell::new(0);
        let memory = Cell::new(0_u8);
        let got = or_with_reserve(100, || {
            tries.set(tries.get() + 1);
            if tries.get() > 2 { memory.as_ptr() } else { null_mut() }
        });
        assert_eq!((got, is_short(), is_exhausted(), refused()), (memory.as_ptr(), true, false, 100));
        assert_eq!((tries.get(), length(RESERVE.get())), (3, WHOLE - 2 * PIECES[0].size()));
        assert!(or_with_reserve(7, null_mut).is_null(), "there is no more");
        assert!(RESERVE.get().is_null());
        assert_eq!((refused(), check()), (7, Err(Errno::ENOMEM)));
        assert!(refill() && !is_short() && !is_exhausted() && length(RESERVE.get()) >= WHOLE);
        while give_up_piece() {}
    }

    #[test]
    fn a_request_that_may_be_refused_leaves_the_reserve() {
        assert!(refill());
        MAY_FAIL.set(true);
        assert!(or_with_reserve(7, null_mut).is_null());
        assert!(is_short() && !is_exhausted() && length(RESERVE.get()) >= WHOLE);
        assert!(reserve(&mut Vec::<u8>::new(), isize::MAX as usize).is_err() && !MAY_FAIL.get());
        let mut bytes = vec![1];
        reserve(&mut bytes, 100).unwrap();
        assert!(bytes.capacity() > 100 && refill());
        while give_up_piece() {}
    }

    #[test]
    fn the_reserve_is_no_other_thread_s() {
        assert!(refill());
        std::thread::spawn(|| assert!(RESERVE.get().is_null() && !is_short())).join().unwrap();
        while give_up_piece() {}
    }

    #[test]
    fn more_bytes_than_there_can_be_are_an_error() {
        assert_eq!(zeroed(3).unwrap(), [0; 3]);
        assert!(zeroed(usize::MAX >> 2).is_err());
        assert!(has_room(3) && make_room(3) && !is_short());
        assert!(!has_room(isize::MAX as usize >> 1) && is_short());
        REFUSED.set(0);
    }
}

//! The maps: an array in memory that processes and a program share, and an array of sockets.

use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use memmap2::{MmapOptions, MmapRaw};

use super::call::{Attributes, Command, bpf, bpf_fd, object_name};
use crate::os::socket::u64_option;
use crate::os::{Failure, Listener, Shareable};

/// enum bpf_map_type, and a flag, of linux/bpf.h.
const ARRAY: u32 = 2;
const REUSEPORT_SOCKARRAY: u32 = 20;
const MMAPABLE: u32 = 1 << 10;

#[repr(C)]
#[derive(Default)]
struct Create {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

#[repr(C)]
#[derive(Default)]
struct Element {
    map_fd: u32,
    unused: u32,
    key: u64,
    value: u64,
    flags: u64,
}

// SAFETY: repr(C), integers of their own size in a row; no addresses.
unsafe impl Attributes for Create {}
// SAFETY: the same; `SocketArray::element` sees to the addresses.
unsafe impl Attributes for Element {}

fn create(map_type: u32, value_size: u32, len: u32, map_flags: u32, name: &str) -> Result<OwnedFd, Failure> {
    let map_name = object_name(name);
    let mut create =
        Create { map_type, key_size: 4, value_size, max_entries: len, map_flags, map_name, ..Create::default() };
    bpf_fd(Command::MapCreate, &mut create).map_err(|e| Failure::new("bpf(BPF_MAP_CREATE)", e))
}

/// A row of `T` in memory that programs in the kernel read and change as well. All bytes are zero at first.
#[derive(Debug)]
pub struct SharedArray<T> {
    fd: OwnedFd,
    map: MmapRaw,
    len: usize,
    is: PhantomData<T>,
}

impl<T: Shareable> SharedArray<T> {
    /// The kernel rounds the size of an element up to 8 bytes.
    const HAS_WHOLE_WORDS: () = assert!(size_of::<T>().is_multiple_of(8));

    /// Makes and maps the memory for `len` elements. To be called before the fork. Errors: capabilities are missing
    /// (CAP_BPF), or memory.
    pub fn create(name: &str, len: u32) -> Result<SharedArray<T>, Failure> {
        let () = Self::HAS_WHOLE_WORDS;
        let fd = create(ARRAY, size_of::<T>() as u32, len, MMAPABLE, name)?;
        let bytes = size_of::<T>() * len as usize;
        let map = MmapOptions::new().len(bytes).map_raw(&fd).map_err(|e| Failure::new("mmap() of a BPF map", e))?;
        Ok(SharedArray { fd, map, len: len as usize, is: PhantomData })
    }
}

impl<T: Shareable> Deref for SharedArray<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping has `len` elements of `T`, page-aligned, and lives as long as `self`; `Shareable`
        // promises that any bytes are a valid `T` and that all others change it only atomically. A map never shrinks.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<T>(), self.len) }
    }
}

impl<T> AsFd for SharedArray<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Listening sockets among which a program chooses, by their numbers. A socket is in one array at most, once; it leaves
/// the array when it is closed or shut down.
#[derive(Debug)]
pub struct SocketArray {
    fd: OwnedFd,
}

impl SocketArray {
    /// Makes an array without sockets. Errors: capabilities are missing (CAP_BPF), or memory.
    pub fn create(len: u32) -> Result<SocketArray, Failure> {
        create(REUSEPORT_SOCKARRAY, size_of::<u64>() as u32, len, 0, "drover_sockets").map(|fd| SocketArray { fd })
    }

    /// Takes an array that an old binary has made.
    pub fn from_fd(fd: OwnedFd) -> SocketArray {
        SocketArray { fd }
    }

    /// Whether the array has the socket as number `index`.
    pub fn has(&self, index: u32, listener: &Listener) -> bool {
        cookie(listener).is_ok_and(|cookie| self.cookie_at(index) == Some(cookie))
    }

    /// Whether the array has the socket, under whatever number below `len`.
    pub fn has_among(&self, len: u32, listener: &Listener) -> bool {
        let wanted = cookie(listener).ok();
        wanted.is_some() && (0..len).any(|index| self.cookie_at(index) == wanted)
    }

    /// Makes the socket, which must listen, number `index`. Errors: EBUSY: the socket is in another array, or another
    /// number of this one.
    pub fn put(&self, index: u32, listener: &Listener) -> io::Result<()> {
        let mut value = listener.as_raw_fd() as u64;
        match self.cookie_at(index) {
            Some(there) if cookie(listener)? == there => return Ok(()),
            // The kernel refuses to replace a socket that still listens.
            Some(_) => self.element(Command::MapDelete, index, &mut value)?,
            None => {}
        }
        self.element(Command::MapUpdate, index, &mut value)
    }

    /// The kernel's number for the socket at `index`, which no other socket has.
    fn cookie_at(&self, index: u32) -> Option<u64> {
        let mut cookie = 0;
        self.element(Command::MapLookup, index, &mut cookie).ok().map(|()| cookie)
    }

    fn element(&self, command: Command, index: u32, value: &mut u64) -> io::Result<()> {
        // Both addresses are of variables of these frames, as long as the map's keys and values.
        let (key, value) = (&raw const index as u64, std::ptr::from_mut(value) as u64);
        let mut element = Element { map_fd: self.fd.as_raw_fd() as u32, key, value, ..Element::default() };
        if matches!(command, Command::MapDelete) {
            element.value = 0;
        }
        bpf(command, &mut element).map(drop)
    }
}

fn cookie(listener: &Listener) -> io::Result<u64> {
    u64_option(listener, libc::SOL_SOCKET, libc::SO_COOKIE)
}

impl AsFd for SocketArray {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

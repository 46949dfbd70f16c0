//! Memory that processes share after a fork: a memfd, mapped MAP_SHARED.
//!
//! memmap2 0.9 maps anonymous memory MAP_PRIVATE, where each child would write to a copy of its own; a memfd is a file,
//! so its mapping is shared, and its descriptor can be handed on to another program.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use memmap2::{MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Types that several processes may use at the same time, each at an address of its own; `shareable!` declares them.
///
/// # Safety
/// The type is `repr(C)`, valid whatever its bytes are, has no pointers, and is changed only through atomics.
pub unsafe trait Shareable: Sync {}

/// Declares a struct for shared memory: `repr(C)`, and `Shareable` if all of its fields are, down to the atomics.
macro_rules! shareable {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$about:meta])* $field_vis:vis $field:ident: $kind:ty,)+
    }) => {
        $(#[$meta])*
        #[repr(C)]
        $vis struct $name { $($(#[$about])* $field_vis $field: $kind,)+ }

        // SAFETY: repr(C), and every field is Shareable: all bytes are valid, no pointers, only atomics change.
        unsafe impl $crate::os::Shareable for $name where $($kind: $crate::os::Shareable,)+ {}
    };
    ($(#[$meta:meta])* $vis:vis struct $name:ident[$size:ident] { $($(#[$about:meta])* $field:ident: $kind:ty,)+ }) => {
        $(#[$meta])*
        #[repr(C)]
        $vis struct $name<const $size: usize> { $($(#[$about])* $field: $kind,)+ }

        // SAFETY: as above.
        unsafe impl<const $size: usize> $crate::os::Shareable for $name<$size>
        where $($kind: $crate::os::Shareable,)+ {}
    };
}
pub(crate) use shareable;

/// A `T` in memory that a process shares with its children alone. All bytes are zero at first.
#[derive(Debug)]
pub struct Shared<T> {
    map: MmapRaw,
    is: PhantomData<T>,
}

/// A `T` in shared memory that has a descriptor, so that others can map it.
#[derive(Debug)]
pub struct SharedMap<T> {
    shared: Shared<T>,
    file: File,
}

impl<T: Shareable> Shared<T> {
    /// Maps new memory, called `name` in /proc/PID/maps. Pages cost memory when first touched.
    pub fn create(name: &str) -> io::Result<Shared<T>> {
        SharedMap::create(name).map(|map| map.shared)
    }
}

/// A file of `size` zeros without a name in the file system, called `name` in /proc/PID/fd.
pub fn memory_file(name: &str, size: u64) -> io::Result<File> {
    // Linux warns from 6.3 on, and refuses where vm.memfd_noexec is 2, when a memfd might be executed; older kernels
    // don't know the flag.
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
    let made = match memfd_create(name, flags) {
        Err(Errno::EINVAL) => memfd_create(name, MFdFlags::MFD_CLOEXEC),
        made => made,
    };
    let file = File::from(made?);
    file.set_len(size)?;
    Ok(file)
}

impl<T: Shareable> SharedMap<T> {
    /// Makes a new memfd called `name` (seen in /proc/PID/fd and /proc/PID/maps). Pages cost memory when first touched.
    pub fn create(name: &str) -> io::Result<SharedMap<T>> {
        SharedMap::open(memory_file(name, size_of::<T>() as u64)?)
    }

    /// Maps the memory that another process has made, for reading and writing.
    pub fn open(file: File) -> io::Result<SharedMap<T>> {
        if file.metadata()?.len() < size_of::<T>() as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the shared memory is too small"));
        }
        let map = MmapOptions::new().len(size_of::<T>()).map_raw(&file)?;
        Ok(SharedMap { shared: Shared { map, is: PhantomData }, file })
    }
}

impl<T: Shareable> Deref for SharedMap<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.shared
    }
}

impl<T: Shareable> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the mapping is `size_of::<T>()` bytes long, page-aligned, and lives as long as `self`; `Shareable`
        // promises that any bytes are a valid `T` and that others change it only atomically. No process that has the
        // descriptor shrinks the file.
        unsafe { &*self.map.as_ptr().cast::<T>() }
    }
}

impl<T> AsFd for SharedMap<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

// SAFETY: an integer of any bit pattern, changed atomically.
unsafe impl Shareable for AtomicU8 {}
// SAFETY: the same.
unsafe impl Shareable for AtomicU32 {}
// SAFETY: the same.
unsafe impl Shareable for AtomicU64 {}
// SAFETY: a row of what is Shareable, without anything between.
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn two_mappings_of_one_memfd_see_each_other() {
        let first = SharedMap::<AtomicU64>::create("drover-test").unwrap();
        let second = SharedMap::<AtomicU64>::open(first.file.try_clone().unwrap()).unwrap();
        assert_eq!(second.load(Relaxed), 0);
        first.store(42, Relaxed);
        assert_eq!(second.load(Relaxed), 42);
    }

    #[test]
    fn a_memfd_is_sealed_against_execution() {
        let map = SharedMap::<AtomicU64>::create("drover-test").unwrap();
        let seals = nix::fcntl::fcntl(&map, nix::fcntl::FcntlArg::F_GET_SEALS).unwrap();
        assert_ne!(seals & libc::F_SEAL_EXEC, 0, "Linux 6.3 or later is expected where tests run");
    }

    #[test]
    fn a_short_file_is_refused() {
        assert!(SharedMap::<AtomicU64>::open(tempfile::tempfile().unwrap()).is_err());
    }
}

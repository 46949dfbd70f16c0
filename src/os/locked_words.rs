//! Memory that processes share behind a mutex, which the kernel frees when its holder dies
//! (pthread_mutexattr_setrobust(3)): no process has to find out whether the holder is alive.

use std::cell::UnsafeCell;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Bytes in front of the words, of which the mutex needs 40: a cache line.
const HEAD: usize = 64;
const _: () = assert!(size_of::<libc::pthread_mutex_t>() <= HEAD && align_of::<libc::pthread_mutex_t>() <= HEAD);

/// Words in memory that a process shares with its children, zero at first. One thread of all processes has them at a
/// time.
#[derive(Debug)]
pub struct LockedWords {
    map: MmapRaw,
    len: usize,
}

/// The words, while this thread holds the mutex.
#[derive(Debug)]
pub struct Words<'a> {
    words: &'a mut [u64],
    owner: &'a LockedWords,
    /// The former holder died inside: the words may be half changed.
    pub was_abandoned: bool,
}

impl LockedWords {
    /// Maps new memory, called `name` in /proc/PID/maps. Pages cost memory when first touched.
    pub fn create(name: &str, len: usize) -> io::Result<LockedWords> {
        let file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
        let bytes = len.checked_mul(size_of::<u64>()).and_then(|bytes| bytes.checked_add(HEAD));
        let bytes = bytes.ok_or(io::ErrorKind::OutOfMemory)?;
        file.set_len(bytes as u64)?;
        let words = LockedWords { map: MmapOptions::new().len(bytes).map_raw(&file)?, len };
        words.init_mutex()?;
        Ok(words)
    }

    fn mutex(&self) -> *mut libc::pthread_mutex_t {
        self.map.as_mut_ptr().cast()
    }

    fn init_mutex(&self) -> io::Result<()> {
        let attributes = UnsafeCell::new(MaybeUninit::<libc::pthread_mutexattr_t>::uninit());
        let attributes = attributes.get().cast::<libc::pthread_mutexattr_t>();
        // SAFETY: the attributes are initialised by the first call and destroyed by the last; the mutex is memory of
        // this mapping, large and aligned enough (HEAD), which no other process has yet.
        unsafe {
            check(libc::pthread_mutexattr_init(attributes))?;
            let made = check(libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))
                .and_then(|()| check(libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST)))
                .and_then(|()| check(libc::pthread_mutex_init(self.mutex(), attributes)));
            libc::pthread_mutexattr_destroy(attributes);
            made
        }
    }

    /// Waits for the mutex. Whoever holds it does little, and no system call.
    pub fn lock(&self) -> io::Result<Words<'_>> {
        // SAFETY: the mutex was initialised in `create`, and lives as long as the mapping.
        let locked = unsafe { libc::pthread_mutex_lock(self.mutex()) };
        let was_abandoned = locked == libc::EOWNERDEAD;
        if was_abandoned {
            // SAFETY: this thread holds the mutex, whose owner has died.
            check(unsafe { libc::pthread_mutex_consistent(self.mutex()) })?;
        } else {
            check(locked)?;
        }
        // SAFETY: the mapping has HEAD bytes and then `len` words, aligned since mappings begin at pages; any bytes are
        // words. Who holds the mutex is the only one of all processes who uses them, until the guard unlocks.
        let words = unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().add(HEAD).cast::<u64>(), self.len) };
        Ok(Words { words, owner: self, was_abandoned })
    }
}

fn check(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

impl Deref for Words<'_> {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        self.words
    }
}

impl DerefMut for Words<'_> {
    fn deref_mut(&mut self) -> &mut [u64] {
        self.words
    }
}

impl Drop for Words<'_> {
    fn drop(&mut self) {
        // SAFETY: the guard exists, so that this thread holds the mutex; the words are not used after this. The call
        // can't fail for the holder.
        unsafe { libc::pthread_mutex_unlock(self.owner.mutex()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::{self, Fork};

    fn in_child(work: impl FnOnce()) {
        let pid = match process::fork().unwrap() {
            Fork::Child => {
                work();
                process::exit_now(0)
            }
            Fork::Parent(pid) => pid,
        };
        nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
    }

    #[test]
    fn the_words_of_a_holder_that_dies_are_free_and_known_to_be_abandoned() {
        let shared = LockedWords::create("drover-test", 4).unwrap();
        in_child(|| shared.lock().unwrap()[3] = 7);
        let words = shared.lock().unwrap();
        assert_eq!((words[3], words.was_abandoned), (7, false), "the child unlocked");
        drop(words);
        in_child(|| std::mem::forget(shared.lock().unwrap()));
        let words = shared.lock().unwrap();
        assert!(words.was_abandoned);
        drop(words);
        assert!(!shared.lock().unwrap().was_abandoned, "it is said once");
    }

    #[test]
    fn one_thread_at_a_time_is_inside() {
        let shared = LockedWords::create("drover-test", 1).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| shared.lock().unwrap()[0] += 1));
            }
        });
        assert_eq!(shared.lock().unwrap()[0], 40_000);
    }
}

//! The files that a process holds open, and threads that close those of file systems that ask a server at close(2)
//! (FUSE sends FLUSH, and waits for the answer): a worker must not wait for that.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Files that entries of this process hold open. The caches of several threads share one limit on descriptors.
static HELD: AtomicU64 = AtomicU64::new(0);

/// An open file, counted in `HELD`.
#[derive(Debug)]
pub(super) struct Held(pub(super) File);

impl Held {
    pub(super) fn new(file: File) -> Held {
        HELD.fetch_add(1, Ordering::Relaxed);
        Held(file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The number of files that are held open.
pub(super) fn count() -> u64 {
    HELD.load(Ordering::Relaxed)
}

/// Threads that close files at a time: a server that answers one question after the other is no faster for more.
const MOST_THREADS: usize = 4;

static QUEUE: Mutex<Queue> = Mutex::new(Queue { files: VecDeque::new(), threads: 0 });

struct Queue {
    files: VecDeque<Held>,
    threads: usize,
}

/// Lets a thread close the file, which counts as open while it waits for one.
pub(super) fn close(held: Held) {
    let mut queue = queue();
    queue.files.push_back(held);
    if queue.threads == MOST_THREADS {
        return;
    }
    match thread::Builder::new().name("close".to_owned()).spawn(work) {
        Ok(_) => queue.threads += 1,
        Err(_) if queue.threads == 0 => {
            let files = std::mem::take(&mut queue.files);
            drop(queue);
            drop(files);
        }
        // The threads that there are do it.
        Err(_) => {}
    }
}

/// The life of a thread: it ends when there is nothing to close.
fn work() {
    loop {
        let mut queue = queue();
        let Some(held) = queue.files.pop_front() else {
            queue.threads -= 1;
            return;
        };
        drop(queue);
        drop(held);
    }
}

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

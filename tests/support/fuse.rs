//! A file system of the test's own, by the kernel's FUSE protocol (`linux/fuse.h`, version 7.31): what its disk is slow
//! at, it does not do until the test lets it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// A kind of question to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The bytes of a file.
    Read,
    /// A name, or the facts about a file.
    Look,
    /// The names of a directory.
    List,
    /// A file that is opened.
    Open,
    /// A file that is closed.
    Close,
}

impl Ask {
    /// All that a reader asks.
    pub const ALL: [Ask; 5] = [Ask::Read, Ask::Look, Ask::List, Ask::Open, Ask::Close];
}

/// The bytes of a file.
#[derive(Debug, Clone)]
enum Bytes {
    /// So many of `contents`.
    Pattern(u64),
    Text(String),
}

impl Bytes {
    fn len(&self) -> u64 {
        match self {
            Bytes::Pattern(len) => *len,
            Bytes::Text(text) => text.len() as u64,
        }
    }

    fn part(&self, at: u64, end: u64) -> Vec<u8> {
        match self {
            Bytes::Pattern(_) => (at..end).map(byte).collect(),
            Bytes::Text(text) => text.as_bytes().get(at as usize..end as usize).unwrap_or_default().to_vec(),
        }
    }
}

/// A file system, mounted until it is dropped. Declare it in front of the server that uses it.
pub struct SlowDisk {
    dir: tempfile::TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    device: File,
    files: Vec<(String, Bytes)>,
    gate: Mutex<Gate>,
    opened: Condvar,
}

#[derive(Default)]
struct Gate {
    shut: Vec<Ask>,
    held: usize,
    /// Questions that have been held so far, and those of them that were let go one by one.
    tickets: u64,
    passed: u64,
}

const HEAD: usize = 40;
const ROOT: u64 = 1;
const NOT_FOUND: i32 = -2;
const NO_SUCH_CALL: i32 = -38;

/// The byte at an offset of every file.
fn byte(at: u64) -> u8 {
    (at * 31 / 7 % 251) as u8
}

/// The contents of a file of that length.
pub fn contents(len: u64) -> Vec<u8> {
    (0..len).map(byte).collect()
}

impl SlowDisk {
    /// Mounts a file system of these files; panics where the machine doesn't let it.
    pub fn mount(files: &[(&str, u64)]) -> SlowDisk {
        SlowDisk::mount_with(files, &[])
    }

    /// The same, with files that hold these texts as well.
    pub fn mount_with(files: &[(&str, u64)], texts: &[(&str, &str)]) -> SlowDisk {
        let dir = tempfile::tempdir().expect("a directory");
        let device = File::options().read(true).write(true).open("/dev/fuse");
        let device = device.unwrap_or_else(|e| panic!("this test mounts a FUSE file system: /dev/fuse: {e}"));
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
        mount(Some("drover-test"), dir.path(), Some("fuse"), flags, Some(options.as_str()))
            .unwrap_or_else(|e| panic!("this test mounts a FUSE file system, for which it must be root: {e}"));
        let files = files.iter().map(|(name, len)| ((*name).to_owned(), Bytes::Pattern(*len)));
        let texts = texts.iter().map(|(name, text)| ((*name).to_owned(), Bytes::Text((*text).to_owned())));
        let files = files.chain(texts).collect();
        let shared = Arc::new(Shared { device, files, gate: Mutex::default(), opened: Condvar::new() });
        let serving = shared.clone();
        std::thread::spawn(move || serve(&serving));
        SlowDisk { dir, shared }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Nothing of this kind is answered from now on.
    pub fn stop(&self, ask: Ask) {
        self.shared.gate.lock().unwrap().shut.push(ask);
    }

    /// How many questions wait for their answers.
    pub fn held(&self) -> usize {
        self.shared.gate.lock().unwrap().held
    }

    /// Answers what waits now, and nothing that is asked later.
    pub fn step(&self) {
        let mut gate = self.shared.gate.lock().unwrap();
        (gate.passed, gate.held) = (gate.tickets, 0);
        self.shared.opened.notify_all();
    }

    /// Answers what waits, and all to come.
    pub fn go_on(&self) {
        self.shared.gate.lock().unwrap().shut.clear();
        self.shared.opened.notify_all();
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        self.go_on();
        let _ = umount2(self.dir.path(), MntFlags::MNT_DETACH);
    }
}

fn serve(shared: &Arc<Shared>) {
    let mut buffer = vec![0; 256 << 10];
    // The read fails once the file system is no longer mounted.
    while let Ok(len) = (&shared.device).read(&mut buffer) {
        let request = buffer[..len].to_vec();
        let ask = match opcode(&request) {
            1 | 3 => Some(Ask::Look),
            15 => Some(Ask::Read),
            14 => Some(Ask::Open),
            25 => Some(Ask::Close),
            27 | 28 => Some(Ask::List),
            _ => None,
        };
        let is_shut = ask.is_some_and(|ask| shared.gate.lock().unwrap().shut.contains(&ask));
        if !is_shut {
            answer(shared, &request);
            continue;
        }
        let shared = shared.clone();
        std::thread::spawn(move || {
            let mut gate = shared.gate.lock().unwrap();
            gate.held += 1;
            gate.tickets += 1;
            let ticket = gate.tickets;
            while ticket > gate.passed && ask.is_some_and(|ask| gate.shut.contains(&ask)) {
                gate = shared.opened.wait(gate).unwrap();
            }
            // `step` has counted those that it let go.
            gate.held -= usize::from(ticket > gate.passed);
            drop(gate);
            answer(&shared, &request);
        });
    }
}

fn number<const N: usize>(request: &[u8], at: usize) -> u64 {
    request[at..at + N].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn opcode(request: &[u8]) -> u64 {
    number::<4>(request, 4)
}

fn answer(shared: &Shared, request: &[u8]) {
    let (node, body) = (number::<8>(request, 16), &request[HEAD..]);
    let result: Result<Vec<u8>, i32> = match opcode(request) {
        // FORGET and BATCH_FORGET have no answers.
        2 | 42 => return,
        1 => {
            let name = &body[..body.len() - 1];
            let place = shared.files.iter().position(|(known, _)| known.as_bytes() == name);
            place.map(|place| entry(shared, place as u64 + 2)).ok_or(NOT_FOUND)
        }
        3 => Ok([vec![0; 16], attributes(shared, node)].concat()),
        // The handle 0; of a file FOPEN_DIRECT_IO, so that nothing of it is kept in memory.
        14 => Ok([0_u64.to_le_bytes(), 1_u64.to_le_bytes()].concat()),
        27 => Ok(vec![0; 16]),
        15 => {
            let (at, len) = (number::<8>(body, 8), number::<4>(body, 16));
            let end = (at + len).min(shared.files[node as usize - 2].1.len());
            Ok(shared.files[node as usize - 2].1.part(at, end.max(at)))
        }
        17 => Ok(vec![0; 80]),
        18 | 25 | 29 => Ok(Vec::new()),
        26 => {
            let mut init = vec![0; 64];
            init[..4].copy_from_slice(&7_u32.to_le_bytes());
            init[4..8].copy_from_slice(&31_u32.to_le_bytes());
            // The read-ahead that the kernel proposes, and writes of a page.
            init[8..12].copy_from_slice(&body[8..12]);
            init[20..24].copy_from_slice(&4096_u32.to_le_bytes());
            Ok(init)
        }
        28 => Ok(if number::<8>(body, 8) == 0 { names(shared) } else { Vec::new() }),
        _ => Err(NO_SUCH_CALL),
    };
    let (error, body) = result.map_or_else(|error| (error, Vec::new()), |body| (0, body));
    let mut reply = Vec::with_capacity(16 + body.len());
    reply.extend_from_slice(&(16 + body.len() as u32).to_le_bytes());
    reply.extend_from_slice(&error.to_le_bytes());
    reply.extend_from_slice(&request[8..16]);
    reply.extend_from_slice(&body);
    // The asker may be gone.
    let _ = (&shared.device).write(&reply);
}

/// `struct fuse_entry_out`, of which nothing holds for longer than this answer.
fn entry(shared: &Shared, node: u64) -> Vec<u8> {
    [node.to_le_bytes().to_vec(), vec![0; 32], attributes(shared, node)].concat()
}

/// `struct fuse_attr`, of a file that changed long ago.
fn attributes(shared: &Shared, node: u64) -> Vec<u8> {
    let (mode, len) = match node {
        ROOT => (0o040_755_u32, 0),
        node => (0o100_644, shared.files[node as usize - 2].1.len()),
    };
    let times = 1_000_000_000_u64;
    let longs = [node, len, len.div_ceil(512), times, times, times];
    let shorts = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
    let longs = longs.iter().flat_map(|long| long.to_le_bytes());
    longs.chain(shorts.iter().flat_map(|short: &u32| short.to_le_bytes())).collect()
}

/// `struct fuse_dirent`s.
fn names(shared: &Shared) -> Vec<u8> {
    let mut out = Vec::new();
    for (place, (name, _)) in shared.files.iter().enumerate() {
        out.extend_from_slice(&(place as u64 + 2).to_le_bytes());
        out.extend_from_slice(&(place as u64 + 1).to_le_bytes());
        out.extend_from_slice(&(name.len() as u32).to_le_bytes());
        out.extend_from_slice(&8_u32.to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        out.resize(out.len().next_multiple_of(8), 0);
    }
    out
}

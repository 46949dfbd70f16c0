//! Files that change while they are served: they are sent as they are, or as `open_file_cache` says, and never torn.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::support::client::{Client, Response};
use crate::support::conf::Conf;
use crate::support::h2::H2;
use crate::support::server::Server;
use crate::support::{tools, until_true};

const DRIVERS: [&str; 4] = ["exclusive", "prefork", "thread_pool worker_threads=1", "leader_follower worker_threads=1"];

/// RFC 9113, section 7.
const INTERNAL_ERROR: u32 = 2;

/// Sizes of a file that is kept in memory, and of one that is not.
const SIZES: [usize; 2] = [1_000, 300_000];

/// The files of `/lasting/` and `/short/` are told from others for a day and for a second.
const CACHES: &str = "location /lasting/ { alias %root%/; open_file_cache max=100; open_file_cache_valid 1d; }
    location /short/ { alias %root%/; open_file_cache max=100; open_file_cache_valid 1s; }
    location /threads/ { alias %root%/; aio threads; }";

/// A change of a file that held `old` bytes; `lasts`: the file that was open before does not show it.
struct Change {
    name: &'static str,
    make: fn(&Path, usize),
    status: u16,
    body: fn(usize) -> Vec<u8>,
    lasts: bool,
}

fn old(size: usize) -> Vec<u8> {
    vec![b'o'; size]
}

fn new(size: usize) -> Vec<u8> {
    vec![b'n'; size]
}

fn beside(path: &Path, more: &str) -> PathBuf {
    PathBuf::from(format!("{}{more}", path.display()))
}

fn writable(path: &Path) -> File {
    File::options().write(true).open(path).expect("the file")
}

fn replace(path: &Path, size: usize) {
    fs::write(beside(path, ".new"), new(size + 1)).expect("write");
    fs::rename(beside(path, ".new"), path).expect("rename");
}

/// The change that kubelet makes to the volume of a ConfigMap.
fn swap(path: &Path, size: usize) {
    let volume = beside(path, ".volume");
    fs::create_dir(volume.join("..2")).expect("mkdir");
    fs::write(volume.join("..2/file"), new(size + 1)).expect("write");
    symlink("..2", volume.join("..data_tmp")).expect("symlink");
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).expect("rename");
}

fn be_a_directory(path: &Path, _: usize) {
    fs::remove_file(path).expect("remove");
    fs::create_dir(path).expect("mkdir");
}

const CHANGES: [Change; 8] = [
    Change { name: "renamed", make: replace, status: 200, body: |size| new(size + 1), lasts: true },
    Change { name: "swapped", make: swap, status: 200, body: |size| new(size + 1), lasts: true },
    Change {
        name: "cut",
        make: |path, size| writable(path).set_len(size as u64 / 2).expect("truncate"),
        status: 200,
        body: |size| old(size / 2),
        lasts: false,
    },
    Change {
        name: "grown",
        make: |path, size| writable(path).write_all_at(&new(10), size as u64).expect("append"),
        status: 200,
        body: |size| [old(size), new(10)].concat(),
        lasts: true,
    },
    Change {
        name: "rewritten",
        make: |path, size| writable(path).write_all_at(&new(size), 0).expect("write"),
        status: 200,
        body: new,
        lasts: false,
    },
    Change {
        name: "removed",
        make: |path, _| fs::remove_file(path).expect("remove"),
        status: 404,
        body: |_| Vec::new(),
        lasts: true,
    },
    Change { name: "directory", make: be_a_directory, status: 301, body: |_| Vec::new(), lasts: true },
    Change {
        name: "locked",
        make: |path, _| fs::set_permissions(path, Permissions::from_mode(0o000)).expect("chmod"),
        status: 403,
        body: |_| Vec::new(),
        lasts: true,
    },
];

impl Change {
    fn prepare(&self, path: &Path, size: usize) {
        if self.name != "swapped" {
            return fs::write(path, old(size)).expect("write");
        }
        let volume = beside(path, ".volume");
        fs::create_dir_all(volume.join("..1")).expect("mkdir");
        fs::write(volume.join("..1/file"), old(size)).expect("write");
        symlink("..1", volume.join("..data")).expect("symlink");
        symlink(volume.join("..data/file"), path).expect("symlink");
    }

    fn is_shown(&self, response: &Response, size: usize) -> bool {
        response.status == self.status && (self.status != 200 || response.body == (self.body)(size))
    }
}

fn server(dispatch: &str, directives: &str) -> Server {
    Server::drover(Conf::workers(1).dispatch(dispatch).server(&format!("{CACHES} {directives}")))
}

fn in_root(server: &Server, name: &str) -> PathBuf {
    server.dir().join("root").join(name)
}

/// Lets a clock go on by which files are told from their next states, so that small ones are taken into memory.
fn settle() {
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_change_shows_at_once() {
    for (dispatch, sendfile) in DRIVERS.map(|dispatch| (dispatch, "on")).into_iter().chain([("exclusive", "off")]) {
        let server = server(dispatch, &format!("sendfile {sendfile};"));
        let mut client = server.connect();
        for place in ["", "/threads"] {
            for size in SIZES {
                let target = |change: &Change| format!("{place}/{}{size}{}", change.name, place.len());
                let path = |change: &Change| in_root(&server, &format!("{}{size}{}", change.name, place.len()));
                CHANGES.iter().for_each(|change| change.prepare(&path(change), size));
                settle();
                for change in &CHANGES {
                    for _ in 0..2 {
                        assert!(client.get(&target(change)).body == old(size), "{dispatch}: {}", change.name);
                    }
                    (change.make)(&path(change), size);
                    for _ in 0..2 {
                        let response = client.get(&target(change));
                        assert!(
                            change.is_shown(&response, size),
                            "{dispatch}, sendfile {sendfile}: {} {size}: {}, {} bytes",
                            change.name,
                            response.status,
                            response.body.len()
                        );
                    }
                }
            }
        }
    }
}

/// The times of a file count in ticks of a clock: two states of the same length can share one.
#[test]
fn each_of_many_states_in_one_second_shows() {
    for dispatch in DRIVERS {
        let server = server(dispatch, "");
        server.file("state", "00000");
        let file = writable(&in_root(&server, "state"));
        let mut client = server.connect();
        for state in 1..500 {
            let text = format!("{state:05}");
            file.write_all_at(text.as_bytes(), 0).expect("write");
            assert_eq!(client.get("/state").text(), text, "{dispatch}");
            if state % 100 == 0 {
                settle();
                assert_eq!(client.get("/state").text(), text, "{dispatch}: it is taken into memory");
            }
        }
    }
}

#[test]
fn with_open_file_cache_a_change_shows_when_its_time_is_over() {
    let seen: Vec<(&Change, usize)> = SIZES
        .iter()
        .flat_map(|size| CHANGES.iter().map(|change| (change, *size)))
        .filter(|(change, size)| change.lasts || *size == SIZES[0])
        .collect();
    for dispatch in DRIVERS {
        let server = server(dispatch, "keepalive_requests 1000000;");
        let mut client = server.connect();
        let path = |change: &Change, size| in_root(&server, &format!("{}{size}", change.name));
        let mut get = |place, change: &Change, size| client.get(&format!("/{place}/{}{size}", change.name));
        seen.iter().for_each(|(change, size)| change.prepare(&path(change, *size), *size));
        settle();
        for (change, size) in &seen {
            for place in ["lasting", "short"] {
                assert!(get(place, change, *size).body == old(*size), "{dispatch}: {} {size}", change.name);
            }
        }
        for (change, size) in &seen {
            (change.make)(&path(change, *size), *size);
            assert!(get("lasting", change, *size).body == old(*size), "{dispatch}: {} {size}", change.name);
        }
        for (change, size) in &seen {
            until_true(change.name, || change.is_shown(&get("short", change, *size), *size));
            assert!(get("lasting", change, *size).body == old(*size), "{dispatch}: {} {size}", change.name);
        }
    }
}

/// The file is open: its new bytes are sent, and its end is missed.
#[test]
fn with_open_file_cache_a_large_file_that_is_cut_ends_the_connection() {
    for dispatch in DRIVERS {
        for (directives, call) in [("", "sendfile"), ("sendfile off;", "pread"), ("aio threads;", "sendfile")] {
            let server = server(dispatch, directives);
            server.file("large", old(300_000)).file("same", old(300_000));
            let mut client = server.connect();
            for name in ["large", "same"] {
                assert_eq!(client.get(&format!("/lasting/{name}")).body.len(), 300_000);
            }
            let path = in_root(&server, "large");
            writable(&path).set_len(100_000).expect("truncate");
            writable(&in_root(&server, "same")).write_all_at(&new(300_000), 0).expect("write");
            assert!(client.get("/lasting/same").body == new(300_000), "{dispatch}, {directives}");
            assert_is_cut(client, "/lasting/large", 100_000);
            let said = format!("{call}() reported that \"{}\" was truncated at ", path.display());
            let log = server.error_log();
            let is_named = log.lines().any(|line| line.contains("[alert]") && line.contains(&said));
            assert!(is_named, "{dispatch}, {directives}: {log}");
        }
    }
}

/// An answer that is shorter than its head says.
fn assert_is_cut(mut client: Client, target: &str, len: usize) {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let part = client.response().expect("a part of a response");
    let is_right = part.body.len() <= len && old(len).starts_with(&part.body);
    assert!(part.ended_by_close && is_right, "{} bytes", part.body.len());
}

#[test]
fn a_stream_whose_file_is_cut_is_reset_and_the_others_go_on() {
    for directives in ["", "sendfile off;", "aio threads;"] {
        let server = server("exclusive", &format!("http2 on; {directives}"));
        server.file("large", old(300_000)).file("fast", "fast");
        let path = in_root(&server, "large");
        let mut client = H2::connect(server.addr());
        client.stop_behind_the_first_window(1, "/large");
        writable(&path).set_len(1_000).expect("truncate");
        client.go_on(1);
        let answer = client.answer(1);
        assert_eq!((answer.is_whole, answer.reset), (false, Some(INTERNAL_ERROR)), "{directives}");
        assert!(old(300_000).starts_with(&answer.body), "{directives}");
        assert_eq!(client.get(3, "/fast").text(), "fast", "{directives}: the connection goes on");
        let said = format!("pread() reported that \"{}\" was truncated at ", path.display());
        let log = server.error_log();
        assert!(log.lines().any(|line| line.contains("[alert]") && line.contains(&said)), "{directives}: {log}");
    }
}

/// Also where so few bytes are asked for that they leave with the head.
#[test]
fn a_part_that_a_file_has_not_got_any_more_ends_the_connection() {
    let server = server("exclusive", "");
    server.file("large", old(300_000));
    let mut client = server.connect();
    assert_eq!(client.get("/lasting/large").body.len(), 300_000);
    let path = in_root(&server, "large");
    writable(&path).set_len(100_000).expect("truncate");
    client.send("GET /lasting/large HTTP/1.1\r\nHost: localhost\r\nRange: bytes=200000-200009\r\n\r\n");
    assert_eq!(client.response().map(|response| response.body.len()).unwrap_or_default(), 0);
    let said = format!("pread() reported that \"{}\" was truncated at 200000", path.display());
    assert!(server.error_log().contains(&said), "{}", server.error_log());
}

/// Stores texts into a file through a mapping that stays: the kernel changes the file's times at the first store at
/// most.
const STORES: &str = "
import mmap, sys
file = open(sys.argv[1], 'r+b')
memory = mmap.mmap(file.fileno(), 0)
for line in sys.stdin:
    text = line.strip().encode()
    memory[0:len(text)] = text
    print('stored', flush=True)
";

struct Mapping {
    python: Child,
    answers: BufReader<ChildStdout>,
}

impl Mapping {
    fn of(path: &Path) -> Mapping {
        let mut command = Command::new(tools::find("python3"));
        command.args(["-c", STORES]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = command.spawn().expect("start python3");
        let answers = BufReader::new(python.stdout.take().expect("its output"));
        Mapping { python, answers }
    }

    fn store(&mut self, text: &str) {
        writeln!(self.python.stdin.as_mut().expect("its input"), "{text}").expect("ask for a store");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("an answer");
        assert_eq!(answer, "stored\n");
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        drop(self.python.stdin.take());
        let _ = self.python.wait();
    }
}

#[test]
fn a_store_through_a_mapping_shows_though_no_time_changes() {
    let memory = tempfile::tempdir_in("/dev/shm").expect("a directory on tmpfs");
    fs::set_permissions(memory.path(), Permissions::from_mode(0o755)).expect("chmod");
    for dispatch in DRIVERS {
        let directives = format!(
            "location /memory/ {{ alias {0}/; }}
             location /memory-threads/ {{ alias {0}/; aio threads; }}
             location /memory-short/ {{ alias {0}/; open_file_cache max=9; open_file_cache_valid 1s; }}",
            memory.path().display()
        );
        let server = server(dispatch, &directives);
        let mut client = server.connect();
        for (dir, places) in [
            (memory.path().to_owned(), ["/memory", "/memory-threads", "/memory-short"]),
            (in_root(&server, ""), ["", "/threads", "/short"]),
        ] {
            let (small, large) = (dir.join("small"), dir.join("large"));
            fs::write(&small, "one").expect("write");
            fs::write(&large, old(300_000)).expect("write");
            let (mut in_small, mut in_large) = (Mapping::of(&small), Mapping::of(&large));
            in_small.store("one");
            settle();
            for place in places {
                assert_eq!(client.get(&format!("{place}/small")).text(), "one", "{dispatch}");
            }
            let modified = || fs::metadata(&small).and_then(|found| found.modified()).expect("its time");
            let before = modified();
            in_small.store("two");
            assert!(dir != memory.path() || modified() == before, "a store changes the time: this tests nothing");
            for place in places {
                until_true("it shows", || client.get(&format!("{place}/small")).text() == "two");
                let text = format!("to {place} by {dispatch}");
                in_large.store(&text);
                assert!(client.get(&format!("{place}/large")).body.starts_with(text.as_bytes()), "{text}");
            }
        }
    }
}

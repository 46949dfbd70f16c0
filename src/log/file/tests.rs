use super::*;
use std::fs;

#[test]
fn a_path_is_opened_once_and_lines_are_appended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    fs::write(&path, "old\n").unwrap();
    let files = Files::default();
    let (a, b) = (files.open(&path, Contents::Lines).unwrap(), files.open(&path, Contents::Lines).unwrap());
    assert!(Arc::ptr_eq(&a, &b));
    a.write(b"one\n").unwrap();
    b.write(b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old\none\ntwo\n");
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    let files = Files::default();
    let log = files.open(&path, Contents::Lines).unwrap();
    fs::rename(&path, dir.path().join("x.log.1")).unwrap();
    log.write(b"before\n").unwrap();
    assert!(files.reopen(None).is_empty());
    log.write(b"after\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
    assert_eq!(fs::read_to_string(dir.path().join("x.log.1")).unwrap(), "before\n");
}

#[test]
fn a_path_that_can_not_be_reopened_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let sub = dir.path().join("sub");
    fs::create_dir(&sub).unwrap();
    let files = Files::default();
    let log = files.open(&sub.join("x.log"), Contents::Lines).unwrap();
    let moved = dir.path().join("moved");
    fs::rename(&sub, &moved).unwrap();
    let failed = files.reopen(None);
    assert_eq!(failed.len(), 1);
    assert!(failed[0].to_string().ends_with("failed (2: No such file or directory)"), "{}", failed[0]);
    log.write(b"still\n").unwrap();
    assert_eq!(fs::read_to_string(moved.join("x.log")).unwrap(), "still\n");
}

#[test]
fn a_full_device_is_an_error_and_nothing_more() {
    let log = LogFile::open(Path::new("/dev/full"), Contents::Lines, Missing::Make).unwrap();
    assert_eq!(log.write(b"x\n").unwrap_err().raw_os_error(), Some(nix::errno::Errno::ENOSPC as i32));
}

#[test]
fn a_line_that_an_earlier_run_has_begun_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    fs::write(&path, "half").unwrap();
    let log = LogFile::open(&path, Contents::Lines, Missing::Make).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "half", "opening writes nothing");
    log.write(b"whole\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "half\nwhole\n");
    let rotated = dir.path().join("x.log.1");
    fs::write(&path, "half").unwrap();
    log.keep_rest(b" of it\n");
    fs::rename(&path, &rotated).unwrap();
    log.reopen(None).unwrap();
    log.write(b"next\n").unwrap();
    assert_eq!(
        (fs::read_to_string(&rotated).unwrap(), fs::read_to_string(&path).unwrap()),
        ("half of it\n".into(), "next\n".into())
    );
}

#[test]
fn nothing_comes_between_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.gz");
    for piece in [b"one", b"two"] {
        assert!(LogFile::open(&path, Contents::Pieces, Missing::Make).unwrap().write_piece(piece).unwrap());
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "onetwo");
}

#[test]
fn the_workers_user_gets_the_reopened_file() {
    if !crate::os::users::is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    let log = LogFile::open(&path, Contents::Lines, Missing::Make).unwrap();
    log.reopen(Some(&Credentials { name: "daemon".into(), uid: 1, gid: 1 })).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().uid(), 1);
}

#[test]
fn a_fifo_is_given_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
    let before = fs::metadata(&path).unwrap();
    let log = LogFile::open(&path, Contents::Lines, Missing::Make).unwrap();
    // Without root's powers the attempt would be an error.
    log.reopen(Some(&Credentials { name: "daemon".into(), uid: before.uid() + 1, gid: 1 })).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().uid(), before.uid());
}

#[test]
fn a_file_behind_a_link_of_another_user_is_not_given_away() {
    if !crate::os::users::is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("precious"), dir.path().join("x.log"));
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(1), None).unwrap();
    let (log, owner) = (
        LogFile::open(&link, Contents::Lines, Missing::Make).unwrap(),
        Credentials { name: "daemon".into(), uid: 1, gid: 1 },
    );
    log.reopen(Some(&owner)).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().uid(), 0);
    std::os::unix::fs::lchown(&link, Some(0), None).unwrap();
    log.reopen(Some(&owner)).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().uid(), 1);
}

/// Three lines of 2000 bytes at a time, until the pipe is full: no line is cut, and nothing waits.
#[test]
fn a_reader_that_stops_gets_whole_lines_and_is_not_waited_for() {
    use std::io::Read;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
    let log = LogFile::open(&path, Contents::Lines, Missing::Make).unwrap();
    let lines = format!("{}\n", "x".repeat(1999)).repeat(3);
    let mut taken = 0;
    for _ in 0..1000 {
        let n = log.write(lines.as_bytes()).unwrap();
        taken += n;
        assert_eq!(n % 2000, 0);
    }
    assert!(taken > 0 && taken < 1000 * lines.len());
    let mut got = vec![0; taken];
    reader.read_exact(&mut got).unwrap();
    assert!(got.split_inclusive(|byte| *byte == b'\n').all(|line| line.len() == 2000));
    assert_eq!(log.write(lines.as_bytes()).unwrap(), lines.len(), "it goes on when there is room");
}

/// A line longer than what a pipe takes at once, and other lines behind it.
#[test]
fn a_line_that_is_cut_is_written_to_its_end_before_the_next() {
    use std::io::Read;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
    let log = LogFile::open(&path, Contents::Lines, Missing::Make).unwrap();
    let [long, short] = [("x", 50_000), ("y", 10)].map(|(byte, count)| format!("{}\n", byte.repeat(count)));
    let (mut expected, mut got) = (String::new(), Vec::new());
    while !log.state.has_rest() {
        assert_eq!(log.write(long.as_bytes()).unwrap(), long.len(), "all of it is taken");
        expected += &long;
    }
    assert_eq!(log.write(short.as_bytes()).unwrap(), 0, "nothing comes in between");
    assert!(reader.read_to_end(&mut got).is_err(), "the pipe is empty");
    assert_eq!(log.write(short.as_bytes()).unwrap(), short.len());
    assert!(reader.read_to_end(&mut got).is_err(), "the pipe is empty");
    assert!(got == (expected + &short).as_bytes());
}

#[test]
fn pieces_end_with_a_line() {
    assert_eq!(lines_up_to(8, b"ab\ncd\nefgh\n"), b"ab\ncd\n");
    assert_eq!(lines_up_to(2, b"abcd\nef\n"), b"abcd\n");
    assert_eq!(lines_up_to(99, b"ab\n"), b"ab\n");
}

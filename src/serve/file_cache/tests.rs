use super::*;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

const FAR_FUTURE: u64 = 1 << 50;

fn write(path: &Path, text: &str, age_s: u64) {
    fs::write(path, text).unwrap();
    let mtime = SystemTime::now() - Duration::from_secs(age_s);
    File::options().write(true).open(path).unwrap().set_modified(mtime).unwrap();
}

#[test]
fn a_replaced_file_is_seen_in_the_next_turn_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let name = path.as_os_str().as_bytes();
    write(&path, "one", 100);
    let mut cache = FileCache::new(true);
    assert_eq!(cache.get(name, 1, FAR_FUTURE).unwrap().body().unwrap(), b"one");
    let other = dir.path().join("b");
    write(&other, "two", 100);
    fs::rename(&other, &path).unwrap();
    assert_eq!(cache.get(name, 1, FAR_FUTURE).unwrap().body().unwrap(), b"one");
    assert_eq!(cache.get(name, 2, FAR_FUTURE).unwrap().body().unwrap(), b"two");
    fs::remove_file(&path).unwrap();
    assert_eq!(cache.get(name, 3, FAR_FUTURE).unwrap_err(), libc::ENOENT);
    assert_eq!(cache.bytes, 0);
}

#[test]
fn look_ups_are_counted_by_their_result() {
    // Tmpfs tells what is in memory; overlayfs, where a container has its temporary files, does not.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = dir.path().join("a");
    let name = path.as_os_str().as_bytes();
    let mut cache = FileCache::new(true);
    let counted = |cache: &mut FileCache| {
        let Lookups { hits, misses } = cache.take_lookups();
        (hits, misses)
    };
    assert!(cache.get(name, 1, FAR_FUTURE).is_err());
    assert_eq!(counted(&mut cache), (0, 1), "there is no such file");
    write(&path, "one", 100);
    for _ in 0..3 {
        assert!(cache.get(name, 2, FAR_FUTURE).is_ok());
    }
    assert_eq!(counted(&mut cache), (2, 1));
    assert!(
        cache.get(name, 3, FAR_FUTURE).is_ok() && cache.get_by(name, Links::Refuse { from: 0 }, 4, FAR_FUTURE).is_ok()
    );
    assert_eq!(counted(&mut cache), (2, 0));
    // A thread finds the same file, another one, and none.
    let by_thread = |cache: &mut FileCache| {
        let found = cache.look(name, Links::Follow, false, FAR_FUTURE).run();
        cache.note(name, &found, 5, FAR_FUTURE);
        counted(cache)
    };
    assert_eq!(by_thread(&mut cache), (0, 1), "who opened it did not look for its file system");
    assert_eq!(by_thread(&mut cache), (1, 0));
    assert!(cache.get_now(name, false, 6, FAR_FUTURE).is_ok());
    write(&path, "other", 50);
    assert!(cache.get_now(name, false, 7, FAR_FUTURE).is_ok());
    assert_eq!(counted(&mut cache), (1, 1));
    fs::remove_file(&path).unwrap();
    assert_eq!(by_thread(&mut cache), (0, 1));
    assert!(cache.get(name, 8, FAR_FUTURE).is_err());
    assert_eq!(counted(&mut cache), (0, 1));
}

#[test]
fn a_fresh_file_is_not_kept_in_memory_until_it_has_settled() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    write(&path, "one", 0);
    let name = path.as_os_str().as_bytes();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let mut cache = FileCache::new(true);
    assert!(cache.get(name, 1, now).unwrap().body().is_none());
    assert!(cache.get(name, 2, now + 10_000).unwrap().body().is_some());
}

#[test]
fn contents_are_read_anew_after_a_while_whatever_the_times_say() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let name = path.as_os_str().as_bytes();
    write(&path, "one", 100);
    let mut cache = FileCache::new(true);
    let first = cache.get(name, 1, FAR_FUTURE).unwrap();
    let kept = cache.get(name, 2, FAR_FUTURE + TRUST_MS - 1).unwrap();
    assert!(Arc::ptr_eq(&first, &kept));
    let anew = cache.get(name, 3, FAR_FUTURE + TRUST_MS).unwrap();
    assert!(!Arc::ptr_eq(&first, &anew) && anew.body().unwrap() == b"one");
    let now = cache.get(name, 4, FAR_FUTURE + TRUST_MS).unwrap();
    assert!(Arc::ptr_eq(&anew, &now));
    assert!(!Arc::ptr_eq(&now, &cache.get(name, 5, FAR_FUTURE).unwrap()), "the clock was set back");
    assert_eq!(cache.bytes, 3);
}

#[test]
fn files_that_are_kept_open_are_closed_the_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut cache = FileCache::new(true);
    let names: Vec<Vec<u8>> = (0..6)
        .map(|i| {
            let path = dir.path().join(i.to_string());
            fs::write(&path, vec![0; if i < 4 { MAX_BODY as usize + 1 } else { 10 }]).unwrap();
            let name = path.as_os_str().as_bytes().to_vec();
            cache.get(&name, 1, FAR_FUTURE).unwrap();
            name
        })
        .collect();
    cache.get(&names[0], 1, FAR_FUTURE).unwrap();
    cache.close_oldest(|held| held / 2);
    let kept = |cache: &FileCache| names.iter().map(|name| cache.entries.contains(&name[..])).collect::<Vec<_>>();
    assert_eq!(kept(&cache), [true, false, false, true, true, true]);
    cache.close_files();
    assert_eq!(kept(&cache), [false, false, false, false, true, true], "what is in memory stays");
    assert_eq!(cache.bytes, 20);
}

#[test]
fn a_file_that_nobody_asks_for_is_closed_within_two_sweeps() {
    let dir = tempfile::tempdir().unwrap();
    let mut cache = FileCache::new(true);
    let [asked, idle] = ["asked", "idle"].map(|name| {
        let path = dir.path().join(name);
        fs::write(&path, vec![0; MAX_BODY as usize + 1]).unwrap();
        path.as_os_str().as_bytes().to_vec()
    });
    for name in [&asked, &idle] {
        cache.get(name, 1, FAR_FUTURE).unwrap();
    }
    cache.close_idle(1, 0);
    assert_eq!(cache.next_sweep_ms(), Some(SWEEP_MS));
    cache.close_idle(2, SWEEP_MS);
    assert_eq!(cache.held, 2, "they were asked for since the cache was made");
    cache.get(&asked, 3, FAR_FUTURE).unwrap();
    cache.close_idle(3, 2 * SWEEP_MS - 1);
    assert_eq!(cache.held, 2);
    cache.close_idle(4, 2 * SWEEP_MS);
    assert_eq!((cache.entries.contains(&asked[..]), cache.entries.contains(&idle[..])), (true, false));
    cache.close_idle(5, 3 * SWEEP_MS);
    assert_eq!((cache.held, cache.next_sweep_ms()), (0, None), "nothing is left to wake for");
}

#[test]
fn the_bytes_kept_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let text = "x".repeat(MAX_BODY_READ as usize);
    let mut cache = FileCache::new(false);
    for i in 0..300 {
        let path = dir.path().join(i.to_string());
        fs::write(&path, &text).unwrap();
        cache.get(path.as_os_str().as_bytes(), 1, FAR_FUTURE).unwrap();
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(cache.bytes, MAX_BYTES);
    assert_eq!(cache.entries.len(), 256);
}

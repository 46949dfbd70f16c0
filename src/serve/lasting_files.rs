//! Files as `open_file_cache` keeps them: what has been found at a path is taken for true for a while
//! (`ngx_open_file_cache.c`).

use crate::http::exchange::{Cache, Caching, FileRules};
use crate::os::Links;
use crate::serve::file_cache::{FileCache, LATER, OpenedFile};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The caches of a worker, or of one of its threads: one for each `open_file_cache` of the conf.
#[derive(Debug, Default)]
pub(crate) struct LastingFiles {
    caches: Vec<Lasting>,
}

#[derive(Debug)]
struct Lasting {
    cache: Cache,
    entries: LruCache<Box<[u8]>, Kept, foldhash::fast::RandomState>,
}

/// The result of a look-up.
#[derive(Debug)]
struct Kept {
    result: Result<Arc<OpenedFile>, i32>,
    /// The rule by which it was found.
    links: Links,
    found_ms: u64,
    asked_ms: u64,
    uses: u64,
}

impl Kept {
    fn holds(&self) -> bool {
        self.result.as_ref().is_ok_and(|file| file.file().is_some())
    }

    /// Whether the result may be used once more. A file that has not been asked for often enough is not kept open.
    fn is_valid(&self, rules: &FileRules, caching: &Caching, now_ms: u64) -> bool {
        let is_file = self.result.as_ref().is_ok_and(|file| !file.is_dir());
        self.links == rules.links
            && now_ms.saturating_sub(self.found_ms) < caching.valid_ms
            && (!is_file || self.uses >= caching.min_uses)
    }
}

impl LastingFiles {
    /// The file that is at the path, or was there not long ago, or the `errno` of opening it. `open` finds out.
    /// `now_ms`: of the loop's clock.
    pub(crate) fn get(
        &mut self,
        files: &mut FileCache,
        path: &[u8],
        rules: &FileRules,
        now_ms: u64,
        open: impl Fn(&mut FileCache) -> Result<Arc<OpenedFile>, i32>,
    ) -> Result<Arc<OpenedFile>, i32> {
        let Some(caching) = &rules.caching else { return self.open(files, open) };
        let number = self.number(caching.cache);
        if let Some(kept) = self.caches[number].entries.get_mut(path) {
            let is_valid = kept.is_valid(rules, caching, now_ms);
            (kept.uses, kept.asked_ms) = (kept.uses + 1, now_ms);
            if is_valid {
                files.count_hit();
                return kept.result.clone();
            }
        }
        let result = self.open(files, open);
        if let Err(LATER) = result {
            // The same request comes back with the result of a thread.
            self.caches[number].entries.get_mut(path).into_iter().for_each(|kept| kept.uses -= 1);
            return result;
        }
        let has_room = result.as_ref().is_ok_and(|file| file.file().is_none()) || files.ensure_room();
        let entries = &mut self.caches[number].entries;
        if result.is_err() && !caching.errors || !has_room {
            entries.pop(path);
            return result;
        }
        let uses = entries.peek(path).map_or(1, |kept| kept.uses);
        let kept = Kept { result: result.clone(), links: rules.links, found_ms: now_ms, asked_ms: now_ms, uses };
        entries.push(path.into(), kept);
        result
    }

    /// Opens a file; where no descriptor is left, in the place of those that are kept.
    fn open(
        &mut self,
        files: &mut FileCache,
        open: impl Fn(&mut FileCache) -> Result<Arc<OpenedFile>, i32>,
    ) -> Result<Arc<OpenedFile>, i32> {
        match open(files) {
            Err(libc::EMFILE | libc::ENFILE) if self.close_files() > 0 => open(files),
            result => result,
        }
    }

    fn number(&mut self, cache: Cache) -> usize {
        if let Some(number) = self.caches.iter().position(|known| known.cache == cache) {
            return number;
        }
        let max = NonZeroUsize::new(usize::try_from(cache.max).unwrap_or(usize::MAX)).unwrap_or(NonZeroUsize::MIN);
        // The table grows with its entries.
        let mut entries = LruCache::unbounded_with_hasher(foldhash::fast::RandomState::default());
        entries.resize(max);
        self.caches.push(Lasting { cache, entries });
        self.caches.len() - 1
    }

    /// Forgets the paths that nobody has asked for in a while. To be called at the end of a turn.
    pub(crate) fn forget_inactive(&mut self, now_ms: u64) {
        for Lasting { cache, entries } in &mut self.caches {
            while entries.peek_lru().is_some_and(|(_, kept)| kept.asked_ms + cache.inactive_ms < now_ms) {
                entries.pop_lru();
            }
        }
    }

    /// When `forget_inactive` has something to do, ms of the loop's clock.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        let oldest = |Lasting { cache, entries }: &Lasting| {
            entries.peek_lru().map(|(_, kept)| kept.asked_ms.saturating_add(cache.inactive_ms).saturating_add(1))
        };
        self.caches.iter().filter_map(oldest).min()
    }

    /// Forgets the paths whose files are kept open. Returns their number.
    pub(crate) fn close_files(&mut self) -> usize {
        let mut count = 0;
        for Lasting { entries, .. } in &mut self.caches {
            let held: Vec<_> = entries.iter().filter(|(_, kept)| kept.holds()).map(|(path, _)| path.clone()).collect();
            held.iter().for_each(|path| _ = entries.pop(path));
            count += held.len();
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    const FAR_FUTURE: u64 = 1 << 50;

    /// A cache, and a count of the turns: in each, the file system is asked anew.
    struct Test {
        lasting: LastingFiles,
        files: FileCache,
        caching: Caching,
        turn: u64,
        links: Links,
    }

    fn test(max: u64) -> Test {
        let cache = Cache { id: 0, max, inactive_ms: 1_000 };
        let caching = Caching { cache, valid_ms: 60_000, min_uses: 1, errors: false };
        Test { lasting: LastingFiles::default(), files: FileCache::new(true), caching, turn: 0, links: Links::Follow }
    }

    impl Test {
        fn get(&mut self, path: &Path, now_ms: u64) -> Result<String, i32> {
            self.turn += 1;
            let (path, turn) = (path.as_os_str().as_bytes(), self.turn);
            let rules = FileRules { links: self.links, caching: Some(self.caching), pool: None };
            let open = |files: &mut FileCache| files.get_by(path, rules.links, turn, FAR_FUTURE);
            let file = self.lasting.get(&mut self.files, path, &rules, now_ms, open)?;
            Ok(String::from_utf8(file.contents()?).unwrap())
        }
    }

    fn replace(path: &Path, text: &str) {
        let other = path.with_extension("new");
        fs::write(&other, text).unwrap();
        fs::rename(&other, path).unwrap();
    }

    #[test]
    fn a_replaced_file_is_as_it_was_until_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, "one");
        let mut test = test(10);
        assert_eq!(test.get(&path, 0).unwrap(), "one");
        replace(&path, "two");
        assert_eq!(test.get(&path, 59_999).unwrap(), "one");
        assert_eq!(test.get(&path, 60_000).unwrap(), "two");
        fs::remove_file(&path).unwrap();
        assert_eq!(test.get(&path, 60_001).unwrap(), "two");
        assert_eq!(test.get(&path, 120_000).unwrap_err(), libc::ENOENT);
        replace(&path, "three");
        assert_eq!(test.get(&path, 120_001).unwrap(), "three", "failures are not kept");
    }

    #[test]
    fn failures_are_kept_where_the_conf_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut test = test(10);
        test.caching.errors = true;
        assert_eq!(test.get(&path, 0).unwrap_err(), libc::ENOENT);
        replace(&path, "one");
        assert_eq!(test.get(&path, 59_999).unwrap_err(), libc::ENOENT);
        assert_eq!(test.get(&path, 60_000).unwrap(), "one");
    }

    #[test]
    fn a_file_is_kept_from_its_least_number_of_uses_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut test = test(10);
        test.caching.min_uses = 3;
        for text in ["one", "two", "three"] {
            replace(&path, text);
            assert_eq!(test.get(&path, 0).unwrap(), text);
        }
        replace(&path, "four");
        assert_eq!(test.get(&path, 0).unwrap(), "three");
    }

    #[test]
    fn paths_that_nobody_asks_for_are_forgotten_and_there_are_no_more_than_the_conf_allows() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        let mut test = test(2);
        for path in [&a, &b, &c] {
            replace(path, "old");
            test.get(path, 0).unwrap();
            replace(path, "new");
        }
        assert_eq!([&c, &b, &a].map(|path| test.get(path, 500).unwrap()), ["old", "old", "new"]);
        // `a` has taken the place of `c`.
        test.lasting.forget_inactive(1_500);
        assert_eq!(test.get(&b, 1_500).unwrap(), "old");
        assert_eq!(test.lasting.next_ms(), Some(1_501));
        test.lasting.forget_inactive(2_501);
        assert_eq!(test.lasting.next_ms(), None);
        assert_eq!(test.get(&b, 2_501).unwrap(), "new");
    }

    #[test]
    fn another_rule_for_links_looks_anew_and_files_are_closed_for_others() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a"), dir.path().join("link"));
        fs::write(&path, vec![b'x'; 100_000]).unwrap();
        std::os::unix::fs::symlink("a", &link).unwrap();
        let mut test = test(10);
        assert_eq!(test.get(&link, 0).unwrap().len(), 100_000);
        test.links = Links::Refuse { from: 0 };
        assert_eq!(test.get(&link, 0).unwrap_err(), libc::ELOOP);
        assert_eq!(test.get(&path, 0).unwrap().len(), 100_000);
        assert_eq!(test.lasting.close_files(), 1);
        assert_eq!(test.lasting.close_files(), 0);
    }
}

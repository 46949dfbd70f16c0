//! The document roots, and files in them that change: each change is a new version of a file, and a version can be
//! told from its text.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::site::CONTENT;
use crate::support::tls::{Authority, Pair};

/// A file is changed so often.
const CHANGES_EVERY: Duration = Duration::from_millis(150);
/// Bytes of a line of a version's text.
const LINE: u64 = 32;

/// Two document roots with the same files but for `which`, and a certificate for each.
pub struct Content {
    pub authority: Authority,
    pub large: Vec<u8>,
    pub page: String,
    pub files: Arc<Files>,
    pub pairs: [Pair; 2],
    dir: TempDir,
    writer: Option<JoinHandle<()>>,
}

/// The files that change.
pub struct Files {
    dir: PathBuf,
    stop: AtomicBool,
    versions: Mutex<BTreeMap<&'static str, Version>>,
}

/// The versions of a file that an answer may have: from the one that was whole to the one that was begun.
#[derive(Clone, Copy, Debug, Default)]
pub struct Version {
    pub whole: u64,
    pub begun: u64,
}

/// A way to change a file.
type Change = fn(&Files, name: &str, text: &str);
const CHANGES: [(&str, Change); 4] = [
    ("renamed", Files::rename),
    ("long", Files::rename),
    ("rewritten", Files::rewrite),
    ("coming", Files::come_and_go),
];

impl Content {
    pub fn new() -> Content {
        let dir = tempfile::Builder::new().prefix(CONTENT).tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let authority = Authority::new("the authority of the soak");
        let pairs = [authority.sign(&["localhost"]), authority.sign(&["localhost"])];
        let large: Vec<u8> = (0..1 << 20).map(|n: usize| (n * 31 % 251) as u8).collect();
        let page = "A page that gzip makes smaller.\n".repeat(200);
        let live = dir.path().join("live");
        fs::create_dir(&live).expect("mkdir");
        for (root, pair) in ["a", "b"].into_iter().zip(&pairs) {
            pair.write_to(dir.path(), root);
            let at = dir.path().join(root);
            fs::create_dir(&at).expect("mkdir");
            fs::write(at.join("which"), root).expect("write a file");
            fs::write(at.join("large"), &large).expect("write a file");
            fs::write(at.join("small"), "small").expect("write a file");
            fs::write(at.join("page.html"), &page).expect("write a file");
            symlink(&live, at.join("live")).expect("symlink");
        }
        let files = Arc::new(Files { dir: live, stop: AtomicBool::new(false), versions: Mutex::default() });
        for (name, _) in CHANGES {
            files.change(name, Files::rename);
        }
        let changing = files.clone();
        let writer = Some(thread::spawn(move || changing.change_all()));
        Content { authority, large, page, files, pairs, dir, writer }
    }

    /// The directory of the roots `a` and `b`, and of the certificates.
    pub fn dir(&self) -> std::path::Display<'_> {
        self.dir.path().display()
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.files.stop.store(true, SeqCst);
        let _ = self.writer.take().map(JoinHandle::join);
    }
}

impl Files {
    /// The versions of a file as they are now.
    pub fn version(&self, name: &str) -> Version {
        self.versions.lock().expect("versions")[name]
    }

    /// The text of a version, whose length is that of few others.
    pub fn text(name: &str, version: u64) -> String {
        let lines = match name {
            "long" => 8000 + version % 97,
            _ => 1 + version % 97,
        };
        let line = format!("{:width$}\n", format!("{name} {version}"), width = LINE as usize - 1);
        line.repeat(lines as usize)
    }

    /// The version whose whole text this is.
    pub fn version_of(name: &str, text: &[u8]) -> Option<u64> {
        let line = text.split(|byte| *byte == b'\n').next()?;
        let version = str::from_utf8(line).ok()?.strip_prefix(name)?.trim().parse().ok()?;
        (Files::text(name, version).as_bytes() == text).then_some(version)
    }

    fn change_all(&self) {
        while !self.stop.load(SeqCst) {
            for (name, change) in CHANGES {
                self.change(name, change);
                thread::sleep(CHANGES_EVERY / CHANGES.len() as u32);
            }
        }
    }

    fn change(&self, name: &'static str, change: Change) {
        let update = |set: fn(&mut Version)| {
            let mut versions = self.versions.lock().expect("versions");
            let version = versions.entry(name).or_default();
            set(version);
            version.begun
        };
        let version = update(|version| version.begun += 1);
        change(self, name, &Files::text(name, version));
        update(|version| version.whole = version.begun);
    }

    /// Renames a new file over the old one.
    fn rename(&self, name: &str, text: &str) {
        let new = self.dir.join(format!("{name}.new"));
        fs::write(&new, text).expect("write a file");
        fs::rename(new, self.dir.join(name)).expect("rename");
    }

    /// Empties the file and writes it again.
    fn rewrite(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).expect("write a file");
    }

    /// Deletes the file, and makes it anew a while after.
    fn come_and_go(&self, name: &str, text: &str) {
        fs::remove_file(self.dir.join(name)).expect("remove a file");
        thread::sleep(CHANGES_EVERY / 8);
        self.rename(name, text);
    }
}

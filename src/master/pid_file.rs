//! The pid file: where `-s` finds the master (ngx_create_pidfile, ngx_delete_pidfile, ngx_signal_process).
//!
//! A master locks two bytes of its file. The lock of `OWNER` says that the name is taken; a master that begins to end
//! releases it, so that a successor need not wait for the last client. The lock of the byte whose number is the
//! master's id lasts until the master has ended, and says that this very process wrote the id: `-s` trusts nothing
//! else.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, eaccess};

use crate::log;
use crate::os::lock::{holder_of_byte, try_lock_byte, unlock_byte};
use crate::os::process::{self, Pid};
use crate::os::{ErrnoText, Failure, FileId};

/// The byte that the owner of the file's name has locked. No process has this id.
const OWNER: i64 = 0;

/// Bytes that are read; every id is shorter.
const LONGEST: usize = 64;

/// A pid file that this process has written.
#[derive(Debug)]
pub struct PidFile {
    /// The path now, without symbolic links.
    path: PathBuf,
    /// The path where the file was made.
    home: PathBuf,
    file: File,
}

impl PidFile {
    /// Writes this process's id. `None`: `path` is a device, such as /dev/null. Errors: a running master has the file,
    /// the file holds the id of another running process of this program, it holds something else, it is no regular
    /// file; and those of open(2). An error leaves no file that this process has made.
    pub fn create(path: &Path) -> Result<Option<PidFile>, Failure> {
        let failed = |e| Failure::on_path("open", path, e);
        // The check comes first, because opening a device may have an effect.
        if fs::metadata(path).is_ok_and(|meta| is_device(&meta)) {
            log::warn!("\"{}\" is a device: the master's process id is not kept there", path.display());
            return Ok(None);
        }
        loop {
            let file = open(path, OpenOptions::new().read(true).write(true).create(true)).map_err(failed)?;
            // A master that ended may have removed the file since it was opened.
            if let Some(real) = take(&file, path).inspect_err(|_| abandon(&file, path))? {
                return Ok(Some(PidFile { home: real.clone(), path: real, file }));
            }
        }
    }

    /// Whether `path`, in whatever spelling, leads to this file. Errors: those of stat(2), but for a path that leads
    /// nowhere.
    pub fn is_at(&self, path: &Path) -> io::Result<bool> {
        leads_to(path, &self.file)
    }

    /// Renames the file to `.oldbin`, for the time of a binary upgrade.
    pub fn rename_to_oldbin(&mut self) -> Result<(), Failure> {
        let mut name = self.home.as_os_str().to_owned();
        name.push(".oldbin");
        self.rename(name.into())
    }

    /// Gives the file its name back, after an upgrade that failed.
    pub fn rename_back(&mut self) -> Result<(), Failure> {
        let home = self.home.clone();
        if self.path == home { Ok(()) } else { self.rename(home) }
    }

    fn rename(&mut self, to: PathBuf) -> Result<(), Failure> {
        let failed = |e| Failure::new(format!("rename() \"{}\" to \"{}\"", self.path.display(), to.display()), e);
        if !self.is_at(&self.path).map_err(failed)? {
            return Err(failed(io::Error::other("something else is there, or nothing")));
        }
        match open(&to, OpenOptions::new().read(true)) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            found => found.and_then(|file| file_of(&file).and_then(|()| may_have(&file))).map_err(failed)?,
        }
        fs::rename(&self.path, &to).map_err(failed)?;
        self.path = to;
        Ok(())
    }

    /// Releases the name for a successor, since this master ends. Until another file has the name, `-s` finds this
    /// master.
    pub fn release_name(&self) {
        // A failure is harmless: the lock ends with the process.
        let _ = unlock_byte(&self.file, OWNER);
    }

    /// Removes the file, unless another master has taken it. Logs a failure.
    pub fn remove(self) {
        let removed = self.is_own().and_then(|is_own| if is_own { fs::remove_file(&self.path) } else { Ok(()) });
        if let Err(e) = removed {
            log::alert!("{}", Failure::on_path("unlink", &self.path, e));
        }
    }

    fn is_own(&self) -> io::Result<bool> {
        Ok(try_lock_byte(&self.file, OWNER).unwrap_or(true)
            && read(&self.file)? == Content::Pid(process::id())
            && self.is_at(&self.path)?)
    }
}

/// The contents of a regular file.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Pid(Pid),
    Other(String),
}

fn read(file: &File) -> io::Result<Content> {
    let mut bytes = [0; LONGEST];
    let len = file.read_at(&mut bytes, 0)?;
    let text = String::from_utf8_lossy(bytes.get(..len).unwrap_or_default());
    let text = text.trim_end_matches(['\r', '\n']);
    Ok(match text.parse::<Pid>() {
        _ if len == 0 => Content::Nothing,
        Ok(pid) if pid > 0 => Content::Pid(pid),
        _ => Content::Other(text.to_owned()),
    })
}

/// Opens the file. A FIFO must not hang the program, and a terminal must not become its controlling one.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(0o644).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path)
}

fn is_device(meta: &Metadata) -> bool {
    meta.file_type().is_char_device()
}

fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(meta) => Ok(FileId::from(&meta) == FileId::from(&file.metadata()?)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Takes the file at `path`, which has just been opened, and writes this process's id. Returns the path without
/// symbolic links; `None`: the file is not there any more.
fn take(file: &File, path: &Path) -> Result<Option<PathBuf>, Failure> {
    let failed = |e| Failure::on_path("open", path, e);
    file_of(file).and_then(|()| own(file)).map_err(failed)?;
    let real = match fs::canonicalize(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        real => real.map_err(failed)?,
    };
    if !leads_to(&real, file).map_err(failed)? {
        return Ok(None);
    }
    write(file).map_err(|e| Failure::on_path("write", path, e))?;
    Ok(Some(real))
}

/// Removes a file that could not be taken, if it is empty or has this process's id, and no other master has it. The
/// caller reports the error by which it was not taken.
fn abandon(file: &File, path: &Path) {
    let is_ours = |content| content == Content::Nothing || content == Content::Pid(process::id());
    if file_of(file).is_ok()
        && try_lock_byte(file, OWNER).unwrap_or(false)
        && read(file).is_ok_and(is_ours)
        && let Ok(real) = fs::canonicalize(path)
        && leads_to(&real, file).unwrap_or(false)
    {
        let _ = fs::remove_file(real);
    }
}

fn file_of(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() { Ok(()) } else { Err(io::Error::other("not a regular file")) }
}

/// Takes the name, unless another master has it.
fn own(file: &File) -> io::Result<()> {
    match try_lock_byte(file, OWNER) {
        Ok(true) => {}
        Ok(false) => return Err(taken(file)),
        Err(error) => log::warn!("the pid file can't be locked ({}): \"-s\" will not trust it", ErrnoText(&error)),
    }
    may_have(file)
}

fn taken(file: &File) -> io::Error {
    let text = match holder_of_byte(file, OWNER) {
        Ok(Some(pid)) if pid > 0 => format!("a running drover master has it: process {pid}"),
        _ => "a running drover master has it, in another pid namespace".to_owned(),
    };
    io::Error::new(ErrorKind::ResourceBusy, text)
}

/// Whether the file may be overwritten: it is empty, or holds the id of a process that has ended, of a master that is
/// about to end, or of another program.
fn may_have(file: &File) -> io::Result<()> {
    if holder_of_byte(file, OWNER).is_ok_and(|holder| holder.is_some()) {
        return Err(taken(file));
    }
    match read(file)? {
        Content::Nothing => Ok(()),
        Content::Other(_) => Err(io::Error::other("it holds something else than a process id")),
        Content::Pid(pid) if pid == process::id() || holder_of_byte(file, pid.into()).is_ok_and(|h| h.is_some()) => {
            Ok(())
        }
        // A file system without locks tells no more of a running master than its id.
        Content::Pid(pid) if wrote(pid, &file.metadata()?) && process::is_same_program(pid) => {
            let text = format!("it holds the id of a running process of this program: {pid}");
            Err(io::Error::new(ErrorKind::ResourceBusy, text))
        }
        Content::Pid(_) => Ok(()),
    }
}

/// Whether a process with this id is older than the file, and so may have written it: after a restart of the machine
/// the id belongs to another process.
fn wrote(pid: Pid, meta: &Metadata) -> bool {
    process::started(pid).zip(meta.modified().ok()).is_some_and(|(started, modified)| started <= modified)
}

fn write(file: &File) -> io::Result<()> {
    let pid = process::id();
    // `own` has warned of a file system without locks.
    let _ = try_lock_byte(file, pid.into());
    file.set_len(0)?;
    let mut file = file;
    writeln!(file, "{pid}")
}

/// Tells whether [`PidFile::create`] would succeed, and changes nothing: for `-t`, beside a master that runs.
pub fn check(path: &Path) -> Result<(), Failure> {
    let failed = |e| Failure::on_path("open", path, e);
    match fs::metadata(path) {
        Ok(meta) if is_device(&meta) => Ok(()),
        Ok(meta) if !meta.is_file() => Err(failed(io::Error::other("not a regular file"))),
        Ok(_) => {
            let file = open(path, OpenOptions::new().read(true).write(true)).map_err(failed)?;
            let content = read(&file).map_err(failed)?;
            let is_other = matches!(content, Content::Other(_));
            let other = || failed(io::Error::other("it holds something else than a process id"));
            if is_other { Err(other()) } else { Ok(()) }
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(Path::new("/"));
            eaccess(parent, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| failed(errno.into()))
        }
        Err(e) => Err(failed(e)),
    }
}

/// The end of nginx's sentence about a pid file that is not there.
const NOT_WRITTEN: &str = ": no running master has written it; a master that was started with another \"pid\" line is \
    reached by the id in that file (\"kill -HUP ID\" reloads it, and moves the file)";

/// The living master that wrote the file. Errors: nginx's sentence that there is none, or why the process that the file
/// names is not the master.
pub fn find(path: &Path) -> Result<Pid, String> {
    let failed = |e: io::Error| {
        let help = if e.kind() == ErrorKind::NotFound { NOT_WRITTEN } else { "" };
        format!("{}{help}", Failure::on_path("open", path, e))
    };
    let file = open(path, OpenOptions::new().read(true)).map_err(failed)?;
    file_of(&file).map_err(failed)?;
    let shown = path.display();
    let pid = match read(&file).map_err(failed)? {
        Content::Pid(pid) => pid,
        Content::Nothing => return Err(format!("invalid PID number \"\" in \"{shown}\"")),
        Content::Other(text) => return Err(format!("invalid PID number \"{text}\" in \"{shown}\"")),
    };
    match holder_of_byte(&file, pid.into()) {
        Ok(Some(holder)) if holder == pid => Ok(pid),
        Ok(Some(_)) => {
            Err(format!("the master that wrote \"{shown}\" is in another pid namespace: {pid} is its id there"))
        }
        Ok(None) if !process::is_alive(pid) => {
            Err(format!("no process has the id {pid} that is in \"{shown}\": the master has ended"))
        }
        Ok(None) => {
            let name = process::name_of(pid).unwrap_or_default();
            Err(format!(
                "process {pid} (\"{name}\"), which \"{shown}\" names, is not the master that wrote it: left alone"
            ))
        }
        Err(error) => Err(format!("whether process {pid} wrote \"{shown}\" can't be seen ({})", ErrnoText(&error))),
    }
}

/// The life of the service that writes a pid file, as anyone can see it who may read the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// A master serves, or begins to.
    Serving,
    /// The master ends: it accepts nothing new.
    Ending,
    /// No master lives. A few words say how that is known.
    Gone(&'static str),
    /// The file can't be read, or its file system has no locks.
    Unknown,
}

/// The life of the service that writes the file at `path`. While an upgrade is under way, the old master's file is
/// beside it.
pub fn life(path: &Path) -> Life {
    let mut oldbin = path.as_os_str().to_owned();
    oldbin.push(".oldbin");
    match life_by(path) {
        Life::Gone(why) => match life_by(Path::new(&oldbin)) {
            Life::Serving => Life::Serving,
            _ => Life::Gone(why),
        },
        other => other,
    }
}

fn life_by(path: &Path) -> Life {
    let file = match open(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Life::Gone("no pid file"),
        Err(_) => return Life::Unknown,
    };
    let Ok(Content::Pid(pid)) = read(&file) else { return Life::Unknown };
    match (holder_of_byte(&file, OWNER), holder_of_byte(&file, pid.into())) {
        (Ok(Some(_)), _) => Life::Serving,
        (Ok(None), Ok(Some(_))) => Life::Ending,
        (Ok(None), Ok(None)) => Life::Gone("no master"),
        _ => Life::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use std::os::unix::fs::symlink;

    fn holds(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_is_written_is_found_by_every_spelling_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("x.pid"), dir.path().join("link"));
        symlink("x.pid", &link).unwrap();
        // The id of a process that has ended: none is above the kernel's limit (2^22).
        fs::write(&path, "99999999\n").unwrap();
        let mut file = PidFile::create(&link).unwrap().unwrap();
        assert_eq!(holds(&path), format!("{}\n", process::id()));
        let is_at = |path: &Path| file.is_at(path).unwrap();
        assert!(is_at(&path) && is_at(&link) && !is_at(dir.path()) && !is_at(&path.join("x")));
        file.rename_to_oldbin().unwrap();
        assert!(dir.path().join("x.pid.oldbin").exists() && !path.exists());
        file.rename_back().unwrap();
        assert_eq!(holds(&path), format!("{}\n", process::id()));
        file.remove();
        assert!(!path.exists() && fs::symlink_metadata(&link).is_ok());
    }

    #[test]
    fn what_is_no_pid_file_of_a_dead_process_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        // A program of the same name, as another copy of this one would be.
        let twin = path(&process::name_of(process::id()).unwrap());
        fs::copy("/bin/sleep", &twin).unwrap();
        let mut sleep = std::process::Command::new(twin).arg("100").spawn().unwrap();
        let mut other = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        nix::unistd::mkfifo(&path("fifo"), Mode::S_IRWXU).unwrap();
        for (name, text) in [("text", "root:x:0:0\n"), ("zero", "0\n"), ("live", &format!("{}\n", sleep.id()))] {
            fs::write(path(name), text).unwrap();
            let error = PidFile::create(&path(name)).unwrap_err().to_string();
            assert!(error.contains("it holds "), "{error}");
            assert_eq!(holds(&path(name)), text);
        }
        assert!(PidFile::create(&path("fifo")).unwrap_err().to_string().contains("not a regular file"));
        assert!(check(&path("fifo")).is_err() && check(&path("text")).is_err());
        // The process lives, but began after the file was written: another one had its id.
        let live = File::options().write(true).open(path("live")).unwrap();
        live.set_modified(std::time::UNIX_EPOCH).unwrap();
        PidFile::create(&path("live")).unwrap().unwrap().remove();
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        // Another program does not keep a start from its file, as in nginx.
        fs::write(path("other"), format!("{}\n", other.id())).unwrap();
        PidFile::create(&path("other")).unwrap().unwrap().remove();
        other.kill().unwrap();
        other.wait().unwrap();
        symlink("/dev/null", path("null")).unwrap();
        assert!(PidFile::create(&path("null")).unwrap().is_none() && check(&path("null")).is_ok());
    }

    #[test]
    fn what_has_taken_the_file_s_place_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        let mut file = PidFile::create(&path).unwrap().unwrap();
        fs::write(dir.path().join("x.pid.oldbin"), "dear").unwrap();
        assert!(file.rename_to_oldbin().is_err());
        assert_eq!(holds(&dir.path().join("x.pid.oldbin")), "dear");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "12\n").unwrap();
        assert!(file.rename_to_oldbin().is_err());
        file.remove();
        assert_eq!(holds(&path), "12\n");
        let other = PidFile::create(&dir.path().join("y.pid")).unwrap().unwrap();
        fs::write(dir.path().join("y.pid"), "12\n").unwrap();
        other.remove();
        assert!(dir.path().join("y.pid").exists(), "the same file, with another's id");
    }

    #[test]
    fn a_check_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        check(&path).unwrap();
        assert!(!path.exists());
        fs::write(&path, "12\n").unwrap();
        check(&path).unwrap();
        assert_eq!(holds(&path), "12\n");
        let error = check(&dir.path().join("no/x.pid")).unwrap_err().to_string();
        assert!(error.ends_with("failed (2: No such file or directory)"), "{error}");
    }

    /// The locks of a process are no locks to itself: a child looks.
    fn seen_by_another(path: &Path) -> Life {
        let lives = [Life::Serving, Life::Ending, Life::Gone("no pid file"), Life::Gone("no master"), Life::Unknown];
        let pid = match process::fork().unwrap() {
            process::Fork::Child => {
                let seen = life(path);
                process::exit_now(lives.iter().position(|life| *life == seen).map_or(99, |at| at as i32))
            }
            process::Fork::Parent(pid) => pid,
        };
        match nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap() {
            nix::sys::wait::WaitStatus::Exited(_, code) => lives[code as usize].clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_locks_tell_a_master_that_serves_from_one_that_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        assert_eq!(seen_by_another(&path), Life::Gone("no pid file"));
        let mut file = PidFile::create(&path).unwrap().unwrap();
        assert_eq!(seen_by_another(&path), Life::Serving);
        file.rename_to_oldbin().unwrap();
        assert_eq!(seen_by_another(&path), Life::Serving, "an upgrade has begun");
        file.rename_back().unwrap();
        file.release_name();
        assert_eq!(seen_by_another(&path), Life::Ending);
        drop(file);
        assert_eq!(seen_by_another(&path), Life::Gone("no master"));
        fs::write(&path, "what\n").unwrap();
        assert_eq!(seen_by_another(&path), Life::Unknown);
    }

    #[test]
    fn nothing_is_found_but_a_living_master() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        for text in ["", "abc", "0", "-1", "1x", "99999999999999999999"] {
            fs::write(&path, text).unwrap();
            assert_eq!(find(&path).unwrap_err(), format!("invalid PID number \"{text}\" in \"{}\"", path.display()));
        }
        fs::write(&path, format!("{}\n", process::id())).unwrap();
        assert!(find(&path).unwrap_err().ends_with("is not the master that wrote it: left alone"));
        fs::write(&path, "99999999\n").unwrap();
        assert!(find(&path).unwrap_err().ends_with("the master has ended"));
        fs::remove_file(&path).unwrap();
        let missing = find(&path).unwrap_err();
        assert!(
            missing.starts_with("open() \"") && missing.contains("(2: No such file or directory): no running master")
        );
        assert!(missing.contains("kill -HUP ID"), "{missing}");
        assert!(find(Path::new("/dev/null")).unwrap_err().contains("not a regular file"));
    }
}

//! The pid file: where `-s` finds the master (ngx_create_pidfile, ngx_delete_pidfile, ngx_signal_process).

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::log;
use crate::os::Failure;
use crate::os::process::{self, Pid};

/// What the old master's file is called during a binary upgrade.
pub fn old_binary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".oldbin");
    name.into()
}

/// Writes this process's id.
pub fn create(path: &Path) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path);
    let mut file = file.map_err(|e| Failure::on_path("open", path, e))?;
    writeln!(file, "{}", process::id()).map_err(|e| Failure::on_path("write", path, e))
}

/// Finds out whether [`create`] would succeed, and leaves no new file behind: for `-t`, beside a master that runs.
pub fn check(path: &Path) -> Result<(), Failure> {
    let is_new = match OpenOptions::new().write(true).create_new(true).mode(0o644).open(path) {
        Ok(_) => true,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => false,
        Err(e) => return Err(Failure::on_path("open", path, e)),
    };
    let removed = if is_new { fs::remove_file(path) } else { OpenOptions::new().write(true).open(path).map(drop) };
    removed.map_err(|e| Failure::on_path("open", path, e))
}

/// Removes the file; a failure is logged.
pub fn remove(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        log::alert!("{}", Failure::on_path("unlink", path, e));
    }
}

/// The id in the file, or nginx's sentence about why there is none.
pub fn read(path: &Path) -> Result<Pid, String> {
    let text = fs::read(path).map_err(|e| Failure::on_path("open", path, e).to_string())?;
    let text = String::from_utf8_lossy(&text);
    let text = text.trim_end_matches(['\r', '\n']);
    match text.parse::<Pid>() {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(format!("invalid PID number \"{text}\" in \"{}\"", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        fs::write(&path, "99999999 and much more").unwrap();
        create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
        assert_eq!(read(&path).unwrap(), process::id());
        assert_eq!(old_binary(&path), dir.path().join("x.pid.oldbin"));
    }

    #[test]
    fn a_check_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        check(&path).unwrap();
        assert!(!path.exists());
        fs::write(&path, "12\n").unwrap();
        check(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "12\n");
        let error = check(&dir.path().join("no/x.pid")).unwrap_err().to_string();
        assert!(error.ends_with("failed (2: No such file or directory)"), "{error}");
    }

    #[test]
    fn rubbish_is_refused_in_nginx_s_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        for text in ["", "abc", "0", "-1", "1x", "99999999999999999999"] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap_err(), format!("invalid PID number \"{text}\" in \"{}\"", path.display()));
        }
        fs::remove_file(&path).unwrap();
        assert!(read(&path).unwrap_err().starts_with("open() \""));
    }
}

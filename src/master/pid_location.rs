//! The location of the pid file: the `pid` directive's, or a default that no other conf has.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use nix::unistd::geteuid;

use super::pid_file::{self, Life, PidFile};
use super::settings::PidPath;
use crate::log;
use crate::os::Failure;

/// The location where a master keeps its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PidLocation {
    /// Nowhere.
    #[default]
    Off,
    /// The path in the conf. A file that can't be written is an error.
    Said(PathBuf),
    /// The first of these paths that can be written; a service that can write none of them serves all the same.
    Default(Vec<PathBuf>),
}

impl PidLocation {
    /// The location by the directive's value, `said`, and the path of the conf; `None`: the conf is built in.
    pub fn new(said: &PidPath, conf: Option<&Path>) -> PidLocation {
        match (said, conf) {
            (PidPath::File(path), _) => PidLocation::Said(path.clone()),
            (PidPath::Default, Some(conf)) => PidLocation::Default(default_paths(conf)),
            (PidPath::Off, _) | (PidPath::Default, None) => PidLocation::Off,
        }
    }

    /// Writes the file; `None`: there is none. Errors: those of [`PidFile::create`]; for a default location, only that
    /// a running master has the file.
    pub fn create(&self) -> Result<Option<PidFile>, Failure> {
        let paths = match self {
            PidLocation::Off => return Ok(None),
            PidLocation::Said(path) => return PidFile::create(path),
            PidLocation::Default(paths) => paths,
        };
        let mut failures = Vec::new();
        for path in paths {
            match make_private_directory(path).and_then(|()| PidFile::create(path)) {
                Err(failure) if failure.error.kind() != ErrorKind::ResourceBusy => failures.push(failure.to_string()),
                created => return created,
            }
        }
        log::warn!(
            "no pid file: {}; \"-s\" will not find this master, until \"pid\" names a file",
            failures.join(", ")
        );
        Ok(None)
    }

    /// Whether `file` is at this location. Errors: those of stat(2), but for a path that leads nowhere.
    pub fn is_at(&self, file: &PidFile) -> Result<bool, Failure> {
        let paths = match self {
            PidLocation::Off => &[][..],
            PidLocation::Said(path) => std::slice::from_ref(path),
            PidLocation::Default(paths) => paths,
        };
        for path in paths {
            if file.is_at(path).map_err(|e| Failure::on_path("stat", path, e))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether [`PidLocation::create`] would fail, and changes nothing.
    pub fn check(&self) -> Result<(), Failure> {
        if let PidLocation::Said(path) = self { pid_file::check(path) } else { Ok(()) }
    }

    /// The life of the service whose file is at this location. `conf`: see [`PidLocation::new`].
    pub fn life(&self, conf: Option<&Path>) -> Life {
        match (self, self.find(conf)) {
            (PidLocation::Off, _) => Life::Unknown,
            (PidLocation::Said(path), _) => pid_file::life(path),
            (PidLocation::Default(_), Ok(path)) => pid_file::life(&path),
            // A master of another user has its file elsewhere.
            (PidLocation::Default(_), Err(_)) => Life::Unknown,
        }
    }

    /// The path of a running master's file. `conf`: see [`PidLocation::new`]. The error says why there is none.
    pub fn find(&self, conf: Option<&Path>) -> Result<PathBuf, String> {
        let paths = match self {
            PidLocation::Off => {
                return Err(
                    "there is no pid file: \"pid\" is off in this configuration (name another with -c)".to_owned()
                );
            }
            PidLocation::Said(path) => return Ok(path.clone()),
            PidLocation::Default(paths) => paths,
        };
        // The master may have been started by another path of the same file.
        let real = conf.and_then(|conf| fs::canonicalize(conf).ok());
        let paths: Vec<_> = paths.iter().cloned().chain(real.iter().flat_map(|real| default_paths(real))).collect();
        let is_there = |path: &&PathBuf| is_private(path).is_ok() && path.exists();
        paths.iter().find(is_there).cloned().ok_or_else(|| {
            let shown = paths.iter().map(|path| format!("\"{}\"", path.display())).collect::<Vec<_>>();
            let conf = conf.map_or_else(String::new, |conf| format!(" of \"{}\"", conf.display()));
            let first = shown.first().map_or("", String::as_str);
            format!(
                "no running master{conf} is known: there is no {first} (a master of another user, or one that was \
                 started by another path of the conf, has another file; \"pid\" names one for all)"
            )
        })
    }
}

/// The default paths of the pid file for the conf at `conf`, the preferred one first. Two confs never share a path.
fn default_paths(conf: &Path) -> Vec<PathBuf> {
    let path = absolute(conf);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let stem: String = stem.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(32).collect();
    let name = format!("drover-{stem}-{:016x}.pid", fnv1a(path.as_os_str().as_encoded_bytes()));
    directories().into_iter().map(|directory| directory.join(&name)).collect()
}

/// The path without `.` and `..`. Symbolic links stay: the conf behind a link stays the same conf when a deployment
/// turns the link to its next release.
fn absolute(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent().map(fs::canonicalize), absolute.file_name()) {
        (Some(Ok(parent)), Some(name)) if absolute.components().any(|c| c == Component::ParentDir) => parent.join(name),
        _ => absolute,
    }
}

/// The directories for run-time files of this user: root's, or the session's (basedir-spec, pam_systemd(8)); then a
/// directory in /tmp that no other user can enter.
fn directories() -> Vec<PathBuf> {
    let uid = geteuid();
    let of_session = || match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute()) {
        Some(directory) => directory,
        None => format!("/run/user/{uid}").into(),
    };
    let preferred = if uid.is_root() { "/run".into() } else { of_session() };
    vec![preferred, format!("{IN_TMP}{uid}").into()]
}

const IN_TMP: &str = "/tmp/drover-";

/// Makes the directory of a pid file in /tmp. Error: another user may enter it.
fn make_private_directory(path: &Path) -> Result<(), Failure> {
    let Some(directory) = path.parent().filter(|parent| in_tmp(parent)) else { return Ok(()) };
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(Failure::on_path("mkdir", directory, e)),
        _ => is_private(path).map_err(|e| Failure::on_path("mkdir", directory, e)),
    }
}

fn in_tmp(directory: &Path) -> bool {
    directory.as_os_str().as_encoded_bytes().starts_with(IN_TMP.as_bytes())
}

/// Checks that a directory in /tmp is this user's alone: others can make links and directories there as well.
fn is_private(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent().filter(|parent| in_tmp(parent)) else { return Ok(()) };
    let meta = fs::symlink_metadata(directory)?;
    let is_own = meta.is_dir() && meta.uid() == geteuid().as_raw() && meta.mode() & 0o077 == 0;
    if is_own { Ok(()) } else { Err(io::Error::other("it is there, and not a directory of this user alone")) }
}

/// FNV-1a, 64 bits: the same in every build, as the hashes of std are not.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors of draft-eastlake-fnv.
        assert_eq!(
            [fnv1a(b""), fnv1a(b"a"), fnv1a(b"foobar")],
            [0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8]
        );
    }

    #[test]
    fn spellings_of_a_conf_share_a_file_and_confs_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| default_paths(&dir.path().join(path));
        fs::create_dir(dir.path().join("sub")).unwrap();
        assert_eq!(at("x.conf"), at("./x.conf"));
        assert_eq!(at("x.conf"), at("sub/../x.conf"));
        assert_ne!(at("x.conf"), at("sub/x.conf"));
        assert_ne!(at("x.conf"), at("y.conf"));
        let name = at("my site.conf")[0].file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("drover-mysite-") && name.ends_with(".pid"), "{name}");
    }

    #[test]
    fn a_directory_in_tmp_is_used_only_when_it_is_private() {
        use std::os::unix::fs::PermissionsExt;
        // A name of its own, which directories() never has.
        let directory = PathBuf::from(format!("{IN_TMP}test-{}", std::process::id()));
        let file = directory.join("x.pid");
        assert!(is_private(&file).is_err());
        make_private_directory(&file).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        make_private_directory(&file).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private_directory(&file).is_err() && is_private(&file).is_err());
        fs::remove_dir(&directory).unwrap();
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(other.path(), &directory).unwrap();
        let refused = make_private_directory(&file);
        fs::remove_file(&directory).unwrap();
        assert!(refused.is_err());
    }
}

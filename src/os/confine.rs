//! Confines a process to the files that it is there for (landlock(7)), whatever its user may open.

use std::io;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, AddRuleError, AddRulesError, BitFlags, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, make_bitflags, path_beneath_rules,
};

/// The newest rights that are taken away: those of Linux 6.10. A kernel that knows fewer takes those it knows.
const FILES: ABI = ABI::V5;
/// To make TCP connections, and to bind ports: Linux 6.7.
const PORTS: ABI = ABI::V4;

/// The rules of a process, which do not count before [`Confinement::enter`].
#[derive(Debug)]
pub struct Confinement(RulesetCreated);

impl Confinement {
    /// Rules that leave the files beneath `read` to read, those beneath `write` to be made and written, and no
    /// TCP port to connect to or to bind. Paths that are not there have no rule. A rule is for the directory that is
    /// there now: another one that takes its name has none.
    pub fn prepare(read: &[PathBuf], write: &[PathBuf]) -> io::Result<Confinement> {
        let reading: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
        let writing: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | MakeReg});
        let no_rules = || -> Result<RulesetCreated, RulesetError> {
            Ruleset::default()
                .handle_access(AccessFs::from_all(FILES))?
                .handle_access(AccessNet::from_all(PORTS))?
                .create()
        };
        let rules = no_rules().map_err(io::Error::other)?;
        Ok(Confinement(add(add(rules, read, reading)?, write, writing)?))
    }

    /// Confines this thread, and all that it will start, for good. `false`: the kernel has no Landlock. Descriptors
    /// that are open stay what they are.
    pub fn enter(self) -> io::Result<bool> {
        let status = self.0.restrict_self().map_err(io::Error::other)?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }
}

/// Adds a rule for each path. A pipe or a socket, as /dev/stdout may lead to, can have none, and needs none: the kernel
/// confines nobody to what no directory holds.
fn add(mut rules: RulesetCreated, paths: &[PathBuf], access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    for path in paths {
        match rules.try_clone()?.add_rules(path_beneath_rules([path], access)) {
            Ok(added) => rules = added,
            Err(error) if is_of_no_directory(&error) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(rules)
}

/// Whether the kernel has refused a rule because the file is in no file system with names (landlock_add_rule(2)).
fn is_of_no_directory(error: &RulesetError) -> bool {
    let RulesetError::AddRules(AddRulesError::Fs(AddRuleError::AddRuleCall { source, .. })) = error else {
        return false;
    };
    source.raw_os_error() == Some(libc::EBADFD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::in_child::in_child;
    use std::fs::{self, File, OpenOptions};
    use std::os::fd::AsRawFd;

    #[test]
    fn files_beneath_the_paths_are_left_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["site", "logs", "etc"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("file"), "text").unwrap();
        }
        std::os::unix::fs::symlink(path("etc/file"), path("site/link")).unwrap();
        let report = in_child(
            || {
                let rules = Confinement::prepare(&[path("site"), path("none")], &[path("logs")]).unwrap();
                if !rules.enter().unwrap() {
                    return "no Landlock".to_owned();
                }
                let reads = |name: &str| File::open(path(name)).is_ok();
                let writes = |name: &str| OpenOptions::new().append(true).create(true).open(path(name)).is_ok();
                let connects = std::net::TcpStream::connect("127.0.0.1:9").unwrap_err().kind();
                format!(
                    "{:?} {:?} {connects:?}",
                    ["site/file", "site", "site/link", "etc/file", "etc"].map(reads),
                    ["logs/file", "logs/new", "site/file", "etc/file"].map(writes)
                )
            },
            None,
        );
        let ports = if report.as_ref().is_ok_and(|said| said.ends_with("ConnectionRefused")) {
            "ConnectionRefused" // Linux 6.6 and before
        } else {
            "PermissionDenied"
        };
        let expected = format!("[true, true, false, false, false] [true, true, false, false] {ports}");
        let said = report.unwrap();
        assert!(said == "no Landlock" || said == expected, "{said}");
    }

    #[test]
    fn a_pipe_has_no_rule_and_can_be_opened() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let report = in_child(
            || {
                let path = PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
                let is_confined = Confinement::prepare(&[], std::slice::from_ref(&path)).unwrap().enter().unwrap();
                let opened = ["/dev/null", "/proc/self/fd"].map(|path| File::open(path).is_ok());
                format!("{is_confined} {:?} {opened:?}", OpenOptions::new().append(true).open(path).is_ok())
            },
            None,
        );
        let said = report.unwrap();
        assert!(["true true [false, false]", "false true [true, true]"].contains(&&*said), "{said}");
    }
}

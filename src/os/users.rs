//! Users and groups, and how a process gives up root's powers.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, geteuid, getgrouplist, getgroups, getresgid, getresuid, setgid, setgroups, setuid,
};

use super::Failure;

/// The user and group of the workers: the value of the `user` directive, looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name, for its supplementary groups.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// The reason why a name gave no credentials.
#[derive(Debug)]
pub enum LookupError {
    /// getpwnam() knows no such user.
    NoUser,
    /// getgrnam() knows no such group.
    NoGroup,
    /// The lookup itself failed.
    Io(io::Error),
}

/// The account without rights, by the kernel's own number for it (/proc/sys/kernel/overflowuid).
pub const NOBODY: u32 = 65534;

impl Credentials {
    /// The account without rights, by number, since a container image may have no user database; root, in a user
    /// namespace without that number, where root has no special powers outside.
    pub fn nobody() -> Self {
        if is_mapped(NOBODY) { Self { name: NOBODY.to_string(), uid: NOBODY, gid: NOBODY } } else { Self::root() }
    }

    /// Root.
    pub fn root() -> Self {
        Self { name: "root".to_owned(), uid: 0, gid: 0 }
    }

    /// Looks up `user` and `group`; without a group, the group of the user's name, as nginx does (ngx_set_user).
    pub fn look_up(user: &str, group: Option<&str>) -> Result<Self, LookupError> {
        let failed = |e: nix::Error| LookupError::Io(e.into());
        let found = User::from_name(user).map_err(failed)?.ok_or(LookupError::NoUser)?;
        let group = Group::from_name(group.unwrap_or(user)).map_err(failed)?.ok_or(LookupError::NoGroup)?;
        Ok(Self { name: found.name, uid: found.uid.as_raw(), gid: group.gid.as_raw() })
    }

    /// Looks up `user` with the group that the user database gives it.
    pub fn with_own_group(user: &str) -> Result<Self, LookupError> {
        let found = User::from_name(user).map_err(|e| LookupError::Io(e.into()))?.ok_or(LookupError::NoUser)?;
        Ok(Self { name: found.name, uid: found.uid.as_raw(), gid: found.gid.as_raw() })
    }

    /// Whether this process has these credentials already: the real, effective and saved ids and the supplementary
    /// groups.
    pub fn is_assumed(&self) -> bool {
        self.has_group() && self.has_user() && self.groups().is_ok_and(|groups| has_groups(&groups))
    }

    /// Gives this process these credentials, for good: group, supplementary groups, then user (the order of
    /// ngx_worker_process_init). Omits the calls that would change nothing, since a kernel may refuse every call. A
    /// process that has both ids already keeps its supplementary groups where they can't be changed.
    pub fn assume(&self) -> Result<(), Failure> {
        let Self { name, uid, gid } = self;
        let named = |call: String| move |e: nix::Error| Failure::new(call, e.into());
        let gives_nothing_up = self.has_group() && self.has_user();
        if !self.has_group() {
            setgid(Gid::from_raw(*gid)).map_err(named(format!("setgid({gid})")))?;
        }
        let groups = self.groups().map_err(named(format!("getgrouplist({name}, {gid})")))?;
        if !has_groups(&groups) {
            match setgroups(&groups) {
                Err(Errno::EPERM) if gives_nothing_up => {}
                set => set.map_err(named(format!("initgroups({name}, {gid})")))?,
            }
        }
        if !self.has_user() {
            setuid(Uid::from_raw(*uid)).map_err(named(format!("setuid({uid})")))?;
        }
        Ok(())
    }

    fn has_group(&self) -> bool {
        getresgid().is_ok_and(|ids| [ids.real, ids.effective, ids.saved].iter().all(|id| id.as_raw() == self.gid))
    }

    fn has_user(&self) -> bool {
        getresuid().is_ok_and(|ids| [ids.real, ids.effective, ids.saved].iter().all(|id| id.as_raw() == self.uid))
    }

    /// The user's groups in the user database, as initgroups(3) takes them.
    fn groups(&self) -> Result<Vec<Gid>, Errno> {
        let name = CString::new(self.name.as_str()).map_err(|_| Errno::EINVAL)?;
        getgrouplist(&name, Gid::from_raw(self.gid))
    }
}

/// Whether these are the supplementary groups of this process, in any order.
fn has_groups(groups: &[Gid]) -> bool {
    let sorted = |groups: &[Gid]| groups.iter().map(|gid| gid.as_raw()).collect::<BTreeSet<_>>();
    getgroups().is_ok_and(|own| sorted(&own) == sorted(groups))
}

/// Whether this user namespace has the user; it has where /proc doesn't tell.
pub fn is_mapped(uid: u32) -> bool {
    std::fs::read_to_string("/proc/self/uid_map").map_or(true, |maps| maps.is_empty() || has_user(&maps, uid))
}

/// Whether `/proc/PID/uid_map` has the user: its lines are first id inside, first outside, count.
fn has_user(maps: &str, uid: u32) -> bool {
    maps.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
        let (Some(first), Some(_), Some(count)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&u64::from(uid))
    })
}

/// Whether the effective user is root, which alone may switch users.
pub fn is_root() -> bool {
    geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_namespace_may_lack_a_user() {
        let (all, one, two) = ("0 0 4294967295\n", "0 1000 1\n", "0 1000 1\n1 100000 65536\n");
        assert!(has_user(all, NOBODY) && !has_user(one, NOBODY) && has_user(two, NOBODY) && has_user(one, 0));
    }

    #[test]
    fn names_are_looked_up_as_nginx_does() {
        let root = Credentials::look_up("root", None).unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(matches!(Credentials::look_up("no-such-user-here", None), Err(LookupError::NoUser)));
        assert!(matches!(Credentials::look_up("root", Some("no-such-group-here")), Err(LookupError::NoGroup)));
    }
}

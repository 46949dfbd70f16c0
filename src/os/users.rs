//! Users and groups, and giving up root's powers.

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Group, Uid, User, geteuid, initgroups, setgid, setuid};

/// Who the workers are: the value of the `user` directive, looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name, for its supplementary groups.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Why a name gave no credentials.
#[derive(Debug)]
pub enum LookupError {
    /// getpwnam() knows no such user.
    NoUser,
    /// getgrnam() knows no such group.
    NoGroup,
    /// The lookup itself failed.
    Io(io::Error),
}

impl Credentials {
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

    /// Makes this process theirs, for good: group, supplementary groups, then user (the order of ngx_worker_process_init). The
    /// error names the call that failed.
    pub fn assume(&self) -> Result<(), (String, io::Error)> {
        let Self { name, uid, gid } = self;
        let named = |call: String| move |e: nix::Error| (call, io::Error::from(e));
        setgid(Gid::from_raw(*gid)).map_err(named(format!("setgid({gid})")))?;
        let c_name = CString::new(name.as_str()).map_err(|e| (format!("initgroups({name})"), e.into()))?;
        initgroups(&c_name, Gid::from_raw(*gid)).map_err(named(format!("initgroups({name}, {gid})")))?;
        setuid(Uid::from_raw(*uid)).map_err(named(format!("setuid({uid})")))
    }
}

/// True when the effective user is root: alone it may switch users.
pub fn is_root() -> bool {
    geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_as_nginx_does() {
        let root = Credentials::look_up("root", None).unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(matches!(Credentials::look_up("no-such-user-here", None), Err(LookupError::NoUser)));
        assert!(matches!(Credentials::look_up("root", Some("no-such-group-here")), Err(LookupError::NoGroup)));
    }
}

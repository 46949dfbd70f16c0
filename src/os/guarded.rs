//! Opens a file by its path without following the symbolic links in it that it may not follow, so that nobody can put a
//! link there meanwhile: the kernel keeps the rule (openat2), or a component is opened at a time (nginx:
//! `ngx_open_file_wrapper`).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::file::{self, Meta};
use super::{openat2, retry};

/// Which symbolic links of a path are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// All.
    #[default]
    Follow,
    /// None behind the first `from` bytes of the path.
    Refuse {
        /// The length of the part whose links are followed: up to a slash.
        from: usize,
    },
    /// Behind the first `from` bytes those whose owner is also the owner of what they lead to.
    SameOwner {
        /// The length of that part.
        from: usize,
    },
    /// Behind the first `from` bytes those that lead to something beneath that part: relative ones alone, as the kernel
    /// has it.
    Beneath {
        /// The length of that part.
        from: usize,
    },
    /// The path is not beneath the part that it has to be beneath: nothing is opened.
    Nowhere,
}

/// Opened to look further from there: neither the right to read nor that to search is needed yet.
const SEARCH: libc::c_int = libc::O_PATH | libc::O_DIRECTORY | libc::O_NONBLOCK | libc::O_CLOEXEC;
const READ: libc::c_int = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC;

const BENEATH: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;

/// Tries to open a path with `..` in one of its links: any rename or mount on the machine meanwhile makes one fail, and
/// a try takes microseconds.
const TRIES: usize = 128;

/// Opens `path` for reading, without blocking. Errors: ELOOP or ENOTDIR for a link that is not followed; EAGAIN where
/// the directories around it were renamed all the time.
pub fn open(path: &[u8], links: Links) -> io::Result<OwnedFd> {
    open_by(path, links, READ)
}

/// The same for a directory alone: ENOTDIR for all else.
pub fn open_dir(path: &[u8], links: Links) -> io::Result<OwnedFd> {
    open_by(path, links, READ | libc::O_DIRECTORY)
}

/// Describes the object at `path`, which need not be readable.
pub fn stat(path: &[u8], links: Links) -> io::Result<Meta> {
    file::fstat(open_by(path, links, libc::O_PATH | libc::O_CLOEXEC)?)
}

fn open_by(path: &[u8], links: Links, flags: libc::c_int) -> io::Result<OwnedFd> {
    match links {
        Links::Follow => open_at(libc::AT_FDCWD, &c_string(path)?, flags),
        Links::Refuse { from } => match open_without_links(path, from, flags) {
            // The walk tells links to directories from those to files, as in nginx, and is there on any kernel.
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => walk(path, from, flags, open_no_link),
            opened => opened,
        },
        Links::SameOwner { from } => walk(path, from, flags, open_of_owner),
        Links::Beneath { from } => open_beneath(path, from, flags),
        Links::Nowhere => Err(io::Error::from_raw_os_error(libc::ELOOP)),
    }
}

/// The directory that the first `from` bytes of the path name, and the rest, which is relative to it.
fn split(path: &[u8], from: usize) -> (&[u8], &[u8]) {
    let rest = path.get(from..).unwrap_or_default();
    let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
    let begin: &[u8] = match (path.get(..from), path.first()) {
        (Some(begin @ [_, ..]), _) => begin,
        (_, Some(b'/')) => b"/",
        _ => b".",
    };
    (begin, &rest[slashes..])
}

fn open_without_links(path: &[u8], from: usize, flags: libc::c_int) -> io::Result<OwnedFd> {
    if from == 0 {
        return openat2::open(libc::AT_FDCWD, &c_string(path)?, flags, libc::RESOLVE_NO_SYMLINKS);
    }
    let (begin, rest) = split(path, from);
    let dir = open_at(libc::AT_FDCWD, &c_string(begin)?, SEARCH)?;
    openat2::open(dir.as_raw_fd(), &name_in(rest)?, flags, libc::RESOLVE_NO_SYMLINKS)
}

fn open_beneath(path: &[u8], from: usize, flags: libc::c_int) -> io::Result<OwnedFd> {
    if path.len() <= from {
        // The part itself, which need not be a directory.
        return open_at(libc::AT_FDCWD, &c_string(path)?, flags);
    }
    let (begin, rest) = split(path, from);
    let dir = open_at(libc::AT_FDCWD, &c_string(begin)?, SEARCH)?;
    let name = name_in(rest)?;
    let opened = retry_on_race(|| openat2::open(dir.as_raw_fd(), &name, flags, BENEATH));
    opened.map_err(|error| match error.raw_os_error() {
        Some(libc::EXDEV) => io::Error::from_raw_os_error(libc::ELOOP),
        _ => error,
    })
}

fn retry_on_race(mut open: impl FnMut() -> io::Result<OwnedFd>) -> io::Result<OwnedFd> {
    for _ in 1..TRIES {
        match open() {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            opened => return opened,
        }
    }
    open()
}

/// Opens a component at a time, each by `step`.
fn walk(
    path: &[u8],
    from: usize,
    flags: libc::c_int,
    step: fn(&OwnedFd, &CStr, libc::c_int) -> io::Result<OwnedFd>,
) -> io::Result<OwnedFd> {
    let (begin, mut rest) = split(path, from);
    let mut dir = open_at(libc::AT_FDCWD, &c_string(begin)?, SEARCH)?;
    while let Some(slash) = memchr::memchr(b'/', rest) {
        let (name, after) = (&rest[..slash], &rest[slash + 1..]);
        if !name.is_empty() {
            dir = step(&dir, &c_string(name)?, SEARCH)?;
        }
        rest = after;
    }
    if rest.is_empty() { open_at(dir.as_raw_fd(), c".", flags) } else { step(&dir, &c_string(rest)?, flags) }
}

fn open_no_link(dir: &OwnedFd, name: &CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    open_at(dir.as_raw_fd(), name, flags | libc::O_NOFOLLOW)
}

/// Opens a name, through a link if that has the owner of what it leads to. The link is held meanwhile, so that its
/// owner counts and no other's, whatever takes its name.
fn open_of_owner(dir: &OwnedFd, name: &CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    let entry = open_at(dir.as_raw_fd(), name, libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC)?;
    let of_entry = stat_of(&entry)?;
    match of_entry.st_mode & libc::S_IFMT {
        libc::S_IFLNK => {}
        // A directory to look further from is open as it is to be.
        libc::S_IFDIR if flags == SEARCH => return Ok(entry),
        _ => return open_no_link(dir, name, flags),
    }
    let target = CString::new(nix::fcntl::readlinkat(&entry, c"")?.into_encoded_bytes())?;
    let file = open_at(dir.as_raw_fd(), &target, flags)?;
    if stat_of(&file)?.st_uid == of_entry.st_uid { Ok(file) } else { Err(io::Error::from_raw_os_error(libc::ELOOP)) }
}

fn open_at(dir: RawFd, name: &CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: `name` is NUL-terminated and outlives the call; `dir` is open for its length, or AT_FDCWD.
    let fd = retry(|| unsafe { libc::openat(dir, name.as_ptr(), flags) })?;
    // SAFETY: openat returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn stat_of(file: &OwnedFd) -> io::Result<libc::stat> {
    nix::sys::stat::fstat(file).map_err(io::Error::from)
}

/// A name relative to a directory, which has itself for the empty one.
fn name_in(rest: &[u8]) -> io::Result<CString> {
    c_string(if rest.is_empty() { b"." } else { rest })
}

fn c_string(name: &[u8]) -> io::Result<CString> {
    CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::ENOENT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_as_the_rule_says() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir(root.join("real")).unwrap();
        std::fs::write(root.join("real/file"), "text").unwrap();
        symlink("real", root.join("dirlink")).unwrap();
        symlink("file", root.join("real/link")).unwrap();
        symlink("/etc/passwd", root.join("passwd")).unwrap();
        let errno = |name: &str, links: Links| {
            let path = [root.as_os_str().as_bytes(), b"/", name.as_bytes()].concat();
            match open(&path, links) {
                Ok(fd) => std::fs::File::from(fd).read(&mut [0; 1]).map_or(libc::EISDIR, |_| 0),
                Err(error) => error.raw_os_error().unwrap(),
            }
        };
        let from = root.as_os_str().len();
        let refuse = Links::Refuse { from: 0 };
        for (name, links, expected) in [
            ("real/file", refuse, 0),
            ("real//file", refuse, 0),
            ("real", refuse, libc::EISDIR),
            ("real/", refuse, libc::EISDIR),
            ("real/file/", refuse, libc::ENOTDIR),
            ("real/link", refuse, libc::ELOOP),
            ("dirlink", refuse, libc::ELOOP),
            ("dirlink/", refuse, libc::ENOTDIR),
            ("dirlink/file", refuse, libc::ENOTDIR),
            ("none", refuse, libc::ENOENT),
            ("none/file", refuse, libc::ENOENT),
            ("dirlink/link", Links::Follow, 0),
            ("dirlink/link", Links::SameOwner { from: 0 }, 0),
            ("real/link", Links::Refuse { from }, libc::ELOOP),
            ("real/link", Links::Refuse { from: from + "/real".len() }, libc::ELOOP),
            ("dirlink/file", Links::Refuse { from: from + "/dirlink".len() }, 0),
            ("real/link", Links::SameOwner { from: from + "/real".len() }, 0),
        ] {
            assert_eq!(errno(name, links), expected, "{name} {links:?}");
        }
        // The user who runs the tests owns the link; the file is root's.
        let is_root =
            std::fs::metadata("/proc/self").map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)).unwrap() == 0;
        let expected = if is_root { 0 } else { libc::ELOOP };
        assert_eq!(errno("passwd", Links::SameOwner { from: 0 }), expected);
        if is_root {
            std::os::unix::fs::lchown(root.join("passwd"), Some(1), None).unwrap();
            assert_eq!(errno("passwd", Links::SameOwner { from: 0 }), libc::ELOOP);
        }
    }
}

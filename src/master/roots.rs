//! Checks that the roots of a conf exist, and that the workers can enter them.
//!
//! A child checks, as the user that the workers become, so that permissions of every kind (modes, groups, ACLs,
//! security modules) count. A file system that hangs, such as that of a server which is down, delays a start by
//! [`TIMEOUT`] at most.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, Uid, User, eaccess};

use crate::conf::{self, did_you_mean};
use crate::http::HttpConf;
use crate::http::lint::{NamedRoot, RootKind};
use crate::os::ErrnoText;
use crate::os::in_child::in_child;
use crate::os::users::Credentials;

const TIMEOUT: Duration = Duration::from_secs(2);

/// The reason why nothing can be had from a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is there.
    Missing,
    /// The path is no directory.
    NoDirectory,
    /// The workers may not enter or read the first part of the path, of this many bytes.
    Closed(usize),
    /// The system's error number.
    Failed(i32),
}

/// The directories where a user may have meant relative paths to start.
#[derive(Debug, Clone, Default)]
pub(crate) struct StartDirectories {
    /// The directory where they do start, `-p`.
    pub prefix: PathBuf,
    /// Other directories.
    pub others: Vec<PathBuf>,
}

/// Warnings about the roots of `site`. `user`: the account that the workers become. To be called with one thread, as
/// [`in_child`].
pub(crate) fn check(site: &HttpConf, user: Option<&Credentials>, places: &StartDirectories) -> Vec<conf::Error> {
    let roots = site.roots();
    if roots.is_empty() {
        return Vec::new();
    }
    let look_at_all = || {
        // A failure here ends the start later, with an error of its own.
        let _ = user.map(Credentials::assume);
        roots.iter().map(|root| encode(look(root))).collect::<Vec<_>>().join(" ")
    };
    // No warning: a file system that does not answer in time may be back when a request comes.
    let Ok(report) = in_child(look_at_all, Some(TIMEOUT)) else { return Vec::new() };
    let found = roots.iter().zip(report.split(' ').map(decode));
    found.filter_map(|(root, fault)| Some(warning(root, fault?, user, places))).collect()
}

fn look(root: &NamedRoot) -> Result<(), Fault> {
    let path = Path::new(root.path);
    let is_dir = match fs::metadata(path) {
        Ok(meta) => meta.is_dir(),
        Err(error) if root.kind == RootKind::Beginning => return look_for_beginning(path, &error),
        Err(error) => return Err(fault(path, &error)),
    };
    if !is_dir && root.kind == RootKind::Directory {
        return Err(Fault::NoDirectory);
    }
    let access = if is_dir { AccessFlags::X_OK } else { AccessFlags::R_OK };
    eaccess(path, access).map_err(|_| Fault::Closed(root.path.len()))
}

/// Checks an `alias` that ends within a name: some name must begin so.
fn look_for_beginning(path: &Path, error: &io::Error) -> Result<(), Fault> {
    let begins = |name: &std::ffi::OsStr, beginning: &std::ffi::OsStr| {
        name.as_encoded_bytes().starts_with(beginning.as_encoded_bytes())
    };
    let names = path.parent().and_then(|parent| fs::read_dir(parent).ok()).zip(path.file_name());
    let is_there =
        |(names, beginning): (fs::ReadDir, _)| names.flatten().any(|entry| begins(&entry.file_name(), beginning));
    if names.is_some_and(is_there) { Ok(()) } else { Err(fault(path, error)) }
}

pub(super) fn fault(path: &Path, error: &io::Error) -> Fault {
    match error.raw_os_error() {
        Some(libc::ENOENT) => Fault::Missing,
        Some(libc::EACCES) => {
            let is_closed = |part: &&Path| eaccess(*part, AccessFlags::X_OK).is_err();
            // The topmost directory that is closed is the one to open.
            let closed = path.ancestors().filter(is_closed).last().unwrap_or(path);
            Fault::Closed(closed.as_os_str().len())
        }
        other => Fault::Failed(other.unwrap_or(libc::EIO)),
    }
}

pub(super) fn encode(result: Result<(), Fault>) -> String {
    match result {
        Ok(()) => "fine".to_owned(),
        Err(Fault::Missing) => "missing".to_owned(),
        Err(Fault::NoDirectory) => "no-directory".to_owned(),
        Err(Fault::Closed(len)) => format!("closed:{len}"),
        Err(Fault::Failed(errno)) => format!("failed:{errno}"),
    }
}

pub(super) fn decode(word: &str) -> Option<Fault> {
    match word.split_once(':') {
        Some(("closed", len)) => len.parse().ok().map(Fault::Closed),
        Some(("failed", errno)) => errno.parse().ok().map(Fault::Failed),
        _ if word == "missing" => Some(Fault::Missing),
        _ if word == "no-directory" => Some(Fault::NoDirectory),
        _ => None,
    }
}

fn warning(root: &NamedRoot, fault: Fault, user: Option<&Credentials>, places: &StartDirectories) -> conf::Error {
    let NamedRoot { path, said, directive, span, .. } = *root;
    let what = format!("the {directive} \"{path}\"");
    let at = |message: String| conf::Error::at(span, message);
    match fault {
        Fault::Missing => {
            let error = at(format!("{what} does not exist"));
            match if said.starts_with('/') { nearest(path) } else { Some(explain_relative(said, places)) } {
                Some(help) => error.help(help),
                None => error,
            }
        }
        Fault::NoDirectory => at(format!("{what} is not a directory")),
        Fault::Closed(len) => {
            let (name, help) = closed_to(user, path, len);
            let verb = if Path::new(path).is_file() && len == path.len() { "read" } else { "enter" };
            at(format!("user \"{name}\" can't {verb} {what}")).help(help)
        }
        Fault::Failed(errno) => {
            let error = io::Error::from_raw_os_error(errno);
            at(format!("{what} can't be reached ({})", ErrnoText(&error)))
        }
    }
}

fn explain_relative(said: &str, places: &StartDirectories) -> String {
    let prefix = places.prefix.display();
    let rule = format!("a relative path starts at the prefix, \"{prefix}\"");
    match places.others.iter().find(|other| other.join(said).exists()) {
        Some(other) => format!("{rule}; \"{}\" is there, with -p {}", other.join(said).display(), other.display()),
        None => format!("{rule}, see -p"),
    }
}

/// A help about the first part of a path that does not exist: the name that was probably meant.
pub(super) fn nearest(path: &str) -> Option<String> {
    let missing = Path::new(path).ancestors().take_while(|part| !part.exists()).last()?;
    let (parent, name) = (missing.parent()?, missing.file_name()?.to_str()?);
    let names: Vec<String> =
        fs::read_dir(parent).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    Some(match did_you_mean(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{}\"?", parent.join(near).display()),
        None => format!("there is no \"{name}\" in \"{}\"", parent.display()),
    })
}

/// The name of the account to which the first `len` bytes of a path are closed, and a help.
pub(super) fn closed_to(user: Option<&Credentials>, path: &str, len: usize) -> (String, String) {
    let own = || User::from_uid(Uid::effective()).ok().flatten().map(|user| user.name);
    let name = user.map(|user| user.name.clone()).or_else(own);
    let closed = Path::new(path.get(..len).unwrap_or(path));
    (name.unwrap_or_else(|| Uid::effective().to_string()), explain_closed(closed))
}

fn explain_closed(closed: &Path) -> String {
    let Ok(meta) = fs::metadata(closed) else { return format!("\"{}\" is closed", closed.display()) };
    let owner = User::from_uid(Uid::from_raw(meta.uid())).ok().flatten().map(|user| user.name);
    let owner = owner.unwrap_or_else(|| meta.uid().to_string());
    let (mode, right) = (meta.mode() & 0o7777, if meta.is_dir() { 'x' } else { 'r' });
    let closed = closed.display();
    format!("\"{closed}\" has mode {mode:04o} and belongs to {owner}: chmod o+{right}, or name another \"user\"")
}

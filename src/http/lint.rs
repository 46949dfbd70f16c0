//! Parts of a conf that load and can only fail: named locations that are not there. And the directories and files that
//! it counts on, for others to look at.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::conf::{self, Span};
use crate::http::exchange::HttpConf;
use crate::http::exchange::disable_symlinks::DISABLE_SYMLINKS;
use crate::http::phases::auth_basic::{AUTH_BASIC, AUTH_BASIC_USER_FILE};
use crate::http::phases::error_page::ERROR_PAGE;
use crate::http::phases::try_files::TRY_FILES;
use crate::http::site::root::{ROOT, Root, UriTail};
use crate::http::site::script::Script;
use crate::http::site::template::Template;
use crate::http::site::{Location, Pattern};

/// A path that files are served from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRoot<'s> {
    /// `root` or `alias`.
    pub directive: &'static str,
    /// Absolute.
    pub path: &'s str,
    /// The part of the path that the conf spells out.
    pub said: &'s str,
    /// Where.
    pub span: Span,
    /// The kind of file that the path must lead to.
    pub kind: RootKind,
}

/// The kind of file that a path must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootKind {
    /// A directory.
    Directory,
    /// A directory or a file.
    Any,
    /// Something whose name begins so: an `alias` takes the place of a part of a name.
    Beginning,
}

/// A file of names and passwords that the conf spells out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserFile<'s> {
    /// Absolute.
    pub path: &'s str,
    /// Where.
    pub span: Span,
}

/// `@name` in `try_files` and `error_page` that no location has in any server where it counts.
pub(super) fn unknown_names(conf: &HttpConf) -> Vec<conf::Error> {
    let mut missing: Vec<(Span, &str, Option<&str>)> = Vec::new();
    let mut known: Vec<Span> = Vec::new();
    for (server, locations) in conf.servers_with_locations() {
        for (name, span) in locations.iter().flat_map(named_targets) {
            if server.locations.named(name).is_some() {
                known.push(span);
            } else if missing.iter().all(|(other, ..)| *other != span) {
                missing.push((span, name, conf::did_you_mean(name, server.locations.names())));
            }
        }
    }
    missing.retain(|(span, ..)| !known.contains(span));
    let warnings = missing.into_iter().map(|(span, name, near)| {
        let help = match near {
            Some(near) => format!("did you mean \"@{near}\"?"),
            None => format!("it takes a \"location @{name} {{ ... }}\" in the same server"),
        };
        conf::Error::at(span, format!("there is no location \"@{name}\"")).help(help)
    });
    warnings.collect()
}

/// Roots and aliases that share no path with the PART of `disable_symlinks outside from=PART`: every file is 403.
pub(super) fn out_of_reach(conf: &HttpConf) -> Vec<conf::Error> {
    let mut warned: Vec<Span> = Vec::new();
    let mut warnings = Vec::new();
    for location in conf.serving() {
        let guard = location.scope.get(&DISABLE_SYMLINKS);
        let Some(part) = guard.from().filter(|_| guard.is_outside()).and_then(Template::as_text) else { continue };
        let Some(NamedRoot { directive, path, said, span, .. }) = location.named_root() else { continue };
        let (path, part) = (Path::new(path), Path::new(OsStr::from_bytes(part)));
        if path.starts_with(part) || part.starts_with(path) || warned.contains(&span) {
            continue;
        }
        warned.push(span);
        let message = format!(
            "the {directive} \"{said}\" is not beneath \"{}\": all of it is 403 by \"disable_symlinks outside\"",
            part.display()
        );
        let help = "\"from=$document_root\", or no \"from\", allows what lies beneath each root and alias";
        warnings.push(conf::Error::at(span, message).help(help));
    }
    warnings
}

fn named_targets(location: &Location) -> impl Iterator<Item = (&str, Span)> {
    let try_files = location.scope.get(&TRY_FILES).as_ref().and_then(|conf| conf.named());
    try_files.into_iter().chain(location.scope.get(&ERROR_PAGE).iter().filter_map(|page| page.named()))
}

impl HttpConf {
    /// The files of `auth_basic_user_file` that requests are compared with and whose names hold no variable, each once.
    pub fn user_files(&self) -> Vec<UserFile<'_>> {
        let mut files: Vec<UserFile> = Vec::new();
        for Location { scope, .. } in self.locations() {
            let is_off = |realm: &Template| realm.as_text() == Some(b"off");
            let Some(file) = scope.get(&AUTH_BASIC_USER_FILE) else { continue };
            let is_asked = scope.get(&AUTH_BASIC).as_ref().is_some_and(|realm| !is_off(realm));
            if let (true, Some(path), Some(span)) = (is_asked, file.literal(), scope.span_of(&AUTH_BASIC_USER_FILE))
                && files.iter().all(|known| known.path != path)
            {
                files.push(UserFile { path, span });
            }
        }
        files
    }

    /// The directories that requests may have files read in, as far as the conf spells them out, each once.
    pub fn paths_to_read(&self) -> Vec<PathBuf> {
        let mut paths = BTreeSet::new();
        for Location { scope, uri_tail, .. } in self.locations() {
            let root: &Root = scope.get(&ROOT);
            paths.insert(place_to_read(root.path().fixed_path(), *uri_tail == UriTail::Whole));
            paths.extend(scope.get(&AUTH_BASIC_USER_FILE).as_ref().map(|file| beside(file.fixed_path())));
        }
        paths.into_iter().collect()
    }

    /// The roots and aliases that the conf says and that requests lead to, each path once.
    pub fn roots(&self) -> Vec<NamedRoot<'_>> {
        let mut roots: Vec<NamedRoot> = Vec::new();
        for root in self.serving().filter_map(Location::named_root) {
            if roots.iter().all(|other| (other.path, other.kind) != (root.path, root.kind)) {
                roots.push(root);
            }
        }
        roots
    }

    /// The locations whose files requests may lead to.
    fn serving(&self) -> impl Iterator<Item = &Location> {
        let mut found: Vec<&Location> = Vec::new();
        for (server, locations) in self.servers_with_locations() {
            let returns = |script: &Option<Script>| script.as_ref().is_some_and(Script::always_returns);
            let answers = |location: &Location| {
                returns(&self.location(location.home()).script) || self.handler(location).is_some()
            };
            if returns(&server.script) || locations.first().is_some_and(answers) {
                continue;
            }
            let takes_all = server.locations.has_prefix(b"/");
            // No uri is left for the server's own settings where one location takes them all.
            let is_unused = |location: &Location| takes_all && location.pattern == Pattern::Server;
            // An `if` has a root of its own only where it says so.
            let is_outer = |location: &Location| location.within.is_some() && !location.scope.set_here(&ROOT);
            let serves = |location: &&Location| !(answers(location) || is_unused(location) || is_outer(location));
            found.extend(locations.iter().filter(serves));
        }
        found.into_iter()
    }
}

/// The place that a process may read for a path: all beneath a `root`, if that is there; for an alias of a file, or of
/// what names there begin with, its directory, since a file is replaced by another, but not all that there is.
fn place_to_read(path: &[u8], is_root: bool) -> PathBuf {
    let whole = Path::new(OsStr::from_bytes(path));
    if is_root || path.ends_with(b"/") || whole.is_dir() {
        return or_all(whole);
    }
    Some(beside(path)).filter(|place| path.is_empty() || place.parent().is_some()).unwrap_or_else(|| whole.to_owned())
}

fn beside(path: &[u8]) -> PathBuf {
    let end = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    or_all(Path::new(OsStr::from_bytes(path.get(..end).unwrap_or_default())))
}

/// A path that a variable begins may be any.
fn or_all(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { PathBuf::from("/") }
}

impl Location {
    fn named_root(&self) -> Option<NamedRoot<'_>> {
        let root: &Root = self.scope.get(&ROOT);
        self.scope.span_of(&ROOT)?;
        let (path, (said, span)) = (root.literal()?, root.said());
        let kind = match (&self.uri_tail, &self.pattern) {
            (UriTail::Whole, _) => RootKind::Directory,
            (UriTail::Nothing, _) | (_, Pattern::Exact(_)) => RootKind::Any,
            (UriTail::After(_), _) if path.ends_with('/') => RootKind::Directory,
            (UriTail::After(_), _) => RootKind::Beginning,
        };
        let directive = if self.uri_tail == UriTail::Whole { "root" } else { "alias" };
        Some(NamedRoot { directive, path, said, span, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_opens_nothing_around_a_root_and_never_the_whole_disk() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let at = |name: &str| dir.path().join(name);
        let place = |path: &Path, is_root| place_to_read(path.as_os_str().as_encoded_bytes(), is_root);
        let there = dir.path().to_owned();
        assert_eq!([true, false].map(|is_root| place(&there, is_root)), [there.clone(), there.clone()]);
        assert_eq!([true, false].map(|is_root| place(&at("none"), is_root)), [at("none"), at("")]);
        assert_eq!(place(&at("file"), false), at(""));
        let top = Path::new("/none-of-drover");
        assert_eq!([true, false].map(|is_root| place(top, is_root)), [top, top]);
        assert_eq!([true, false].map(|is_root| place(Path::new(""), is_root)), [Path::new("/"); 2]);
    }
}

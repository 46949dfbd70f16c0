//! `disable_symlinks`: whether files are found through symbolic links (nginx: `ngx_http_set_disable_symlinks`).

use crate::conf::{self, Contexts, Setting};
use crate::http::site::template::Template;
use crate::os::{Links, openat2};

/// Whether files are found through symbolic links.
pub static DISABLE_SYMLINKS: Setting<Guard> = Setting::one("disable_symlinks", Guard::parse)
    .contexts(Contexts::HTTP_ALL)
    .args(1, 2)
    .syntax("off | on | if_not_owner | outside [from=PART]")
    .default("off")
    .about(
        "`on`: a path with a symbolic link in it leads to no file (403, or 404 where a directory is a link). \
         `if_not_owner`: unless the link and what it leads to have the same owner. With `from` links are followed in \
         the part of the path that begins so. Each look-up then opens every directory of the path, or with `on`, since \
         Linux 5.6, all of it in one call. `outside`: links may lead to what lies beneath PART, and nowhere else \
         (403). Without `from` that is the `root` or `alias`, or the directory before the first variable of an \
         `alias`. A path that is not beneath PART is 403 even without a link, so that all of an `alias` elsewhere is. \
         Absolute links count as leading out. `outside` takes Linux 5.6.",
    );

/// The links that are not followed, and the beginning of the path that is not looked at.
#[derive(Debug, Default)]
pub struct Guard {
    mode: Mode,
    from: Option<Template>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Off,
    On,
    IfNotOwner,
    Outside,
}

impl Guard {
    fn parse(args: &mut conf::Args) -> Result<Guard, conf::Error> {
        let (mut mode, mut from) = (None, None);
        for i in 0..args.len() {
            let text = args.str(i)?.to_owned();
            match (text.as_str(), text.strip_prefix("from=")) {
                ("off", _) => mode = Some(Mode::Off),
                ("on", _) => mode = Some(Mode::On),
                ("if_not_owner", _) => mode = Some(Mode::IfNotOwner),
                ("outside", _) if !openat2::is_there() => {
                    let message = "\"outside\" takes openat2(), which this system has not";
                    return Err(args
                        .bad(i, message)
                        .help("it came with Linux 5.6; a filter of system calls may refuse it"));
                }
                ("outside", _) => mode = Some(Mode::Outside),
                (_, Some(part)) => from = Some(Template::parse_text(args, i, part)?),
                _ => {
                    let message = format!("invalid parameter \"{text}\"");
                    return Err(args.bad(i, message).help("on, off, if_not_owner, outside or from=PART"));
                }
            }
        }
        let Some(mode) = mode else {
            let message = "\"disable_symlinks\" must have \"off\", \"on\" or \"if_not_owner\" parameter";
            return Err(args.bad(0, message));
        };
        if args.len() == 2 && from.is_none() {
            let message = format!("duplicate parameters \"{} {}\"", args.str(0)?, args.str(1)?);
            return Err(args.bad(1, message));
        }
        if from.is_some() && mode == Mode::Off {
            return Err(args.bad(0, "\"from=\" cannot be used with \"off\" parameter"));
        }
        Ok(Guard { mode, from })
    }

    /// Whether any link is not followed.
    pub(super) fn is_on(&self) -> bool {
        self.mode != Mode::Off
    }

    /// The part of the path, if there is one, whose links are followed.
    pub(in crate::http) fn from(&self) -> Option<&Template> {
        self.from.as_ref()
    }

    /// Whether links may lead to what lies beneath a part of the path, which is then the root without `from`.
    pub(in crate::http) fn is_outside(&self) -> bool {
        self.mode == Mode::Outside
    }

    /// The links of `path` that are followed, where `part` is the value of `from`.
    pub(super) fn links(&self, path: &[u8], part: &[u8]) -> Links {
        if self.mode == Mode::Outside {
            return beneath(path, part);
        }
        let begins = !part.is_empty() && path.starts_with(part);
        let from = match path.get(part.len()) {
            None if begins => return Links::Follow,
            Some(b'/') if begins => part.len(),
            _ if begins && part.ends_with(b"/") => part.len() - 1,
            _ => 0,
        };
        match self.mode {
            Mode::Off | Mode::Outside => Links::Follow,
            Mode::On => Links::Refuse { from },
            Mode::IfNotOwner => Links::SameOwner { from },
        }
    }
}

/// The rule by which nothing but the part, and what lies beneath it, is found at the path.
fn beneath(path: &[u8], part: &[u8]) -> Links {
    let slashes = part.iter().rev().take_while(|byte| **byte == b'/').count();
    let from = part.len() - slashes;
    match path.get(from) {
        _ if part.is_empty() || !path.starts_with(&part[..from]) => Links::Nowhere,
        None | Some(b'/') => Links::Beneath { from },
        Some(_) => Links::Nowhere,
    }
}

/// The directive of this module: `disable_symlinks`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&DISABLE_SYMLINKS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_the_part_are_followed() {
        let guard = Guard { mode: Mode::On, from: None };
        for (path, part, links) in [
            ("/a/b", "", Links::Refuse { from: 0 }),
            ("/a/b", "/a", Links::Refuse { from: 2 }),
            ("/a/b", "/a/", Links::Refuse { from: 2 }),
            ("/a/b", "/a/b", Links::Follow),
            ("/a/b", "/a/b/", Links::Refuse { from: 0 }),
            ("/ab", "/a", Links::Refuse { from: 0 }),
            ("/a/b", "/x", Links::Refuse { from: 0 }),
            ("/a/b", "/", Links::Refuse { from: 0 }),
        ] {
            assert_eq!(guard.links(path.as_bytes(), part.as_bytes()), links, "{path} from {part}");
        }
        assert_eq!(Guard::default().links(b"/a", b""), Links::Follow);
    }

    #[test]
    fn nothing_is_found_that_is_not_beneath_the_part() {
        let guard = Guard { mode: Mode::Outside, from: None };
        for (path, part, links) in [
            ("/a/b", "/a", Links::Beneath { from: 2 }),
            ("/a/b", "/a/", Links::Beneath { from: 2 }),
            ("/a//b", "/a//", Links::Beneath { from: 2 }),
            ("/a/../b", "/a/", Links::Beneath { from: 2 }),
            ("/a", "/a/", Links::Beneath { from: 2 }),
            ("/a/b", "/a/b", Links::Beneath { from: 4 }),
            ("/a/b", "/", Links::Beneath { from: 0 }),
            ("/ab", "/a", Links::Nowhere),
            ("/a/b", "/x", Links::Nowhere),
            ("/a", "/a/b", Links::Nowhere),
            ("/a/b", "", Links::Nowhere),
        ] {
            assert_eq!(guard.links(path.as_bytes(), part.as_bytes()), links, "{path} beneath {part}");
        }
    }
}

//! `drover --format FILE...`: confs in their usual form.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::options::Into;
use crate::conf::{self, Registry};
use crate::os::{Failure, print};

/// Formats the files. Returns the exit code: 1 after an error, and for [`Into::Names`] if a file would change.
pub fn format(registry: &Registry, files: &[PathBuf], into: Into) -> i32 {
    let codes = files.iter().map(|file| {
        format_one(registry, file, into).unwrap_or_else(|error| {
            let _ = writeln!(io::stderr(), "{error}");
            1
        })
    });
    // Every file is looked at, also behind one with an error.
    codes.fold(0, i32::max)
}

/// Formats a file. Returns the exit code. Error: the lines for standard error.
fn format_one(registry: &Registry, file: &Path, into: Into) -> Result<i32, String> {
    let failed = |call: &str, e| format!("drover: [emerg] {}", Failure::on_path(call, file, e));
    let is_input = file == Path::new("-");
    let text = if is_input { read_input() } else { fs::read(file) }.map_err(|e| failed("open", e))?;
    let name = if is_input { "standard input".into() } else { file.to_string_lossy() };
    let formatted = conf::format(registry, &name, &text).map_err(|problems| problems.to_string())?;
    match into {
        Into::Output => print(&formatted).map_err(|failure| format!("drover: [emerg] {failure}"))?,
        Into::Names if formatted != text => {
            print(format!("{name}\n").as_bytes()).map_err(|failure| format!("drover: [emerg] {failure}"))?;
            return Ok(1);
        }
        Into::Files if formatted != text => replace(file, &formatted).map_err(|e| failed("write", e))?,
        Into::Names | Into::Files => {}
    }
    Ok(0)
}

fn read_input() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    Ok(text)
}

/// Puts another text in the place of a file, which is whole at all times. Mode and owner stay; of a symbolic link, the
/// file behind it changes.
fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    let file = file.canonicalize()?;
    let old = file.metadata()?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = file.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = fill(&mut new, text, &old).and_then(|()| fs::rename(&beside, &file));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(new: &mut File, text: &[u8], old: &fs::Metadata) -> io::Result<()> {
    new.write_all(text)?;
    let now = new.metadata()?;
    if (now.uid(), now.gid()) != (old.uid(), old.gid()) {
        fchown(&*new, Some(old.uid()), Some(old.gid()))?;
    }
    // A change of the owner may take bits of the mode away.
    new.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
    new.sync_all()
}

//! `drover --init DIR`: files to begin with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::embedded::{self, quote};
use crate::http;
use crate::os::Failure;

const CONF: &str = include_str!("../../conf/drover.conf");

/// The line of [`CONF`] that names its site, up to the path.
const ROOT: &str = "        root   ";
const ITS_SITE: &str = "conf/welcome;";

/// The line of [`CONF`] that names the reference beside it in the source.
const REFERENCE: &str = "or DIRECTIVES.md beside this file.";

/// Writes the files. Returns the text to show. Error: a file is there, or can't be written.
pub fn init(dir: &Path) -> Result<String, String> {
    let html = dir.join("html");
    fs::create_dir_all(&html).map_err(|e| Failure::on_path("mkdir", &html, e).to_string())?;
    let html = html.canonicalize().map_err(|e| Failure::on_path("realpath", &html, e).to_string())?;
    let conf = dir.join("drover.conf");
    let files = [
        (conf.clone(), conf_for(&html)?),
        (dir.join("mime.types"), mime_types().to_owned()),
        (html.join("index.html"), embedded::WELCOME.to_owned()),
        (html.join("404.html"), embedded::NOT_FOUND.to_owned()),
    ];
    if let Some((there, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(format!("\"{}\" exists: nothing is written", there.display()));
    }
    for (path, text) in &files {
        write_new(path, text).map_err(|e| Failure::on_path("open", path, e).to_string())?;
    }
    let written: String = files.iter().map(|(path, _)| format!("{}\n", path.display())).collect();
    let name = shell_word(&conf.display().to_string());
    Ok(format!(
        "{written}\nCheck it:    drover -t -c {name}\nServe it:    drover -c {name}\n\
         Change it:   drover -c {name} -s reload\n"
    ))
}

/// The conf of the source, for a site in this directory.
fn conf_for(html: &Path) -> Result<String, String> {
    let root = html.to_str().ok_or_else(|| format!("\"{}\" is not valid UTF-8", html.display()))?;
    if root.contains('$') {
        return Err(format!("\"{root}\": a \"$\" in the name of the directory would begin a variable"));
    }
    let is_plain = root.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@:,=~%".contains(&byte));
    let root = if is_plain { root.to_owned() } else { quote(root) };
    let site = format!("{ROOT}{root};");
    Ok(CONF.replacen(&format!("{ROOT}{ITS_SITE}"), &site, 1).replacen(REFERENCE, "or `drover --man conf`.", 1))
}

fn mime_types() -> &'static str {
    http::BUILT_IN.iter().find(|(name, _)| *name == "mime.types").map_or("", |(_, text)| text)
}

/// Writes a file that is not there.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// A word as a shell takes it.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@:,=%".contains(&byte);
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conf_is_that_of_the_source_with_another_root() {
        let differs = |text: &str| {
            let lines = text.lines().zip(CONF.lines()).filter(|(ours, theirs)| ours != theirs);
            lines.map(|(ours, _)| ours.trim().to_owned()).collect::<Vec<_>>()
        };
        let conf = conf_for(Path::new("/srv/a b/html")).unwrap();
        let [reference, root] = &differs(&conf)[..] else { panic!("{:?}", differs(&conf)) };
        assert!(reference.contains("drover --man conf"), "{reference}");
        assert_eq!(root, "root   '/srv/a b/html';");
        assert!(conf_for(Path::new("/srv/html")).unwrap().contains("root   /srv/html;\n"));
        assert!(conf_for(Path::new("/srv/$x")).is_err());
        assert!(mime_types().contains("text/html"));
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        assert_eq!(shell_word("a/b.conf"), "a/b.conf");
        assert_eq!(shell_word("a b's"), "'a b'\\''s'");
    }
}

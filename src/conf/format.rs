//! Formats the text of a conf, for `drover --format`: lines and blanks change, words and comments don't.
//!
//! The text is read into blocks of lines by the lexer of the loader, so that a word ends where it ends for the server,
//! and `layout` writes them. Blocks of another language, such as Lua, are kept byte by byte.

mod layout;
mod tree;

use super::{Problems, Registry, Sources};

/// The text of a conf in its usual form. `name`: the file in errors. Formatting the result again changes nothing.
///
/// Errors: those of the syntax, ready to be shown. Names and values are not checked, and files are not included.
pub fn format(registry: &Registry, name: &str, text: &[u8]) -> Result<Vec<u8>, Problems> {
    let mut sources = Sources::default();
    let file = sources.add_file(name, text.to_vec(), None);
    match tree::read(registry, file, text) {
        Ok(tree) => Ok(layout::write(&tree)),
        Err((errors, statements)) => match Problems::new(errors, &statements) {
            Some(problems) => Err(problems.shown_with(&sources)),
            None => Ok(text.to_vec()),
        },
    }
}

#[cfg(test)]
mod tests;

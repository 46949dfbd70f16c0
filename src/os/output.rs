//! The standard output of commands.

use std::io::{self, ErrorKind, Write};

use super::Failure;

/// Writes a text to standard output. A reader that has gone, such as head(1), is no error.
pub fn print(text: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new("write() to standard output", error)),
        _ => Ok(()),
    }
}

//! Checks that the password files of a conf can be read by the workers, and that their lines let somebody in.
//!
//! nginx reads them with the first request: a file that is missing is an answer 403 and a line in the error log, a bad
//! line one more wrong password. Here a start says so, and goes on all the same.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::roots::{Fault, closed_to, decode, encode, fault, nearest};
use crate::conf;
use crate::http::HttpConf;
use crate::http::lint::UserFile;
use crate::http::message::htpasswd;
use crate::os::ErrnoText;
use crate::os::in_child::in_child;
use crate::os::users::Credentials;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of a file that are looked at: some 300,000 lines, a tenth of a second.
const MOST: u64 = 16 << 20;

/// Lines of a file that are named; more are counted.
const NAMED: usize = 4;

/// Warnings about the password files of `site`. `user`: the account that the workers become. To be called with one
/// thread, as [`in_child`].
pub(crate) fn check(site: &HttpConf, user: Option<&Credentials>) -> Vec<conf::Error> {
    let files = site.user_files();
    if files.is_empty() {
        return Vec::new();
    }
    let look_at_all = || {
        // A failure here ends the start later, with an error of its own.
        let _ = user.map(Credentials::assume);
        files.iter().enumerate().flat_map(|(n, file)| look(n, file)).collect::<Vec<_>>().join("\n")
    };
    // No warning: a file system that does not answer in time may be back when a request comes.
    let Ok(report) = in_child(look_at_all, Some(TIMEOUT)) else { return Vec::new() };
    report.lines().filter_map(|line| warning(line, &files, user)).collect()
}

/// The report about file number `n`: lines of fields with tabs between, the number first.
fn look(n: usize, file: &UserFile) -> Vec<String> {
    let mut text = Vec::new();
    let path = Path::new(file.path);
    if let Err(error) = File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut text)) {
        return vec![format!("{n}\t{}", encode(Err(fault(path, &error))))];
    }
    if text.len() as u64 == MOST {
        leave_whole_lines(&mut text);
    }
    let faults = htpasswd::faults(&text);
    let more = faults.len().saturating_sub(NAMED);
    let mut report: Vec<String> = faults
        .into_iter()
        .take(NAMED)
        .map(|fault| format!("{n}\t{}\t{}\t{}", fault.line, fault.what, fault.help))
        .collect();
    if let Some(last) = report.last_mut().filter(|_| more > 0) {
        last.push_str(&format!("; {more} more lines let nobody in"));
    }
    report
}

/// Drops what is left of the line that the end of the reading has cut.
fn leave_whole_lines(text: &mut Vec<u8>) {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    text.truncate(end);
}

fn warning(line: &str, files: &[UserFile], user: Option<&Credentials>) -> Option<conf::Error> {
    let mut fields = line.split('\t');
    let UserFile { path, span } = *files.get(fields.next()?.parse::<usize>().ok()?)?;
    let (what, help) = (fields.next()?, fields.next().zip(fields.next()));
    let at = |message: String| conf::Error::at(span, message);
    if let Some((sentence, help)) = help {
        return Some(at(format!("{path}:{what} {sentence}")).help(help));
    }
    Some(match decode(what)? {
        Fault::Missing => {
            let error = at(format!("the user file \"{path}\" does not exist"));
            match nearest(path) {
                Some(help) => error.help(help),
                None => error,
            }
        }
        Fault::Closed(len) => {
            let (name, help) = closed_to(user, path, len);
            at(format!("user \"{name}\" can't read the user file \"{path}\"")).help(help)
        }
        Fault::NoDirectory => return None,
        Fault::Failed(errno) => {
            let error = std::io::Error::from_raw_os_error(errno);
            at(format!("the user file \"{path}\" can't be read ({})", ErrnoText(&error)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_reading_has_cut_is_not_judged() {
        for (text, whole) in [("a:b\nc:d\ne:", "a:b\nc:d\n"), ("a:b\n", "a:b\n"), ("a:", ""), ("", "")] {
            let mut text = text.as_bytes().to_vec();
            leave_whole_lines(&mut text);
            assert_eq!(text, whole.as_bytes());
        }
    }
}

//! A failed system call, with its object, in nginx's words.

use std::fmt;
use std::io;
use std::path::Path;

/// `open() "/a/b" failed (2: No such file or directory)`.
#[derive(Debug)]
pub struct Failure {
    /// The call and its object: `open() "/a/b"`, `bind() to 0.0.0.0:80`.
    pub what: String,
    /// The error of the call.
    pub error: io::Error,
    /// Advice, as the end of the sentence.
    advice: Option<String>,
}

impl Failure {
    /// A call that failed on `what`.
    pub fn new(what: impl Into<String>, error: io::Error) -> Self {
        Self { what: what.into(), error, advice: None }
    }

    /// A call that failed on a file: `open() "/a/b"`.
    pub fn on_path(call: &str, path: &Path, error: io::Error) -> Self {
        Self::new(format!("{call}() \"{}\"", path.display()), error)
    }

    /// Adds advice: `... failed (97: Address family not supported by protocol): this kernel has no IPv6`.
    pub fn with_advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// The sentence without the advice, and the advice.
    pub fn parts(self) -> (String, Option<String>) {
        let Self { what, error, advice } = self;
        (Self::new(what, error).to_string(), advice)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed ({})", self.what, ErrnoText(&self.error))?;
        self.advice.iter().try_for_each(|advice| write!(f, ": {advice}"))
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Shows an error as nginx does, `2: No such file or directory`; an error without a number as its text alone.
pub struct ErrnoText<'a>(pub &'a io::Error);

impl fmt::Display for ErrnoText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match self.0.raw_os_error() {
            // std shows strerror()'s text, which is nginx's too, and then the number in its own way.
            Some(number) => write!(f, "{number}: {}", text.split(" (os error").next().unwrap_or(&text)),
            None => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_nginx() {
        let gone = std::fs::File::open("/no/such").unwrap_err();
        let failure = Failure::on_path("open", Path::new("/no/such"), gone);
        assert_eq!(failure.to_string(), "open() \"/no/such\" failed (2: No such file or directory)");
        let again = io::Error::from_raw_os_error(11);
        assert_eq!(ErrnoText(&again).to_string(), "11: Resource temporarily unavailable");
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(ErrnoText(&full).to_string(), "28: No space left on device");
        let family = Failure::new("socket() for [::]:80", io::Error::from_raw_os_error(97)).with_advice("leave it out");
        let expected = "socket() for [::]:80 failed (97: Address family not supported by protocol): leave it out";
        assert_eq!(family.to_string(), expected);
        assert_eq!(ErrnoText(&io::Error::other("odd")).to_string(), "odd");
    }
}

//! Runs of drover that end by themselves.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::server::Product;

/// The exit code and the words of a run that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// Runs drover to its end. It returns when all copies of its output are closed: a daemon that kept them would hang it.
pub fn drover(args: &[&str]) -> Ended {
    drover_in(Path::new("."), args)
}

/// [`drover`] with another working directory.
pub fn drover_in(dir: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(Product::Drover.binary());
    command.current_dir(dir).args(args).stdin(Stdio::null()).output().expect("run drover").into()
}

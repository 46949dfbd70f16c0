//! Runs ab or wrk, which are ended by a signal when their time is up.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::settings::{Settings, Target};
use crate::process::{KeptProcess, ProgramSpec};

/// Runs `program` for the length of the load. Returns its output and the share of a CPU that it used. Errors: it does
/// not start, or does not end.
pub(super) fn run(
    program: &Path,
    args: impl IntoIterator<Item = String>,
    settings: &Settings,
    target: &Target<'_>,
) -> Result<(String, f64)> {
    let spec = ProgramSpec {
        program: program.into(),
        args: args.into_iter().map(Into::into).collect(),
        cpus: target.cpus.to_vec(),
    };
    let mut kept = KeptProcess::start(&spec, &target.dir.join("tool.out"))?;
    let cpu_share = kept.run_for(settings.length, target.timeout + Duration::from_secs(5))?;
    Ok((kept.output(), cpu_share))
}

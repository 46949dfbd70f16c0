//! checks.json: which known facts `lab check` has found again, and where.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::SCHEMA;
use super::kept::keep_former;
use crate::environment::Environment;

/// `lab check` leaves this file; `lab compare` shows it with its own results in the same directory.
const FILE: &str = "checks.json";

/// The checks of one machine.
#[derive(Debug, Serialize, Deserialize)]
struct Checks {
    schema: String,
    environment: Environment,
    checks: Vec<Check>,
}

/// A fact about the models that is known from elsewhere, and was looked for here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Check {
    pub name: String,
    /// `None`: could not be looked for; `found` says why.
    pub holds: Option<bool>,
    pub found: String,
}

impl Check {
    /// The verdict in a word.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.holds {
            Some(true) => "holds",
            Some(false) => "FAILS",
            None => "skipped",
        }
    }
}

/// Writes checks.json into `dir`, which must be there.
pub(crate) fn write_checks(dir: &Path, environment: Environment, checks: Vec<Check>) -> Result<()> {
    keep_former(dir, &[FILE])?;
    let checks = Checks { schema: SCHEMA.to_owned(), environment, checks };
    Ok(std::fs::write(dir.join(FILE), serde_json::to_vec_pretty(&checks)?)?)
}

/// The checks in `dir`; none when there is no file, or another machine or kernel has written it.
pub(crate) fn read_checks(dir: &Path, here: &Environment) -> Vec<Check> {
    let text = std::fs::read(dir.join(FILE)).unwrap_or_default();
    let read = serde_json::from_slice::<Checks>(&text).ok().filter(|checks| {
        let there = &checks.environment;
        checks.schema == SCHEMA && (&there.kernel, &there.cpu, &there.cpus) == (&here.kernel, &here.cpu, &here.cpus)
    });
    read.map(|checks| checks.checks).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_of_this_machine_are_found_again_and_those_of_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let here = Environment::detect(None);
        assert!(read_checks(dir.path(), &here).is_empty());
        let check = Check { name: "the sun rises".into(), holds: Some(true), found: "it does".into() };
        write_checks(dir.path(), here.clone(), vec![check]).unwrap();
        assert_eq!(read_checks(dir.path(), &here).len(), 1);
        assert!(read_checks(dir.path(), &Environment { kernel: "Linux 0.1".into(), ..here }).is_empty());
    }
}

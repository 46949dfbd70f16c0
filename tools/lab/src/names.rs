//! Names on the command line: finding what they stand for, or saying "did you mean".

use anyhow::{Result, bail};

/// A suffix for an error: which of `known` may have been meant, or which there are.
pub(crate) fn hint(name: &str, known: &[&str]) -> String {
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), *k)).min();
    match near {
        Some((distance, near)) if distance <= name.len().max(3) / 3 => format!(": did you mean \"{near}\"?"),
        _ => format!(": there are {}", known.join(", ")),
    }
}

/// The item of `all` whose name is `name`. Error: there is none; `kind` names the kind of the item ("load").
pub(crate) fn find<'a, T>(name: &str, kind: &str, all: &'a [T], name_of: impl Fn(&T) -> &str) -> Result<&'a T> {
    if let Some(item) = all.iter().find(|item| name_of(item) == name) {
        return Ok(item);
    }
    let known: Vec<&str> = all.iter().map(&name_of).collect();
    bail!("unknown {kind} \"{name}\"{}", hint(name, &known))
}

/// The items that `text` names, with commas between them; `all` stands for all of them. Error: see `find`.
pub(crate) fn list<'a, T>(text: &str, kind: &str, all: &'a [T], name_of: impl Fn(&T) -> &str) -> Result<Vec<&'a T>> {
    match text {
        "all" => Ok(all.iter().collect()),
        _ => text.split(',').map(|name| find(name.trim(), kind, all, &name_of)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_far_ones_listed() {
        let known = ["accept_mutex", "herd", "exclusive"];
        assert_eq!(hint("acept_mutex", &known), ": did you mean \"accept_mutex\"?");
        assert_eq!(hint("qqqqqqqq", &known), ": there are accept_mutex, herd, exclusive");
    }

    #[test]
    fn lists_are_names_or_all_and_unknown_names_are_explained() {
        let known = ["stop", "kill", "slow"];
        let list = |text| list(text, "fault", &known, |name| name);
        assert_eq!(list("all").unwrap(), [&"stop", &"kill", &"slow"]);
        assert_eq!(list("slow, stop").unwrap(), [&"slow", &"stop"]);
        assert_eq!(list("stp").unwrap_err().to_string(), "unknown fault \"stp\": did you mean \"stop\"?");
    }
}

//! Former reports: a new report does not replace them, it numbers them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The name of the file `name` as the `n`th report: `results-3.json`.
fn with_number(name: &str, n: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}-{n}.{ending}"),
        None => format!("{name}-{n}"),
    }
}

/// The numbered files of `name` in `dir`, by their numbers, the latest last.
pub(crate) fn numbered(dir: &Path, name: &str) -> Vec<(u32, PathBuf)> {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let number = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_suffix(ending)?.strip_suffix('.')?.strip_prefix(stem)?;
        name.strip_prefix('-')?.parse().ok()
    };
    let mut found: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    found.sort();
    found
}

/// Gives the files `names` of the last report in `dir` the next number, all the same. Returns the number; `None` when
/// there is no former report.
pub(crate) fn keep_former(dir: &Path, names: &[&str]) -> Result<Option<u32>> {
    if !names.iter().any(|name| dir.join(name).exists()) {
        return Ok(None);
    }
    let last = names.iter().filter_map(|name| numbered(dir, name).last().map(|(n, _)| *n)).max();
    let next = last.unwrap_or(0) + 1;
    for name in names.iter().filter(|name| dir.join(name).exists()) {
        let path = dir.join(name);
        std::fs::rename(&path, dir.join(with_number(name, next))).with_context(|| path.display().to_string())?;
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn former_reports_get_the_next_number_and_the_last_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["results.json", "report.html"];
        let write = |text: &str| names.iter().for_each(|name| std::fs::write(dir.path().join(name), text).unwrap());
        assert_eq!(keep_former(dir.path(), &names).unwrap(), None);
        for (n, text) in ["one", "two", "three"].iter().enumerate() {
            write(text);
            assert_eq!(keep_former(dir.path(), &names).unwrap(), Some(n as u32 + 1));
        }
        std::fs::write(dir.path().join("results-x.json"), "").unwrap();
        let kept = numbered(dir.path(), "results.json");
        let texts: Vec<String> = kept.iter().map(|(_, path)| std::fs::read_to_string(path).unwrap()).collect();
        assert_eq!((kept[2].0, texts), (3, ["one", "two", "three"].map(str::to_owned).to_vec()));
        assert_eq!(numbered(dir.path(), "report.html").len(), 3);
    }
}

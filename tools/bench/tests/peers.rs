//! The arithmetic of `tools/bench/peers`, the reading of what clients say, the confs, and README's tables: by Python's
//! own tests. No server starts, and nothing is measured.

use std::path::Path;
use std::process::Command;

#[test]
fn the_tests_of_peers_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("python3");
    // Python leaves no compiled files among the sources.
    command.args(["-B", "-m", "unittest", "discover", "-s", "tests/peers"]);
    let output = command.current_dir(folder).env("PYTHONPATH", folder.join("peers")).output().expect("run python3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let count = said.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse::<u32>().ok());
    assert!(count >= Some(20), "tests were not found: {said}");
}

//! The machine: conditions that figures depend on beside the servers.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::server;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Environment {
    pub kernel: String,
    pub cpu: String,
    pub cpus: Vec<usize>,
    pub cgroup: String,
    /// CPU quota of the control group, in CPUs; missing: no quota.
    pub cpu_quota: Option<f64>,
    pub sysctls: Vec<(String, String)>,
    pub versions: Vec<(String, String)>,
    /// Load average over a minute when the lab began: the work of others.
    pub load_average: Option<f64>,
}

const SYSCTLS: &[&str] = &[
    "net/core/somaxconn",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/tcp_tw_reuse",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_migrate_req",
    "kernel/sched_autogroup_enabled",
];

impl Environment {
    /// Reads the conditions of this machine. `drover`: the binary of `--drover`.
    pub(crate) fn detect(drover: Option<&Path>) -> Environment {
        let read = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let sysctls = SYSCTLS.iter().map(|name| (name.replace('/', "."), read(&format!("/proc/sys/{name}"))));
        Environment {
            kernel: format!("{} {}", read("/proc/sys/kernel/ostype"), read("/proc/sys/kernel/osrelease")),
            cpu: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            cpus: crate::process::usable_cpus(),
            cgroup: read("/proc/self/cgroup").lines().next_back().unwrap_or_default().to_owned(),
            cpu_quota: cpu_quota(&read("/sys/fs/cgroup/cpu.max")),
            sysctls: sysctls.filter(|(_, value)| !value.is_empty()).collect(),
            versions: versions(drover),
            load_average: read("/proc/loadavg").split(' ').next().and_then(|word| word.parse().ok()),
        }
    }
}

/// Parses the `QUOTA PERIOD` of cgroup v2.
fn cpu_quota(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.trim().parse::<f64>().ok()?)
}

fn versions(drover: Option<&Path>) -> Vec<(String, String)> {
    let mut versions = vec![("lab".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let measured = match (drover, std::env::current_exe()) {
        (Some(path), _) => format!("{} ({})", version_line(path, &["-v"]), path.display()),
        (None, Ok(lab)) => format!("{} (linked into the lab)", version_line(&lab, &["drover", "-v"])),
        (None, Err(_)) => String::new(),
    };
    versions.push(("drover".to_owned(), measured));
    for (program, flag) in [("nginx", "-v"), ("h2o", "-v"), ("ab", "-V"), ("wrk", "-v")] {
        let Some(path) = crate::process::find(program) else { continue };
        versions.push((program.to_owned(), version_line(&path, &[flag])));
    }
    if let Some(path) = server::built_nginx() {
        versions.push((server::BUILT_NGINX.to_owned(), version_line(&path, &["-v"])));
    }
    versions
}

/// The first line that a program prints about its version.
fn version_line(program: &Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_of_a_control_group() {
        assert_eq!(cpu_quota("150000 100000"), Some(1.5));
        assert_eq!(cpu_quota("max 100000"), None);
        assert_eq!(cpu_quota(""), None);
    }

    #[test]
    fn the_machine_is_described() {
        let environment = Environment::detect(None);
        assert!(environment.kernel.starts_with("Linux ") && !environment.cpus.is_empty());
    }
}

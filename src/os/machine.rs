//! The machine: its name, and the CPUs that a process may use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPUs this process may run on, ascending.
pub fn cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(nix::unistd::Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
}

/// The CPUs that the kernel runs, ascending: those on which packets come in, whoever may run there.
pub fn online_cpus() -> io::Result<Vec<usize>> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online")?;
    let list = cpu_list(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a list of CPUs"))?;
    Ok(list)
}

/// Parses a list as "0-3,8" (cpuset(7), "List format").
fn cpu_list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(cpus)
}

/// Binds the calling thread to `cpus`; EINVAL when none of them exists.
pub fn set_cpus(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu)?;
    }
    Ok(sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?)
}

/// The number of CPUs whose time this process can use, at least 1, for `worker_processes auto`: the CPUs of the
/// affinity mask, and no more than the quota of its control groups (v1 and v2), rounded up.
pub fn usable_cpus() -> usize {
    let count = cpus().map_or(1, |c| c.len());
    let quota = cgroup_quota(Path::new("/proc/self/cgroup"), Path::new("/proc/self/mountinfo"));
    quota.map_or(count, |q| count.min(q.ceil() as usize)).max(1)
}

/// The least quota, in CPUs, of the process's control group and the groups above it.
fn cgroup_quota(cgroup: &Path, mountinfo: &Path) -> Option<f64> {
    let groups = fs::read_to_string(cgroup).ok()?;
    let mounts = fs::read_to_string(mountinfo).ok()?;
    let mut least: Option<f64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let v2 = controllers.is_empty();
        if !v2 && !controllers.split(',').any(|c| c == "cpu") {
            continue;
        }
        let Some((root, mount)) = cgroup_mount(&mounts, v2) else { continue };
        // In a container the mount shows a part of the tree: the group's name is relative to that part's root.
        let below = Path::new(group).strip_prefix(&root).unwrap_or(Path::new("")).to_owned();
        let full = mount.join(below);
        for dir in full.ancestors().take_while(|d| d.starts_with(&mount)) {
            let quota = if v2 { quota_v2(dir) } else { quota_v1(dir) };
            least = [least, quota].into_iter().flatten().reduce(f64::min);
        }
    }
    least
}

/// The root within the hierarchy, and the mount point, of the cgroup file system with the cpu controller
/// (proc_pid_mountinfo(5)).
fn cgroup_mount(mountinfo: &str, v2: bool) -> Option<(PathBuf, PathBuf)> {
    mountinfo.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let (kind, options) = (right.next()?, right.nth(1)?);
        let wanted = if v2 { kind == "cgroup2" } else { kind == "cgroup" && options.split(',').any(|o| o == "cpu") };
        wanted.then(|| (PathBuf::from(root), PathBuf::from(point)))
    })
}

/// `cpu.max`: "QUOTA PERIOD" in microseconds, or "max PERIOD".
fn quota_v2(dir: &Path) -> Option<f64> {
    let text = fs::read_to_string(dir.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    ratio(quota.parse().ok()?, period.parse().ok()?)
}

/// `cpu.cfs_quota_us`, -1 when there is none, and `cpu.cfs_period_us`.
fn quota_v1(dir: &Path) -> Option<f64> {
    let number = |file: &str| fs::read_to_string(dir.join(file)).ok()?.trim().parse::<i64>().ok();
    ratio(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

fn ratio(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// The name of this machine; empty if the kernel does not tell.
pub fn hostname() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in list {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("DIR", dir.path().to_str().unwrap())).unwrap();
        }
        dir
    }

    fn quota(list: &[(&str, &str)]) -> Option<f64> {
        let dir = files(list);
        cgroup_quota(&dir.path().join("cgroup"), &dir.path().join("mountinfo"))
    }

    #[test]
    fn quota_of_v2_is_the_least_up_the_tree() {
        let mountinfo = "35 25 0:30 / DIR/fs rw,nosuid - cgroup2 cgroup2 rw\n";
        let base = [("cgroup", "0::/a/b\n"), ("mountinfo", mountinfo)];
        let with = |inner, outer| {
            let mut list = base.to_vec();
            list.extend([("fs/a/b/cpu.max", inner), ("fs/a/cpu.max", outer)]);
            quota(&list)
        };
        assert_eq!(with("max 100000\n", "max 100000\n"), None);
        assert_eq!(with("max 100000\n", "250000 100000\n"), Some(2.5));
        assert_eq!(with("50000 100000\n", "250000 100000\n"), Some(0.5));
        assert_eq!(with("garbage\n", "\n"), None);
    }

    #[test]
    fn quota_of_v1_and_of_a_container_that_sees_a_part_of_the_tree() {
        let list = [
            ("cgroup", "5:devices:/x\n3:cpu,cpuacct:/docker/abc\n0::/\n"),
            ("mountinfo", "31 23 0:28 /docker/abc DIR/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"),
            ("cpu/cpu.cfs_quota_us", "150000\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
        ];
        assert_eq!(quota(&list), Some(1.5));
        let mut unlimited = list;
        unlimited[2].1 = "-1\n";
        assert_eq!(quota(&unlimited), None);
    }

    #[test]
    fn the_cpus_of_this_process_are_among_those_online() {
        assert_eq!(cpu_list("0-2,5,8-9\n"), Some(vec![0, 1, 2, 5, 8, 9]));
        assert_eq!([cpu_list(""), cpu_list("0-x")], [None, None]);
        let online = online_cpus().unwrap();
        assert!(cpus().unwrap().iter().all(|cpu| online.contains(cpu)), "{online:?}");
    }

    #[test]
    fn usable_cpus_is_within_the_affinity_mask() {
        let usable = usable_cpus();
        assert!(usable >= 1 && usable <= cpus().unwrap().len());
    }
}

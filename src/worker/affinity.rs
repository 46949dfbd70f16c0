//! The CPUs of the workers, and the workers of each CPU.

use std::collections::BTreeMap;

use crate::conf::{self, Args};
use crate::os::{CpuGroup, machine};

/// The bits of an affinity mask (CPU_SETSIZE).
const CPUS_MAX: usize = 1024;

/// The CPUs a worker runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Affinity {
    /// The kernel decides.
    #[default]
    Free,
    /// Each worker in turn has one of these CPUs, or of all CPUs when the list is empty.
    Auto(Vec<usize>),
    /// Each worker in turn has one of these sets of CPUs; workers beyond the list have the last.
    Masks(Vec<Vec<usize>>),
}

/// Parses the masks (ngx_set_cpu_affinity).
pub(super) fn affinity(a: &mut Args) -> Result<Affinity, conf::Error> {
    if a.str(0)? == "auto" {
        if a.len() > 2 {
            return Err(a.bad(2, "invalid number of arguments in \"worker_cpu_affinity\" directive"));
        }
        let mask = if a.len() == 2 { mask(a, 1)? } else { Vec::new() };
        return Ok(Affinity::Auto(mask));
    }
    (0..a.len()).map(|i| mask(a, i)).collect::<Result<_, _>>().map(Affinity::Masks)
}

fn mask(a: &Args, i: usize) -> Result<Vec<usize>, conf::Error> {
    let text = a.str(i)?;
    if text.len() > CPUS_MAX {
        return Err(a.bad(i, format!("\"worker_cpu_affinity\" supports up to {CPUS_MAX} CPUs only")));
    }
    if let Some(other) = text.chars().find(|c| !matches!(c, '0' | '1')) {
        return Err(a.bad(i, format!("invalid character \"{other}\" in \"worker_cpu_affinity\"")));
    }
    Ok(text.bytes().rev().enumerate().filter(|(_, digit)| *digit == b'1').map(|(cpu, _)| cpu).collect())
}

impl Affinity {
    /// The CPUs of worker `number`; `None`: any (ngx_get_cpu_affinity).
    pub(crate) fn of_worker(&self, number: u32) -> Option<Vec<usize>> {
        let number = number as usize;
        match self {
            Affinity::Free => None,
            Affinity::Masks(masks) => masks.get(number).or(masks.last()).cloned(),
            Affinity::Auto(cpus) => {
                let all = if cpus.is_empty() { machine::cpus().ok()? } else { cpus.clone() };
                let cpu = *all.get(number.checked_rem(all.len())?)?;
                Some(vec![cpu])
            }
        }
    }

    /// The CPUs among `online` to which worker `number` of `workers` belongs. Where the kernel decides, the workers
    /// belong to the CPUs in turn, and the CPUs to the workers in turn where there are more.
    fn among(&self, online: &[usize], number: u32, workers: u32) -> Vec<usize> {
        match self.of_worker(number) {
            Some(cpus) => cpus.into_iter().filter(|cpu| online.contains(cpu)).collect(),
            None => {
                let (number, turn) = (number as usize, online.len().min(workers as usize).max(1));
                let own = online.iter().enumerate().filter(|(at, _)| at % turn == number % turn);
                own.map(|(_, cpu)| *cpu).collect()
            }
        }
    }

    /// The workers of each of the CPUs `online`, for connections that are steered by CPU.
    pub(crate) fn workers_by_cpu(&self, online: &[usize], workers: u32) -> WorkersByCpu {
        let mut of_cpu: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        let mut nowhere = Vec::new();
        for number in 0..workers {
            let cpus = self.among(online, number, workers);
            if cpus.is_empty() {
                nowhere.push(number);
            }
            cpus.into_iter().for_each(|cpu| of_cpu.entry(cpu).or_default().push(number));
        }
        // Connections that come in on a CPU of no worker are spread over all workers.
        let idle = if of_cpu.len() < online.len() { Vec::new() } else { nowhere };
        let mut groups: BTreeMap<Vec<u32>, Vec<u32>> = BTreeMap::new();
        for (cpu, sockets) in of_cpu {
            groups.entry(sockets).or_default().push(cpu as u32);
        }
        let groups = groups.into_iter().map(|(sockets, cpus)| CpuGroup { cpus, sockets }).collect();
        WorkersByCpu { groups, idle }
    }
}

/// The workers of each CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkersByCpu {
    /// The CPUs, by the numbers of their workers.
    pub(crate) groups: Vec<CpuGroup>,
    /// The workers that get nothing: none of their CPUs exists, and no CPU is without a worker.
    pub(crate) idle: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CPUs and the workers that they have.
    type Group = (Vec<u32>, Vec<u32>);

    fn groups(affinity: &Affinity, cpus: &[usize], workers: u32) -> (Vec<Group>, Vec<u32>) {
        let found = affinity.workers_by_cpu(cpus, workers);
        (found.groups.into_iter().map(|group| (group.cpus, group.sockets)).collect(), found.idle)
    }

    #[test]
    fn a_cpu_has_the_workers_whose_mask_holds_it() {
        // `worker_cpu_affinity 10 01`: the last mask is for the rest.
        let crossed = Affinity::Masks(vec![vec![1], vec![0]]);
        assert_eq!(groups(&crossed, &[0, 1], 2), (vec![(vec![1], vec![0]), (vec![0], vec![1])], vec![]));
        assert_eq!(groups(&crossed, &[0, 1], 4), (vec![(vec![1], vec![0]), (vec![0], vec![1, 2, 3])], vec![]));
        let wide = Affinity::Masks(vec![vec![0, 1], vec![2, 3]]);
        assert_eq!(groups(&wide, &[0, 1, 2, 3], 2), (vec![(vec![0, 1], vec![0]), (vec![2, 3], vec![1])], vec![]));
        let auto = Affinity::Auto(vec![0, 1]);
        assert_eq!(groups(&auto, &[0, 1], 3), (vec![(vec![0], vec![0, 2]), (vec![1], vec![1])], vec![]));
    }

    #[test]
    fn workers_and_cpus_take_turns_where_the_kernel_decides() {
        assert_eq!(groups(&Affinity::Free, &[0, 1], 4), (vec![(vec![0], vec![0, 2]), (vec![1], vec![1, 3])], vec![]));
        assert_eq!(groups(&Affinity::Free, &[0, 4, 5], 2), (vec![(vec![0, 5], vec![0]), (vec![4], vec![1])], vec![]));
    }

    #[test]
    fn a_worker_whose_cpus_are_not_there_gets_what_comes_in_elsewhere_or_nothing() {
        let beyond = Affinity::Masks(vec![vec![0], vec![1], vec![6]]);
        assert_eq!(groups(&beyond, &[0, 1], 4).1, [2, 3]);
        assert_eq!(groups(&beyond, &[0, 1, 2], 4), (vec![(vec![0], vec![0]), (vec![1], vec![1])], vec![]));
        assert_eq!(groups(&Affinity::Masks(vec![vec![]]), &[0], 1).1, [0; 0]);
    }
}

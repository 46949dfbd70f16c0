//! The directives of a worker's process.

use super::affinity::{Affinity, affinity};
use crate::conf::{Contexts, Entry, Setting};

/// The directives that a child reads when it starts.
pub static DIRECTIVES: &[&dyn Entry] =
    &[&super::sandbox::SANDBOX, &WORKER_CPU_AFFINITY, &WORKER_RLIMIT_NOFILE, &WORKER_SHUTDOWN_TIMEOUT];

pub(crate) static WORKER_CPU_AFFINITY: Setting<Affinity> = Setting::one("worker_cpu_affinity", affinity)
    .contexts(Contexts::MAIN)
    .args(1, usize::MAX)
    .syntax("MASK ... | auto [MASK]")
    .about(
        "The CPUs each worker is bound to, as binary masks with CPU 0 at the right; `auto`: one CPU a worker, of those \
         in the mask. Without it, the kernel decides.",
    );

pub(crate) static WORKER_RLIMIT_NOFILE: Setting<Option<u64>> =
    Setting::one("worker_rlimit_nofile", |a| Ok(Some(a.count(0)?)))
        .contexts(Contexts::MAIN)
        .args(1, 1)
        .syntax("NUMBER")
        .about(
            "How many descriptors a worker may have open (RLIMIT_NOFILE); without it, as many as the master. For how \
             many connections and threads that is enough is counted when a worker starts; with a limit that prlimit(1) \
             lowers later, a worker closes idle connections for new ones, or leaves those to others.",
        );

pub(crate) static WORKER_SHUTDOWN_TIMEOUT: Setting<u64> =
    Setting::time_ms("worker_shutdown_timeout").contexts(Contexts::MAIN).default("0").about(
        "How long a worker that is leaving serves the connections it has, and waits until its clients have what they \
         were sent, before it closes them; 0: as long as it takes. Workers leave by themselves when the master was \
         killed: then 0 stands for five minutes.",
    );

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Registry, parse};
    use crate::os::machine;

    fn parsed(text: &str) -> Result<Affinity, String> {
        let registry = Registry::new(&[DIRECTIVES]);
        assert_eq!(registry.problems(), Vec::<String>::new());
        let conf = parse(&registry, text).map_err(|e| e.to_string())?;
        Ok(conf.root.scope.get(&WORKER_CPU_AFFINITY).clone())
    }

    #[test]
    fn masks_are_read_from_the_right_and_the_last_one_is_for_the_rest() {
        let masks = parsed("worker_cpu_affinity 0001 0110;").unwrap();
        assert_eq!([0, 1, 5].map(|n| masks.of_worker(n)), [Some(vec![0]), Some(vec![1, 2]), Some(vec![1, 2])]);
        assert_eq!(parsed("").unwrap().of_worker(0), None);
    }

    #[test]
    fn auto_gives_each_worker_one_cpu_in_turn() {
        let auto = parsed("worker_cpu_affinity auto 1010;").unwrap();
        assert_eq!([0, 1, 2].map(|n| auto.of_worker(n)), [Some(vec![1]), Some(vec![3]), Some(vec![1])]);
        let cpus = machine::cpus().unwrap();
        let auto = parsed("worker_cpu_affinity auto;").unwrap();
        assert_eq!(auto.of_worker(cpus.len() as u32), Some(vec![cpus[0]]));
        assert_eq!(
            parsed("worker_cpu_affinity auto 0;").unwrap().of_worker(0),
            machine::cpus().ok().map(|c| vec![c[0]])
        );
    }

    #[test]
    fn other_digits_are_an_error() {
        let error = parsed("worker_cpu_affinity 0102;").unwrap_err();
        assert!(error.contains("invalid character \"2\" in \"worker_cpu_affinity\""), "{error}");
        assert!(parsed(&format!("worker_cpu_affinity {};", "1".repeat(1025))).is_err());
    }
}

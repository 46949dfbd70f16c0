use super::*;
use crate::os::{Events, Links};

fn jobs(threads: usize, max_queue: usize) -> (Jobs, Poller) {
    let mut jobs = Jobs::new(&ThreadPools::default());
    (jobs.pools[0].threads, jobs.pools[0].max_queue) = (threads, max_queue);
    jobs.use_threads();
    (jobs, Poller::new().unwrap())
}

fn check(password: &str) -> Job {
    Job::Check([0; 32], Check { password: password.into(), hash: b"{PLAIN}secret".to_vec() })
}

fn list(path: &str) -> Job {
    Job::List(Listing { path: path.into(), links: Links::Follow, is_whole: false })
}

fn finished(jobs: &mut Jobs, poller: &Poller, count: usize) -> Vec<(u64, u32, Done)> {
    let (mut events, mut all) = (Events::with_capacity(4), Vec::new());
    while all.len() < count {
        poller.wait(&mut events, None).unwrap();
        assert_eq!(Source::of(events.iter().next().unwrap().0), Source::Jobs);
        all.extend(jobs.take_finished().into_iter().map(|finished| (finished.key, finished.stream, finished.done)));
    }
    all.sort_by_key(|(key, stream, _)| (*key, *stream));
    all
}

#[test]
fn the_loop_is_woken_with_each_result() {
    let (mut jobs, poller) = jobs(4, 10);
    jobs.ask(None, 0, check("secret"));
    jobs.submit(7, &poller);
    jobs.ask(None, 3, check("wrong"));
    jobs.ask(None, 5, list("/none"));
    jobs.submit(8, &poller);
    let all = finished(&mut jobs, &poller, 3);
    assert!(matches!(all[0], (7, 0, Done::Checked(_, true))), "{all:?}");
    assert!(matches!(all[1], (8, 3, Done::Checked(_, false))), "{all:?}");
    assert!(matches!(all[2], (8, 5, Done::Listed(Err(libc::ENOENT)))), "{all:?}");
    let started = jobs.pools[0].shared.lock().started;
    assert!((1..=3).contains(&started), "{started}");
}

#[test]
fn a_queue_that_is_full_refuses_and_names_no_more_than_wait() {
    // The one thread has nothing to do until this one lets go of the queue.
    let (jobs, poller) = jobs(1, 1);
    let results = Results::new(&poller).unwrap();
    let task = |key| Task { key, stream: 0, job: check("secret") };
    jobs.pools[0].shared.lock().busy = 1;
    assert!(jobs.pools[0].post(task(1), &results));
    jobs.pools[0].shared.lock().busy = 2;
    assert!(!jobs.pools[0].post(task(2), &results), "one waits, or is in hand");
    let (other, _) = self::jobs(1, 0);
    assert!(other.pools[0].post(task(3), &results), "a thread is free");
    other.pools[0].shared.lock().busy = 1;
    assert!(!other.pools[0].post(task(4), &results));
}

#[test]
fn few_threads_compute_and_the_kinds_take_turns() {
    let mut queue = Queue::default();
    for key in 0..4 {
        queue.computing.push_back(Task { key, stream: 0, job: check("x") });
        queue.waiting.push_back(Task { key: 10 + key, stream: 0, job: list("") });
    }
    let mut order = Vec::new();
    while let Some((task, _)) = queue.next() {
        order.push(task.key);
    }
    assert_eq!(order, [0, 10, 1, 11, 12, 13], "two compute at a time");
    assert_eq!((queue.ready(), queue.busy), (0, 6));
    queue.busy_computing -= 1;
    assert_eq!(queue.ready(), 1);
}

/// The thread goes on with the next job.
#[test]
fn a_job_that_panics_is_refused_and_costs_no_thread() {
    let (mut jobs, poller) = jobs(1, 10);
    let path = b"/panic-in-job/file".to_vec();
    let look = Look { path, links: Links::Follow, is_stat: false, known: None, max_body: 0, unix_ms: 0 };
    jobs.ask(None, 0, Job::Look(look));
    jobs.ask(None, 1, check("secret"));
    jobs.submit(7, &poller);
    let all = finished(&mut jobs, &poller, 2);
    assert!(matches!(all[..], [(7, 0, Done::Refused), (7, 1, Done::Checked(_, true))]), "{all:?}");
    assert_eq!(jobs.pools[0].shared.lock().started, 1);
}

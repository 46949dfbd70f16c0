//! `reuseport`: every worker has a listening socket of its own (SO_REUSEPORT), and the kernel chooses one for each
//! connection. In the field: nginx's `listen ... reuseport`, Envoy, HAProxy's shards.
//!
//! - `plan`: `worker_processes` workers, no dispatcher.
//! - `life`: the event loop, with the hooks `exclusive::Rotating`; a lone worker always listens.
//! - The loop: a worker's own sockets stay in its epoll set.
//! - `child_died`: nothing to mend: the master keeps the sockets, and the successor on the seat goes on with their
//!   backlogs.
//!
//! The master makes the sockets, before the fork, and keeps them by their number over reloads: worker 3 of the next
//! generation goes on with the queue of worker 3. A queue has one reader, so nobody competes and nobody is woken for
//! nothing; and nobody helps a worker that is slow. When workers become fewer, the master steers new connections away
//! from the sockets that are too many, and their workers take out what waits in them before they leave
//! (`master::bound::steer`).
//!
//! Unix sockets have no SO_REUSEPORT that spreads connections: all workers share them, as under `exclusive`.

use std::io;
use std::sync::Arc;

use super::exclusive::Rotating;
use super::model::{Always, Life, Model, ModelKind, Param, Places, Seat, Setup, Sockets, StandIn, Takes, workers};
use super::sockets::Rotation;
use crate::os::EventFd;

pub(super) static KIND: ModelKind = ModelKind {
    name: "reuseport",
    params: &[CPU],
    about: "Every worker has a listening socket of its own for each address (SO_REUSEPORT), and the kernel spreads \
            connections over them by a hash. With `cpu` a connection goes to a worker of the CPU that takes it in: one \
            whose worker_cpu_affinity holds that CPU, at random where there are several; without worker_cpu_affinity \
            the workers belong to the CPUs in turn. What a CPU without workers takes in is spread over all. Unix \
            sockets, which have no such thing, are shared.",
    places: Places::OfWorker,
    make,
};

const CPU: Param = Param { name: "cpu", takes: Takes::Number(0, 1), default: 0 };

struct Reuseport {
    workers: u32,
    by_cpu: bool,
    workers_waker: Arc<EventFd>,
    stand_in: Option<StandIn>,
}

fn make(setup: &Setup<'_>) -> io::Result<Arc<dyn Model>> {
    Ok(Arc::new(Reuseport::new(setup, None)?))
}

/// Makes the model in another's place. `reason`: as in `StandIn`.
pub(super) fn make_instead(setup: &Setup<'_>, reason: String) -> io::Result<Arc<dyn Model>> {
    Ok(Arc::new(Reuseport::new(setup, Some(StandIn { name: KIND.name, reason }))?))
}

impl Reuseport {
    fn new(setup: &Setup<'_>, stand_in: Option<StandIn>) -> io::Result<Reuseport> {
        let workers_waker = Arc::new(EventFd::new()?);
        Ok(Reuseport { workers: setup.workers, by_cpu: setup.param(&CPU) == 1, workers_waker, stand_in })
    }
}

impl Model for Reuseport {
    fn plan(&self) -> Vec<Seat> {
        workers(self.workers)
    }

    fn life(&self, _seat: Seat) -> Life {
        if self.workers < 2 {
            return Life::Loop(Box::new(Always { is_lone: true }));
        }
        Life::Loop(Box::new(Rotating::new(Rotation::EVERY, self.workers_waker.clone())))
    }

    fn stand_in(&self) -> Option<&StandIn> {
        self.stand_in.as_ref()
    }

    fn sockets(&self) -> Sockets {
        if self.by_cpu { Sockets::OwnByCpu } else { Sockets::Own }
    }
}

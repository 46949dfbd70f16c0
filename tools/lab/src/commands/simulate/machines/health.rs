//! The view that a balancer has of a machine that is restarted, by its health checks, and the times of that: as HAProxy
//! 2.6.12 was seen to do it.

use crate::commands::simulate::engine::SECOND;
use crate::results::Health;

/// The trouble that befalls the first machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trouble {
    pub kind: Kind,
    /// When, µs.
    pub at: f64,
    /// How long the server is gone, µs.
    pub down: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its health check answers 404 (`disable-on-404`); it ends when it has nothing left.
    Drained,
    /// Its processes die at once: what is on it is lost to it, and connections are refused.
    Killed,
    /// Its processes stand still: the kernel accepts connections, nobody answers. It is killed and started when the
    /// balancer has marked it down.
    Stopped,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Kind::Drained, Kind::Killed, Kind::Stopped];

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Drained => "drained",
            Kind::Killed => "killed",
            Kind::Stopped => "stopped",
        }
    }
}

/// Where in their intervals the checks are, from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phases {
    pub fails: f64,
    pub returns: f64,
}

/// The times of a restart, µs. An event without a time follows from another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    pub kind: Kind,
    pub fails: f64,
    /// The balancer sends nothing more from then on. `None`: the server is back before.
    pub seen: Option<f64>,
    pub starts: Option<f64>,
    /// From the end of a drained server to the start of the next.
    pub down: f64,
    /// From the start to the first request.
    pub rises: f64,
}

impl Health {
    pub(super) fn plan(&self, trouble: Trouble, phases: Phases) -> Plan {
        let Trouble { kind, at, down } = trouble;
        let more = f64::from(self.fall.saturating_sub(1));
        let first = at + phases.fails * self.inter * SECOND;
        let seen = match kind {
            // The first 404 counts.
            Kind::Drained => first,
            Kind::Killed => first + more * self.fastinter * SECOND,
            // A check that was not answered in time is followed by the next after `inter`, not `fastinter`.
            Kind::Stopped => first + (self.timeout + more * (self.inter + self.timeout)) * SECOND,
        };
        let starts = match kind {
            Kind::Drained => None,
            Kind::Killed => Some(at + down),
            Kind::Stopped => Some(seen + down),
        };
        let seen = Some(seen).filter(|seen| starts.is_none_or(|starts| *seen < starts));
        let again = f64::from(self.rise.saturating_sub(1)) * self.fastinter;
        let rises = (phases.returns * self.downinter + again) * SECOND;
        Plan { kind, fails: at, seen, starts, down, rises }
    }

    /// The weight of a machine so long after it came back, µs: HAProxy raises it every second, or at every twentieth of
    /// a longer `slowstart`.
    pub(super) fn weight_after(&self, us: f64) -> f64 {
        if us >= self.slowstart * SECOND {
            return 1.0;
        }
        let step = (self.slowstart / 20.0).max(1.0);
        // Weights are whole sixteenths.
        let share = (us / SECOND / step).floor() * step / self.slowstart;
        ((share * 16.0).ceil() / 16.0).clamp(1.0 / 16.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const CONF: Health = Health {
        inter: 1.0,
        fastinter: 0.5,
        downinter: 1.0,
        timeout: 0.5,
        fall: 2,
        rise: 2,
        slowstart: 10.0,
        retries: 3,
    };

    fn plan(kind: Kind, phase: f64) -> Plan {
        let trouble = Trouble { kind, at: 5.0 * SECOND, down: 2.0 * SECOND };
        CONF.plan(trouble, Phases { fails: phase, returns: 1.0 })
    }

    #[test]
    fn what_the_checks_see_is_what_haproxy_was_seen_to_do() {
        // Killed 0.2 s before a check: 2.6.12 said UP 1/2 at the check and DOWN half a second later; the next server
        // was UP 1/2 a second after its start at most, and UP half a second later.
        let killed = plan(Kind::Killed, 0.8);
        assert_eq!((killed.seen, killed.starts, killed.rises), (Some(6.3e6), Some(7e6), 1.5e6));
        // Stopped: UP 1/2 half a second after the check, DOWN another second and a half later.
        assert_eq!(plan(Kind::Stopped, 0.53).seen, Some(5e6 + 2.53e6));
        assert_eq!((plan(Kind::Drained, 0.4).seen, plan(Kind::Drained, 0.4).starts), (Some(5.4e6), None));
    }

    #[test]
    fn a_server_that_is_back_before_the_check_is_not_seen_to_fail() {
        let quick = Trouble { kind: Kind::Killed, at: 0.0, down: 0.3 * SECOND };
        assert_eq!(CONF.plan(quick, Phases { fails: 0.1, returns: 0.0 }).seen, None);
    }

    #[test]
    fn the_weight_comes_back_in_steps() {
        let weights = [0.0, 0.9, 1.0, 5.5, 9.9, 10.0].map(|s| CONF.weight_after(s * SECOND));
        assert_eq!(weights, [1.0 / 16.0, 1.0 / 16.0, 2.0 / 16.0, 0.5, 15.0 / 16.0, 1.0]);
        assert_eq!(Health { slowstart: 0.0, ..CONF }.weight_after(0.0), 1.0);
    }
}

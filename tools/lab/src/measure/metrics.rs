//! Every figure that is compared or shown: one entry each.

use super::figures::ServerFigures;
use crate::load::ClientFigures;

/// One figure of a measurement.
pub struct Metric {
    pub name: &'static str,
    pub title: &'static str,
    /// Empty for pure numbers.
    pub unit: &'static str,
    pub better: Better,
    /// Worthless when the client is the bottleneck. CPU per request and balance are not: they count what was done.
    pub needs_idle_client: bool,
    pub of: fn(&ClientFigures, &ServerFigures) -> Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
    /// Says something, but nobody's worth.
    Neither,
}

const fn latency(
    name: &'static str,
    title: &'static str,
    of: fn(&ClientFigures, &ServerFigures) -> Option<f64>,
) -> Metric {
    Metric { name, title, unit: "µs", better: Better::Lower, needs_idle_client: true, of }
}

const fn cost(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    of: fn(&ClientFigures, &ServerFigures) -> Option<f64>,
) -> Metric {
    Metric { name, title, unit, better: Better::Lower, needs_idle_client: false, of }
}

const fn share(
    name: &'static str,
    title: &'static str,
    of: fn(&ClientFigures, &ServerFigures) -> Option<f64>,
) -> Metric {
    Metric { name, title, unit: "", better: Better::Higher, needs_idle_client: false, of }
}

pub static METRICS: &[Metric] = &[
    Metric {
        name: "rate",
        title: "answered requests",
        unit: "/s",
        better: Better::Higher,
        needs_idle_client: true,
        of: |client, _| Some(client.rate),
    },
    latency("p50_us", "latency, median", |client, _| client.quantile(0.5)),
    latency("p90_us", "latency, 90 %", |client, _| client.quantile(0.9)),
    latency("p99_us", "latency, 99 %", |client, _| client.quantile(0.99)),
    latency("p999_us", "latency, 99.9 %", |client, _| client.quantile(0.999)),
    latency("p9999_us", "latency, 99.99 %", |client, _| client.quantile(0.9999)),
    latency("max_us", "latency, longest", |client, _| client.quantile(1.0)),
    cost("errors", "requests without a good answer", "", |client, _| Some(client.errors as f64)),
    cost("cpu_us_per_request", "server CPU per request", "µs", |_, server| server.cpu_us_per_request),
    cost("switches", "context switches per request", "", |_, server| server.switches_per_request),
    cost("wakeups", "wakeups per accept", "", |_, server| server.wakeups_per_accept),
    cost("empty_accepts", "empty accepts per accept", "", |_, server| server.empty_accepts_per_accept),
    cost("mutex_tries", "mutex tries per accept", "", |_, server| server.mutex_tries_per_accept),
    Metric {
        name: "mutex_hold_us",
        title: "mutex held each time",
        unit: "µs",
        better: Better::Neither,
        needs_idle_client: false,
        of: |_, server| server.mutex_hold_us,
    },
    Metric {
        name: "handoffs",
        title: "hand-offs per accept",
        unit: "",
        better: Better::Neither,
        needs_idle_client: false,
        of: |_, server| server.handoffs_per_accept,
    },
    cost("accept_delay_us", "wait for accept, mean", "µs", |_, server| server.accept_delay_us),
    cost("queue_mean", "accept queue, mean", "", |_, server| server.queue_mean),
    cost("queue_max", "accept queue, most", "", |_, server| server.queue_max),
    share("jain_connections", "Jain's index of connections", |_, server| server.jain_connections),
    share("jain_requests", "Jain's index of requests", |_, server| server.jain_requests),
    cost("memory_kib", "memory of all processes", "KiB", |_, server| server.memory_kib),
    cost("overflows", "connections dropped by a full queue", "", |_, server| server.overflows),
];

/// The metric of that name; all names that the lab itself uses exist (there is a test).
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_of_a_load_is_a_metric() {
        for load in crate::load::LOADS {
            for question in load.questions {
                assert!(metric(question).is_some_and(|m| m.better != Better::Neither), "{question} of {}", load.name);
            }
        }
    }
}

//! The metrics: an entry for every figure that is compared or shown.

use super::figures::ServerFigures;
use crate::load::ClientFigures;

/// A metric of a measurement.
pub(crate) struct Metric {
    pub name: &'static str,
    pub title: &'static str,
    /// The unit; empty for pure numbers.
    pub unit: &'static str,
    pub better: Better,
    /// Whether a client that is the bottleneck makes the figure worthless. CPU per request and balance only count what
    /// was done.
    pub needs_idle_client: bool,
    pub read: fn(&ClientFigures, &ServerFigures) -> Option<f64>,
    /// How the figures of all rounds become one.
    pub across: Across,
}

/// How the figures of the rounds become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Across {
    Median,
    /// The sum of all rounds: a median would hide bad news.
    Sum,
    /// The quantile of the latencies of all rounds together, where the tool reports each; otherwise the median of the
    /// rounds.
    Quantile(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
    /// The figure informs, but is neither good nor bad.
    Neither,
}

const fn latency(
    name: &'static str,
    title: &'static str,
    share: f64,
    read: fn(&ClientFigures, &ServerFigures) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        title,
        unit: "µs",
        better: Better::Lower,
        needs_idle_client: true,
        read,
        across: Across::Quantile(share),
    }
}

const fn cost(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    read: fn(&ClientFigures, &ServerFigures) -> Option<f64>,
) -> Metric {
    Metric { name, title, unit, better: Better::Lower, needs_idle_client: false, read, across: Across::Median }
}

const fn sum(name: &'static str, title: &'static str, of: fn(&ClientFigures, &ServerFigures) -> Option<f64>) -> Metric {
    Metric { across: Across::Sum, ..cost(name, title, "", of) }
}

const fn share(
    name: &'static str,
    title: &'static str,
    read: fn(&ClientFigures, &ServerFigures) -> Option<f64>,
) -> Metric {
    Metric { name, title, unit: "", better: Better::Higher, needs_idle_client: false, read, across: Across::Median }
}

pub(crate) static METRICS: &[Metric] = &[
    Metric {
        name: "rate",
        title: "answered requests",
        unit: "/s",
        better: Better::Higher,
        needs_idle_client: true,
        read: |client, _| Some(client.rate),
        across: Across::Median,
    },
    latency("p50_us", "latency, median", 0.5, |client, _| client.quantile(0.5)),
    latency("p90_us", "latency, 90 %", 0.9, |client, _| client.quantile(0.9)),
    latency("p99_us", "latency, 99 %", 0.99, |client, _| client.quantile(0.99)),
    latency("p999_us", "latency, 99.9 %", 0.999, |client, _| client.quantile(0.999)),
    latency("p9999_us", "latency, 99.99 %", 0.9999, |client, _| client.quantile(0.9999)),
    latency("max_us", "latency, longest", 1.0, |client, _| client.quantile(1.0)),
    sum("errors", "requests without a good answer", |client, _| Some(client.errors as f64)),
    sum("refused", "of these, refused", |client, _| Some(client.refused as f64)),
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
        read: |_, server| server.mutex_hold_us,
        across: Across::Median,
    },
    Metric {
        name: "handoffs",
        title: "hand-offs per accept",
        unit: "",
        better: Better::Neither,
        needs_idle_client: false,
        read: |_, server| server.handoffs_per_accept,
        across: Across::Median,
    },
    cost("accept_delay_us", "wait for accept, mean, by the queue", "µs", |_, server| server.accept_delay_us),
    cost("accept_delay_counted_us", "wait for accept, mean, by the ledger", "µs", |_, server| {
        server.accept_delay_counted_us
    }),
    cost("accept_delay_p99_us", "wait for accept, 99 % at most, by the ledger", "µs", |_, server| {
        server.accept_delay_p99_us
    }),
    cost("queue_mean", "accept queue, mean", "", |_, server| server.queue_mean),
    cost("queue_max", "accept queue, most", "", |_, server| server.queue_max),
    share("jain_connections", "Jain's index of connections", |_, server| server.jain_connections),
    share("jain_requests", "Jain's index of requests", |_, server| server.jain_requests),
    cost("memory_kib", "memory of all processes", "KiB", |_, server| server.memory_kib),
    cost("connection_kib", "memory for an idle connection", "KiB", |_, server| server.connection_kib),
    sum("overflows", "connections dropped by a full queue", |_, server| server.overflows),
];

/// The metric of that name. A test shows that all names exist that the lab itself uses.
pub(crate) fn metric(name: &str) -> Option<&'static Metric> {
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

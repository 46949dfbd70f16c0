//! Advice from the ledger of a running drover: two readings of its JSON view.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::advice::Advice;
use crate::report::number;
use crate::stats::jain;

/// Fewer accepts than this between the readings are chance.
const LEAST_ACCEPTS: f64 = 200.0;
/// With fewer new connections a second than this, no model costs a hundredth of a CPU.
const FEW: f64 = 100.0;
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads `http://HOST:PORT/PATH`, a location with a `ledger;` directive. Errors: no answer, no ledger, another version.
pub(super) fn read(url: &str) -> Result<Value> {
    let rest = url.strip_prefix("http://").context("--ledger wants http://HOST:PORT/PATH")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    // [::1] has colons, but no port.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
    let address = with_port.to_socket_addrs().with_context(|| with_port.clone())?.next().context("no such host")?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| url.to_owned())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| url.to_owned())?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    match head.split(' ').nth(1) {
        Some("200") => {}
        status => bail!("{url} answers {}", status.unwrap_or("nothing")),
    }
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    match value["schema"].as_u64() {
        Some(1) => Ok(value),
        Some(schema) => bail!("{url}: ledger schema {schema}, but this lab reads 1"),
        None => bail!("{url} is not a ledger (is \"ledger;\" in that location?)"),
    }
}

/// The living processes of a reading, of the generation that is in service or of older ones (`in_service`); of a role,
/// or of all.
fn processes<'a>(reading: &'a Value, role: Option<&str>, in_service: bool) -> Vec<&'a Value> {
    let all = reading["processes"].as_array().into_iter().flatten();
    let of_role = all.filter(|process| role.is_none_or(|role| process["role"] == role));
    of_role.filter(|process| (process["generation"] == reading["generation"]) == in_service).collect()
}

fn count(counters: &Value, name: &str) -> f64 {
    counters[name].as_f64().unwrap_or(0.0)
}

/// The increase of a counter of `process` since the first reading.
fn since(first: &Value, process: &Value, name: &str) -> f64 {
    let before = first["processes"].as_array().into_iter().flatten().find(|old| old["pid"] == process["pid"]);
    count(process, name) - before.map_or(0.0, |old| count(old, name))
}

/// Why two readings can't be compared.
fn changed(first: &Value, second: &Value) -> Option<&'static str> {
    if first["started_unix_ms"] != second["started_unix_ms"] {
        Some("drover was started again while it was watched: watch it again")
    } else if first["generation"] != second["generation"] {
        Some("drover was reloaded while it was watched: watch it again")
    } else {
        None
    }
}

/// The activity between two readings.
struct Activity {
    model: String,
    seconds: f64,
    accepts: f64,
    requests: f64,
    empty: f64,
    wakeups: f64,
    connections: f64,
    workers: usize,
    /// Jain's index of the accepts, and of the open connections.
    jain_accepts: Option<f64>,
    jain_open: Option<f64>,
}

impl Activity {
    /// The activity of the conf that is in service: workers of older confs only finish their connections.
    fn between(first: &Value, second: &Value) -> Result<Activity> {
        let ms = second["time_unix_ms"].as_f64().context("time_unix_ms")?
            - first["time_unix_ms"].as_f64().context("time_unix_ms")?;
        let (workers, of_older) = (processes(second, Some("worker"), true), processes(second, None, false));
        let more = |name: &str| {
            let all = count(&second["totals"], name) - count(&first["totals"], name);
            (all - of_older.iter().map(|old| since(first, old, name)).sum::<f64>()).max(0.0)
        };
        let accepts: Vec<f64> = workers.iter().map(|worker| since(first, worker, "accepts")).collect();
        let open: Vec<f64> = workers.iter().map(|worker| count(worker, "connections")).collect();
        Ok(Activity {
            model: second["dispatch"]["model"].as_str().unwrap_or("unknown").to_owned(),
            seconds: (ms / 1e3).max(1e-3),
            accepts: more("accepts"),
            requests: more("requests"),
            empty: more("empty_accepts"),
            wakeups: more("wakeups"),
            connections: open.iter().sum(),
            workers: workers.len(),
            jain_accepts: jain(&accepts),
            jain_open: jain(&open),
        })
    }

    fn figures(&self) -> Vec<(String, String)> {
        let per_accept = |n: f64| if self.accepts > 0.0 { number(n / self.accepts) } else { "-".to_owned() };
        let jain = |index: Option<f64>| index.map_or("-".to_owned(), number);
        [
            ("model now", self.model.clone()),
            ("workers", self.workers.to_string()),
            ("seconds watched", number(self.seconds)),
            ("new connections a second", number(self.accepts / self.seconds)),
            ("requests for each connection", per_accept(self.requests)),
            ("wakeups for each accept", per_accept(self.wakeups)),
            ("empty accepts for each accept", per_accept(self.empty)),
            ("open connections", number(self.connections)),
            ("Jain's index of new connections", jain(self.jain_accepts)),
            ("Jain's index of open connections", jain(self.jain_open)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// The rules. Each reason names the figure that it rests on.
pub(super) fn advise(first: &Value, second: &Value) -> Result<Advice> {
    if let Some(why) = changed(first, second) {
        return Ok(Advice { reasons: vec![why.to_owned()], ..Advice::default() });
    }
    let activity = Activity::between(first, second)?;
    let mut advice = Advice { figures: activity.figures(), ..Advice::default() };
    let mut say = |model: &str, reason: String| {
        advice.model = Some(model.to_owned());
        advice.reasons.push(reason);
    };
    let rate = activity.accepts / activity.seconds;
    let many_open = activity.connections >= 25.0 * activity.workers as f64;
    if activity.workers < 2 {
        say(&activity.model, format!("{} worker: there is nobody to share with", activity.workers));
    } else if many_open && activity.jain_open.is_some_and(|index| index < 0.8) {
        let index = number(activity.jain_open.unwrap_or_default());
        say(
            "accept_handoff",
            format!(
                "connections stay open and are unevenly spread (Jain's index {index}): hand the next one to the worker \
                 with the fewest"
            ),
        );
    } else if activity.accepts < LEAST_ACCEPTS {
        advice.reasons.push(format!(
            "{} new connections while watching; {LEAST_ACCEPTS} are needed (see --seconds)",
            activity.accepts
        ));
    } else if activity.empty > 0.2 * activity.accepts && activity.model == "herd" {
        say(
            "exclusive",
            format!("{} wakeups of {} found nothing: let the kernel wake one worker", activity.empty, activity.wakeups),
        );
    } else if rate < FEW {
        say(&activity.model, format!("{} new connections a second: no model costs a hundredth of a CPU", number(rate)));
    } else if activity.jain_accepts.is_some_and(|index| index < 0.5) && rate > 5_000.0 {
        let index = number(activity.jain_accepts.unwrap_or_default());
        say(
            "exclusive",
            format!(
                "{} new connections a second, nearly all for few workers (Jain's index {index}): others may be idle \
                 while these are busy",
                number(rate)
            ),
        );
    } else {
        say(&activity.model, "nothing in these figures speaks against the model that runs".to_owned());
        advice.reasons.push("what it costs against others: lab compare".to_owned());
    }
    Ok(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ledger(model: &str, seconds: u64, workers: &[(u64, u64)], empty: u64) -> Value {
        let process = |(pid, (accepts, open)): (usize, &(u64, u64))| {
            let mut process = json!({"pid": pid, "role": "worker", "generation": 2});
            (process["accepts"], process["connections"]) = (json!(accepts), json!(open));
            process
        };
        let processes: Vec<Value> = workers.iter().enumerate().map(process).collect();
        let accepts: u64 = workers.iter().map(|(accepts, _)| accepts).sum();
        json!({
            "schema": 1, "generation": 2, "started_unix_ms": 5, "time_unix_ms": seconds * 1000,
            "dispatch": {"model": model}, "processes": processes,
            "totals": {"accepts": accepts, "requests": accepts, "wakeups": accepts + empty, "empty_accepts": empty},
        })
    }

    fn advised(model: &str, workers: &[(u64, u64)], empty: u64) -> Advice {
        let nothing: Vec<(u64, u64)> = workers.iter().map(|_| (0, 0)).collect();
        advise(&ledger(model, 0, &nothing, 0), &ledger(model, 10, workers, empty)).unwrap()
    }

    #[test]
    fn the_figures_decide() {
        let found = |model, workers: &[(u64, u64)], empty| advised(model, workers, empty).model;
        assert_eq!(found("accept_mutex", &[(400, 400), (0, 0), (0, 0), (0, 0)], 0).as_deref(), Some("accept_handoff"));
        assert_eq!(found("herd", &[(5000, 0), (5000, 0)], 9000).as_deref(), Some("exclusive"));
        assert_eq!(found("accept_mutex", &[(99_000, 1), (0, 0), (0, 0)], 0).as_deref(), Some("exclusive"));
        assert_eq!(found("accept_mutex", &[(300, 0), (0, 0)], 0).as_deref(), Some("accept_mutex"));
        assert_eq!(found("reuseport", &[(5000, 3), (5100, 2)], 0).as_deref(), Some("reuseport"));
    }

    #[test]
    fn few_connections_are_not_enough_evidence() {
        let found = advised("exclusive", &[(20, 0), (3, 0)], 0);
        assert_eq!(found.model, None);
        assert!(found.reasons[0].starts_with("23 new connections"), "{:?}", found.reasons);
    }
    #[test]
    fn workers_of_a_conf_that_is_no_longer_in_service_do_not_count() {
        let (first, mut second) = (
            ledger("exclusive", 0, &[(0, 0); 4], 0),
            ledger("exclusive", 10, &[(5000, 3), (5100, 2), (0, 60), (7, 60)], 0),
        );
        for old in [2, 3] {
            second["processes"][old]["generation"] = 1.into();
        }
        let activity = Activity::between(&first, &second).unwrap();
        assert_eq!((activity.workers, activity.connections, activity.accepts), (2, 5.0, 10_100.0));
        assert!(activity.jain_accepts.unwrap() > 0.99 && activity.jain_open.unwrap() > 0.95);
        assert_eq!(advise(&first, &second).unwrap().model.as_deref(), Some("exclusive"));
    }

    #[test]
    fn a_reload_or_another_start_between_the_looks_is_said() {
        for (member, expected) in [("generation", "was reloaded"), ("started_unix_ms", "was started again")] {
            let (first, mut second) =
                (ledger("herd", 0, &[(0, 0); 2], 0), ledger("herd", 10, &[(5000, 0), (5000, 0)], 9000));
            second[member] = 9.into();
            let found = advise(&first, &second).unwrap();
            assert!(found.model.is_none() && found.reasons[0].contains(expected), "{:?}", found.reasons);
        }
    }
}

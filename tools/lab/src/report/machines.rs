//! The reports of `lab simulate --machines`: the calculated figures, marked as such, and what was measured for them.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::chart::{self, escape};
use super::html::page;
use super::simulation::{check, checked_lines, rate, table};
use super::text::{number, time, wrap};
use crate::results::{BalancerCost, GrowthRow, Machines, RestartRow, TRUSTED, UnevenRow, keep_former};

/// Writes machines.json and machines.html.
pub(crate) fn write_machines(machines: &Machines, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    keep_former(dir, &["machines.json", "machines.html"])?;
    std::fs::write(dir.join("machines.json"), serde_json::to_vec_pretty(machines)?)?;
    Ok(std::fs::write(dir.join("machines.html"), html(machines))?)
}

/// A figure, unless the check failed that it follows from.
fn unless(failed: bool, figure: String) -> String {
    if failed { "?".to_owned() } else { figure }
}

/// A latency, or why there is none.
fn latency(us: f64, overloaded: bool, failed: bool) -> String {
    match (failed, overloaded) {
        (true, _) => "?".to_owned(),
        (_, true) => "full".to_owned(),
        _ => time(us),
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The check of a cost of the balancer, in words.
fn checked(cost: &BalancerCost) -> String {
    match (cost.checked, cost.error()) {
        (Some(check), Some(error)) => format!(
            "at {} /s {} measured, {} calculated: {:.0} % off{}",
            number(check.rate),
            time(check.measured_us),
            time(check.simulated_us),
            error * 100.0,
            if cost.has_failed() { ", NOT SHOWN" } else { "" }
        ),
        _ => "not measured".to_owned(),
    }
}

/// The cost of the balancer, in sentences.
fn balancer(machines: &Machines) -> Vec<String> {
    let notes = &machines.balancer;
    let Some(version) = &notes.version else {
        return vec![format!(
            "GIVEN, not measured: a request costs the balancer {} of a thread.",
            time(notes.short.busy_us)
        )];
    };
    let line = |name: &str, cost: &BalancerCost| {
        format!(
            "{name}: {} of a thread, {} more to sleep and wake; {}",
            time(cost.busy_us),
            time(cost.wake_us),
            checked(cost)
        )
    };
    let mut lines = vec![format!("MEASURED here: HAProxy {version} in front of one machine, CPU time for a request")];
    lines.push(line("a connection for each", &notes.short));
    lines.extend(notes.kept.iter().map(|cost| line("connections that stay", cost)));
    lines
}

/// Where the balancer is the limit, in sentences.
fn limits(machines: &Machines) -> Vec<String> {
    let threads = machines.balancer.threads;
    // The rows of one machine: what it takes.
    let Some(each) = machines.growth.iter().map(|row| row.rate / row.machines as f64).next() else { return Vec::new() };
    let line = |name: &str, cost: &BalancerCost| match cost.has_failed() {
        true => format!("{name}: ? (the check of its cost failed)"),
        false => format!(
            "{name}: {} /s a thread, {} /s with {}",
            rate(cost.limit()),
            rate(cost.limit() * threads as f64),
            plural(threads, "thread")
        ),
    };
    let mut lines = vec![line("a connection for each request", &machines.balancer.short)];
    if !machines.balancer.short.has_failed() {
        lines[0].push_str(&format!(
            ": as much as {} machines take at {:.0} %",
            number(machines.balancer.short.limit() * threads as f64 / each),
            machines.utilisation * 100.0
        ));
    }
    lines.extend(machines.balancer.kept.iter().map(|cost| line("connections that stay", cost)));
    lines
}

/// How far to trust p50 and p99, in a sentence.
fn trust(machines: &Machines) -> String {
    let said = |error: Option<f64>| error.map_or("not checked".to_owned(), |error| format!("±{:.0} %", error * 100.0));
    let [cpu, p50, p99] = machines.errors().map(said);
    format!(
        "One machine was checked (greatest error): CPU/request {cpu}, p50 {p50}, p99 {p99}. What is off by over {:.0} \
         % there, or follows from a cost that is, is not shown: ?. full: more arrives than can be served. Several \
         machines, the network ({} from the balancer to a machine and back) and restarts were not measured.",
        TRUSTED * 100.0,
        time(machines.network_us)
    )
}

/// The subject of the simulation, in a sentence.
fn subject(machines: &Machines) -> String {
    let unchecked = if machines.machine_cpus == machines.checked_cpus {
        String::new()
    } else {
        format!(" (measured with {})", plural(machines.checked_cpus, "CPU"))
    };
    format!(
        "machines of {}{unchecked} with {} under {}, {:.0} % busy, a connection for each request; {} % of them \
         cost {} times as much, latency is that of the others",
        plural(machines.machine_cpus, "CPU"),
        plural(machines.workers, "worker"),
        machines.model,
        machines.utilisation * 100.0,
        number(machines.heavy * 100.0),
        number(machines.heavy_factor)
    )
}

/// The kinds of a restart and its settings, in sentences.
fn restart_notes(machines: &Machines) -> String {
    let health = machines.health;
    format!(
        "drained: its check says 404, it ends when it has nothing left. killed: at once, connections are refused. \
         stopped: it hangs until it is down for the balancer. Gone for {} s; inter {} s, fastinter {} s, timeout \
         check {} s, fall {}, rise {}, slowstart {} s, retries {}",
        number(machines.down),
        number(health.inter),
        number(health.fastinter),
        number(health.timeout),
        health.fall,
        health.rise,
        number(health.slowstart),
        health.retries
    )
}

/// The rows of one kind, by policy: for each of their keys the cells of all policies side by side.
fn side_by_side<'a, R, K: PartialEq>(
    rows: &'a [R],
    policies: &[String],
    key: impl Fn(&R) -> K,
    policy: impl Fn(&R) -> &str,
) -> Vec<Vec<&'a R>> {
    let mut keys: Vec<K> = Vec::new();
    for row in rows {
        if !keys.contains(&key(row)) {
            keys.push(key(row));
        }
    }
    let mut all = Vec::new();
    for wanted in &keys {
        let of = |p: &String| rows.iter().find(|row| key(row) == *wanted && policy(row) == p);
        all.push(policies.iter().filter_map(of).collect());
    }
    all
}

/// The heads of the columns, the names of the policies above them.
fn heads(out: &mut String, policies: &[String], first: &str, columns: &str) {
    let _ = write!(out, "{:<19}", "");
    policies.iter().for_each(|policy| out.push_str(&format!(" {policy:>19}")));
    let _ = write!(out, "\n{first:<19}");
    policies.iter().for_each(|_| out.push_str(&format!(" {columns:>19}")));
    out.push('\n');
}

fn growth_lines(out: &mut String, machines: &Machines) {
    let [no_counts, no_p50, no_p99] = machines.failed();
    heads(out, &machines.policies, "SIMULATED req/s bal", "p50      p99");
    let by = side_by_side(&machines.growth, &machines.policies, |row| row.machines, |row| &row.policy);
    for rows in by {
        let Some(first) = rows.first() else { continue };
        let busy = unless(no_counts, format!("{:.0}%", first.balancer_busy * 100.0));
        let _ = write!(out, "{:>6} {:>6} {:>5}", first.machines, rate(first.rate), busy);
        for row in rows {
            let (p50, p99) = (latency(row.p50_us, row.overloaded, no_p50), latency(row.p99_us, row.overloaded, no_p99));
            let _ = write!(out, " {p50:>10}{p99:>9}");
        }
        out.push('\n');
    }
}

fn restart_lines(out: &mut String, machines: &Machines) {
    let [no_counts, _, no_p99] = machines.failed();
    heads(out, &machines.policies, "SIMULATED", "p99  again lost");
    let key = |row: &RestartRow| (row.machines, row.kind.clone());
    let mut before = 0;
    for rows in side_by_side(&machines.restarts, &machines.policies, key, |row| &row.policy) {
        let Some(first) = rows.first() else { continue };
        if first.machines != before {
            before = first.machines;
            let _ = write!(out, "{:>6} {:<12}", first.machines, "before");
            rows.iter().for_each(|row| {
                let _ = write!(out, " {:>9}{:>10}", latency(row.p99_before_us, false, no_p99), "");
            });
            *out = out.trim_end().to_owned() + "\n";
        }
        let _ = write!(out, "{:>6} {:<12}", "", first.kind);
        for row in rows {
            let p99 = latency(row.p99_us, row.overloaded, no_p99);
            let [again, lost] = [row.again, row.lost].map(|count| unless(no_counts, rate(count as f64)));
            let _ = write!(out, " {p99:>9}{again:>6}{lost:>4}");
        }
        out.push('\n');
    }
}

fn uneven_lines(out: &mut String, machines: &Machines) {
    let no_p99 = machines.failed()[2];
    heads(out, &machines.policies, "SIMULATED", "even   uneven");
    let by = side_by_side(&machines.uneven, &machines.policies, |row| row.machines, |row| &row.policy);
    for rows in by {
        let Some(first) = rows.first() else { continue };
        let _ = write!(out, "{:>6} {:<12}", first.machines, "p99");
        for row in rows {
            let (even, uneven) = (latency(row.p99_even_us, false, no_p99), latency(row.p99_us, row.overloaded, no_p99));
            let _ = write!(out, " {even:>9}{uneven:>10}");
        }
        out.push('\n');
    }
}

/// The report for a terminal of 80 columns.
pub(crate) fn machines_table(machines: &Machines) -> String {
    let mut out = checked_lines(&machines.checked);
    out.push('\n');
    let say = |out: &mut String, text: &str| out.push_str(&wrap(text, "  ", 79));
    balancer(machines).iter().for_each(|line| say(&mut out, line));
    out.push('\n');
    say(&mut out, &format!("SIMULATED: {}.", subject(machines)));
    say(&mut out, &trust(machines));
    out.push_str("\nWhere the balancer is the limit (SIMULATED)\n");
    limits(machines).iter().for_each(|line| say(&mut out, line));
    let threads = plural(machines.balancer.threads, "thread");
    say(&mut out, &format!("p50 and p99 by the number of machines; bal: how busy {threads} of the balancer would be"));
    growth_lines(&mut out, machines);
    if !machines.restarts.is_empty() {
        out.push_str("\nA restart of one of them (SIMULATED); the balancer has the threads that it needs\n");
        say(&mut out, &restart_notes(machines));
        let window = number(machines.window);
        say(
            &mut out,
            &format!("p99 of the {window} s from its beginning on; again: requests that it failed and another got"),
        );
        restart_lines(&mut out, machines);
    }
    if !machines.uneven.is_empty() {
        out.push_str("\nOne of them at half the speed (SIMULATED), the same requests\n");
        uneven_lines(&mut out, machines);
    }
    machines.notes.iter().for_each(|note| say(&mut out, note));
    out
}

fn html(machines: &Machines) -> String {
    let mut body = String::from("<h1>Simulated: several machines behind a balancer</h1>\n");
    let _ = writeln!(body, "<p class='banner'>A simulation of {}.</p>", escape(&subject(machines)));
    let _ = writeln!(body, "<p>{}</p>", escape(&trust(machines)));
    let list = |lines: Vec<String>| lines.iter().map(|line| format!("<li>{}</li>", escape(line))).collect::<String>();
    let _ = writeln!(body, "<h2>What the balancer costs</h2>\n<ul>{}</ul>", list(balancer(machines)));
    let _ = writeln!(body, "<h2>Where it is the limit (simulated)</h2>\n<ul>{}</ul>", list(limits(machines)));
    body.push_str(&curves(machines));
    body.push_str(&growth_table(machines));
    body.push_str(&restarts(machines));
    body.push_str(&uneven(machines));
    body.push_str(&check(&machines.checked));
    page("drover lab: machines behind a balancer", &body)
}

fn curves(machines: &Machines) -> String {
    if machines.failed()[2] {
        return "<p><b>No chart of p99: the check failed.</b></p>\n".to_owned();
    }
    let of = |policy: &String| -> Vec<(f64, f64)> {
        let rows = machines.growth.iter().filter(|row| row.policy == *policy && !row.overloaded);
        rows.map(|row| (row.machines as f64, row.p99_us)).collect()
    };
    let series: Vec<Vec<(f64, f64)>> = machines.policies.iter().map(of).collect();
    format!(
        "<h2>99 % of the requests are answered within (simulated)</h2>\n{}{}",
        chart::key(&machines.policies),
        chart::growth("simulated latency by machines", "machines", &series)
    )
}

fn growth_table(machines: &Machines) -> String {
    let [no_counts, no_p50, no_p99] = machines.failed();
    let row = |row: &GrowthRow| {
        vec![
            row.policy.clone(),
            row.machines.to_string(),
            format!("{} /s", rate(row.rate)),
            unless(no_counts, format!("{:.0} %", row.balancer_busy * 100.0)),
            unless(no_counts, row.threads_needed.to_string()),
            latency(row.p50_us, row.overloaded, no_p50),
            latency(row.p99_us, row.overloaded, no_p99),
        ]
    };
    let headings = ["policy", "machines", "load", "balancer busy", "threads for 70 %", "p50", "p99"];
    table(&headings, machines.growth.iter().map(row))
}

fn restarts(machines: &Machines) -> String {
    let [no_counts, _, no_p99] = machines.failed();
    let count = |count: usize| unless(no_counts, count.to_string());
    let seconds = |at: Option<f64>| at.map_or("–".to_owned(), |at| format!("{} s", number(at)));
    let row = |row: &RestartRow| {
        vec![
            row.kind.clone(),
            row.policy.clone(),
            row.machines.to_string(),
            latency(row.p99_before_us, false, no_p99),
            latency(row.p99_us, row.overloaded, no_p99),
            latency(row.longest_us, row.overloaded, no_p99),
            count(row.on_it),
            count(row.again),
            count(row.lost),
            seconds(row.seen_s),
            seconds(row.back_s),
        ]
    };
    let headings = [
        "restart",
        "policy",
        "machines",
        "p99 before",
        "p99",
        "longest",
        "on it",
        "again",
        "lost",
        "seen after",
        "back after",
    ];
    format!(
        "<h2>A restart of one of them (simulated)</h2>\n<p>{}.</p>\n{}",
        escape(&restart_notes(machines)),
        table(&headings, machines.restarts.iter().map(row))
    )
}

fn uneven(machines: &Machines) -> String {
    let [no_counts, _, no_p99] = machines.failed();
    let row = |row: &UnevenRow| {
        vec![
            row.policy.clone(),
            row.machines.to_string(),
            latency(row.p99_even_us, false, no_p99),
            latency(row.p99_us, row.overloaded, no_p99),
            unless(no_counts, format!("{:.0} %", row.slow_share * 100.0)),
        ]
    };
    let headings = ["policy", "machines", "p99, all alike", "p99, one at half the speed", "its share of another's"];
    let rows = table(&headings, machines.uneven.iter().map(row));
    format!("<h2>One of them at half the speed (simulated)</h2>\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{BalancerCheck, BalancerNotes, Checked, Figures};

    fn figures(p99_us: f64) -> Figures {
        Figures { cpu_us: 45.6, p50_us: 123.0, p99_us, jain: Some(0.5) }
    }

    fn machines() -> Machines {
        let policies = ["leastconn", "roundrobin", "random(2)"].map(str::to_owned).to_vec();
        let check = BalancerCheck { rate: 4000.0, measured_us: 61.0, simulated_us: 66.0 };
        let cost = BalancerCost { busy_us: 52.0, wake_us: 21.0, checked: Some(check) };
        let growth = |policy: &String, machines: usize| GrowthRow {
            policy: policy.clone(),
            machines,
            rate: 1_234_567.0,
            balancer_busy: 12.34,
            threads_needed: 12,
            p50_us: 123_456.0,
            p99_us: 4_567_890.0,
            overloaded: machines > 2,
        };
        let restart = |policy: &String, kind: &str| RestartRow {
            kind: kind.to_owned(),
            policy: policy.clone(),
            machines: 64,
            rate: 1e6,
            p99_before_us: 345_678.0,
            p99_us: 3_456_789.0,
            longest_us: 4e6,
            on_it: 12,
            again: 123_456,
            lost: 999,
            seen_s: Some(1.5),
            back_s: None,
            overloaded: false,
        };
        let uneven = |policy: &String| UnevenRow {
            policy: policy.clone(),
            machines: 64,
            rate: 1e6,
            p99_even_us: 345_678.0,
            p99_us: 3_456_789.0,
            slow_share: 0.5,
            overloaded: policy == "roundrobin",
        };
        Machines {
            simulated: true,
            model: "exclusive".into(),
            workers: 256,
            machine_cpus: 2,
            checked_cpus: 1,
            checked: vec![Checked {
                model: "exclusive".into(),
                workers: 2,
                measured: figures(500.0),
                simulated: figures(550.0),
                ..Checked::default()
            }],
            balancer: BalancerNotes {
                version: Some("2.6.12-1+deb12u4".into()),
                threads: 16,
                short: cost,
                kept: Some(cost),
            },
            growth: [1, 2, 64].iter().flat_map(|n| policies.iter().map(|p| growth(p, *n))).collect(),
            restarts: ["drained", "killed"].iter().flat_map(|k| policies.iter().map(|p| restart(p, k))).collect(),
            uneven: policies.iter().map(uneven).collect(),
            notes: vec!["no restart among 64 machines: more than 2.5 million requests".into()],
            utilisation: 0.6,
            policies,
            ..Machines::default()
        }
    }

    #[test]
    fn the_table_fits_a_terminal_and_says_what_is_simulated() {
        let table = machines_table(&machines());
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let rows: Vec<&str> = table.lines().filter(|line| line.trim_start().starts_with("64 ")).collect();
        assert_eq!(rows.len(), 3, "{table}");
        let words = |n: usize| rows[n].split_whitespace().collect::<Vec<_>>();
        assert_eq!(words(0)[1..], ["1.23M", "1234%", "full", "full", "full", "full", "full", "full"]);
        assert_eq!(words(2)[1..], ["p99", "346", "ms", "3.46", "s", "346", "ms", "full", "346", "ms", "3.46", "s"]);
        let killed = table.lines().find(|line| line.trim_start().starts_with("killed  ")).unwrap();
        assert_eq!(killed.split_whitespace().collect::<Vec<_>>()[1..5], ["3.46", "s", "123k", "999"]);
        assert_eq!(table.matches("SIMULATED").count(), 7, "{table}");
        assert!(
            table.contains("61.0 µs measured, 66.0 µs calculated: 8 % off") && table.contains("(measured with 1 CPU)")
        );
        let html = html(&machines());
        assert!(html.contains("A simulation of machines") && html.contains("<polyline") && html.contains("1.50 s"));
    }

    #[test]
    fn nothing_is_shown_whose_check_failed() {
        let mut far = machines();
        far.checked[0].simulated = figures(900.0);
        let table = machines_table(&far);
        let row = table.lines().find(|line| line.contains("1.23M")).unwrap();
        assert_eq!(row.split_whitespace().collect::<Vec<_>>()[3..6], ["123", "ms", "?"], "{table}");
        assert!(!table.contains("3.46 s") && !html(&far).contains("<polyline"), "{table}");
        far.balancer.short.checked = Some(BalancerCheck { rate: 4000.0, measured_us: 20.0, simulated_us: 66.0 });
        let table = machines_table(&far);
        assert!(table.contains("a connection for each request: ? (the check of its cost failed)"), "{table}");
        assert!(!table.contains("123 ms") && table.contains("230 % off, NOT SHOWN"), "{table}");
        assert!(!table.contains("1234%") && !table.contains("123k"), "{table}");
        assert!(!html(&far).contains("<td data-name=\"again\">123456"));
    }

    #[test]
    fn a_cost_that_was_given_is_told_as_given() {
        let mut given = machines();
        given.balancer = BalancerNotes {
            threads: 1,
            short: BalancerCost { busy_us: 50.0, ..BalancerCost::default() },
            ..BalancerNotes::default()
        };
        let table = machines_table(&given);
        assert!(table.contains("GIVEN, not measured: a request costs the balancer 50.0 µs of a thread."), "{table}");
        assert!(table.contains("20k /s a thread"), "{table}");
    }
}

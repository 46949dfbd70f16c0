//! What `lab simulate` has calculated, marked as such.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use super::chart::{self, escape};
use super::html::page;
use super::text::{number, percent, time};
use crate::simulate::{Row, Simulation};

/// simulation.json and simulation.html.
pub fn write_simulation(simulation: &Simulation, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    std::fs::write(dir.join("simulation.json"), serde_json::to_vec_pretty(simulation)?)?;
    Ok(std::fs::write(dir.join("simulation.html"), html(simulation))?)
}

fn cells(row: &Row) -> [String; 5] {
    let wait = |us: f64| if row.overloaded { "overload".to_owned() } else { time(us) };
    [format!("{:.1}", row.cpu_us_per_request), wait(row.p50_us), wait(row.p99_us), wait(row.p999_us), number(row.jain)]
}

const HEADINGS: [&str; 5] = ["CPU µs", "p50", "p99", "p99.9", "Jain"];

/// The greatest error of the check, and the one in the middle.
fn errors(simulation: &Simulation) -> Option<(f64, f64)> {
    let errors: Vec<f64> = simulation.checked.iter().map(|checked| checked.error.abs()).collect();
    Some((crate::stats::median(&errors)?, errors.iter().copied().fold(0.0, f64::max)))
}

/// For a terminal of 80 columns.
pub fn simulation_table(simulation: &Simulation) -> String {
    let mut out = format!(
        "SIMULATED, a CPU for each worker. Costs measured here: serving {} µs,\nwaking {} µs, waking for nothing {} µs.\n\n",
        number(simulation.serve_us),
        number(simulation.wake_us),
        number(simulation.spurious_us)
    );
    if let Some((middle, most)) = errors(simulation) {
        let _ = writeln!(
            out,
            "Simulated against measured CPU per request, on this machine's sizes: median\nerror {:.0} %, greatest {:.0} %.",
            middle * 100.0,
            most * 100.0
        );
        for c in &simulation.checked {
            let _ = writeln!(
                out,
                "  {:<17}{:>3} workers {:>6}/s  measured {:>6} µs  simulated {:>6} µs {:>9}",
                c.model,
                c.workers,
                number(c.rate),
                number(c.measured_cpu_us),
                number(c.simulated_cpu_us),
                percent(c.error)
            );
        }
        out.push('\n');
    }
    let _ = write!(out, "{:<17}{:>8}{:>11}", "simulated", "workers", "req/s");
    HEADINGS.iter().for_each(|heading| out.push_str(&format!("{heading:>9}")));
    out.push('\n');
    for row in &simulation.rows {
        let _ = write!(out, "{:<17}{:>8}{:>11}", row.model, row.workers, number(row.rate));
        cells(row).iter().for_each(|cell| out.push_str(&format!("{cell:>9}")));
        out.push('\n');
    }
    out
}

fn html(simulation: &Simulation) -> String {
    let mut body = String::from("<h1>Simulated: more workers than this machine has CPUs</h1>\n");
    body.push_str("<p class='banner'>A simulation. Nothing below the check was measured. It knows who is woken and who waits for whom; it does not know the locks and cache lines that more CPUs fight for in the kernel.</p>\n");
    let _ = writeln!(
        body,
        "<p>Each worker has a CPU of its own, {:.0} % busy with serving and waking. {:.1} % of the connections cost {} times as much. \
         Measured here: serving {} µs, waking {} µs, waking for nothing {} µs.</p>",
        simulation.utilisation * 100.0,
        simulation.heavy * 100.0,
        number(simulation.heavy_factor),
        number(simulation.serve_us),
        number(simulation.wake_us),
        number(simulation.spurious_us)
    );
    let mut names: Vec<String> = simulation.rows.iter().map(|row| row.model.clone()).collect();
    names.dedup();
    let curves = |pick: fn(&Row) -> f64| -> Vec<Vec<(f64, f64)>> {
        let of = |name: &String| -> Vec<(f64, f64)> {
            let rows = simulation.rows.iter().filter(|row| row.model == *name && !row.overloaded);
            rows.map(|row| (row.workers as f64, pick(row))).collect()
        };
        names.iter().map(of).collect()
    };
    body.push_str(&chart::key(&names));
    body.push_str("<h2>99 % of the connections are served within</h2>\n");
    body.push_str(&chart::growth("simulated latency by workers", &curves(|row| row.p99_us)));
    body.push_str("<h2>Server CPU per request</h2>\n");
    body.push_str(&chart::growth("simulated CPU per request by workers", &curves(|row| row.cpu_us_per_request)));
    body.push_str("<h2>Check against what can be measured here</h2>\n<div class='scroll'><table>\n<tr><th>model</th><th>workers</th><th>rate</th><th>measured CPU</th><th>simulated CPU</th><th>error</th></tr>\n");
    for c in &simulation.checked {
        let _ = writeln!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{} /s</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&c.model),
            c.workers,
            number(c.rate),
            time(c.measured_cpu_us),
            time(c.simulated_cpu_us),
            percent(c.error)
        );
    }
    body.push_str("</table></div>\n<h2>All figures (simulated)</h2>\n<div class='scroll'><table>\n<tr><th>model</th><th>workers</th><th>req/s</th>");
    HEADINGS.iter().for_each(|heading| body.push_str(&format!("<th>{heading}</th>")));
    body.push_str("</tr>\n");
    for row in &simulation.rows {
        let _ =
            write!(body, "<tr><td>{}</td><td>{}</td><td>{}</td>", escape(&row.model), row.workers, number(row.rate));
        cells(row).iter().for_each(|cell| body.push_str(&format!("<td>{cell}</td>")));
        body.push_str("</tr>\n");
    }
    page("drover lab: simulation", &(body + "</table></div>\n"))
}

//! results.csv: a line for each measurement, a column for each figure.

use anyhow::Result;

use crate::measure::METRICS;
use crate::results::Results;

pub(super) fn csv(results: &Results) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fixed = ["round", "load", "side", "requests", "client_cpu_share"];
    writer.write_record(fixed.iter().copied().chain(METRICS.iter().map(|metric| metric.name)))?;
    for m in &results.measurements {
        let head = [
            m.round.to_string(),
            m.load.clone(),
            m.side.clone(),
            m.client.requests.to_string(),
            format!("{:.4}", m.client.cpu_share),
        ];
        let figures = METRICS
            .iter()
            .map(|metric| (metric.read)(&m.client, &m.server).map_or(String::new(), |v| format!("{v:.4}")));
        writer.write_record(head.into_iter().chain(figures))?;
    }
    Ok(writer.into_inner()?)
}

//! The two text formats of metrics: Prometheus' own, 0.0.4, and OpenMetrics 1.0, which has names of families without
//! the suffixes of their samples, units, and an end.

use crate::shm::histogram::bound;
use std::fmt::{Display, Write};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The media type of a page.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// Always 1, for its labels.
    Info,
}

impl Kind {
    /// The end of the name of a sample.
    fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        }
    }

    fn name(self, format: Format) -> &'static str {
        match (self, format) {
            (Kind::Counter, _) => "counter",
            (Kind::Histogram, _) => "histogram",
            (Kind::Info, Format::OpenMetrics) => "info",
            (Kind::Gauge, _) | (Kind::Info, Format::Prometheus) => "gauge",
        }
    }
}

/// Units that names end with.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// Names and values of labels.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

/// A page. Writing to a String can't fail.
pub(super) struct Text {
    out: String,
    format: Format,
    /// The name of the samples of the present family.
    samples: String,
}

impl Text {
    pub(super) fn new(format: Format) -> Text {
        Text { out: String::with_capacity(32 << 10), format, samples: String::new() }
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out.into_bytes()
    }

    /// A family begins. `name`: without `drover_` in front and the suffix of its kind behind. There is no `_created`
    /// in OpenMetrics: all totals begin at `drover_start_time_seconds`.
    pub(super) fn family(&mut self, name: &str, kind: Kind, about: &str) {
        self.samples = format!("drover_{name}{}", kind.suffix());
        let family = match self.format {
            Format::Prometheus => &self.samples[..],
            Format::OpenMetrics => &self.samples[..self.samples.len() - kind.suffix().len()],
        };
        let _ = writeln!(self.out, "# TYPE {family} {}", kind.name(self.format));
        let unit = UNITS.into_iter().find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, unit) {
            let _ = writeln!(self.out, "# UNIT {family} {unit}");
        }
        let _ = writeln!(self.out, "# HELP {family} {about}");
    }

    /// A family of one sample.
    pub(super) fn one(&mut self, name: &str, kind: Kind, about: &str, value: impl Display) {
        self.family(name, kind, about);
        self.sample(&[], value);
    }

    /// A sample of the present family.
    pub(super) fn sample(&mut self, labels: &Labels, value: impl Display) {
        self.part("", labels, value);
    }

    /// A sample whose name ends in `part`.
    fn part(&mut self, part: &str, labels: &Labels, value: impl Display) {
        self.out.push_str(&self.samples);
        self.out.push_str(part);
        for (i, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.out, "{}{label}=\"", if i == 0 { '{' } else { ',' });
            self.escape(text);
            self.out.push('"');
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.out, "{end} {value}");
    }

    /// Escapes a label's value.
    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' => self.out.push_str("\\n"),
                '"' | '\\' => self.out.extend(['\\', c]),
                _ => self.out.push(c),
            }
        }
    }

    /// A histogram of the present family. `rows` count in units of `per_second` to the second; `sum` is in seconds.
    pub(super) fn histogram(&mut self, labels: &Labels, rows: &[u64], per_second: f64, sum: f64) {
        let mut count = 0;
        for (i, n) in rows.iter().enumerate() {
            count += n;
            let le = if i + 1 == rows.len() { "+Inf".to_owned() } else { float(bound(i) as f64 / per_second) };
            self.part("_bucket", &[labels, &[("le", &le)]].concat(), count);
        }
        self.part("_sum", labels, sum);
        self.part("_count", labels, count);
    }
}

/// A bound as OpenMetrics wants it, which compares bounds as texts ("Considerations: Canonical Numbers"): with a point,
/// and from 0.00001 down with an exponent of two digits.
fn float(value: f64) -> String {
    if value >= 1e-4 {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once("e-") {
        Some((digits, exponent)) => format!("{digits}e-{exponent:0>2}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_go_and_python_write_them() {
        for (value, text) in [
            (1e-6, "1e-06"),
            (16e-6, "1.6e-05"),
            (64e-6, "6.4e-05"),
            (128e-6, "0.000128"),
            (0.001, "0.001"),
            (1.0, "1.0"),
            (1.048_576, "1.048576"),
            (32.768, "32.768"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    fn page(format: Format) -> String {
        let mut text = Text::new(format);
        text.family("build", Kind::Info, "Version.");
        text.sample(&[("version", "a\\b\"c\nd")], 1);
        text.one("sent_bytes", Kind::Counter, "Bytes.", 5);
        text.one("start_time_seconds", Kind::Gauge, "Start.", 1.5);
        text.family("time_seconds", Kind::Histogram, "Times.");
        text.histogram(&[("kind", "x")], &[1, 2], 1.0, 3.5);
        String::from_utf8(text.into_bytes()).unwrap()
    }

    #[test]
    fn a_family_is_named_by_the_rules_of_its_format() {
        let samples = "drover_time_seconds_bucket{kind=\"x\",le=\"1.0\"} 1\n\
                       drover_time_seconds_bucket{kind=\"x\",le=\"+Inf\"} 3\n\
                       drover_time_seconds_sum{kind=\"x\"} 3.5\ndrover_time_seconds_count{kind=\"x\"} 3\n";
        let plain = "# TYPE drover_build_info gauge\n# HELP drover_build_info Version.\n\
                     drover_build_info{version=\"a\\\\b\\\"c\\nd\"} 1\n\
                     # TYPE drover_sent_bytes_total counter\n# HELP drover_sent_bytes_total Bytes.\n\
                     drover_sent_bytes_total 5\n\
                     # TYPE drover_start_time_seconds gauge\n# HELP drover_start_time_seconds Start.\n\
                     drover_start_time_seconds 1.5\n\
                     # TYPE drover_time_seconds histogram\n# HELP drover_time_seconds Times.\n";
        assert_eq!(page(Format::Prometheus), format!("{plain}{samples}"));
        let open = "# TYPE drover_build info\n# HELP drover_build Version.\n\
                    drover_build_info{version=\"a\\\\b\\\"c\\nd\"} 1\n\
                    # TYPE drover_sent_bytes counter\n# UNIT drover_sent_bytes bytes\n\
                    # HELP drover_sent_bytes Bytes.\ndrover_sent_bytes_total 5\n\
                    # TYPE drover_start_time_seconds gauge\n# UNIT drover_start_time_seconds seconds\n\
                    # HELP drover_start_time_seconds Start.\ndrover_start_time_seconds 1.5\n\
                    # TYPE drover_time_seconds histogram\n# UNIT drover_time_seconds seconds\n\
                    # HELP drover_time_seconds Times.\n";
        assert_eq!(page(Format::OpenMetrics), format!("{open}{samples}# EOF\n"));
    }
}

//! Charts as inline SVG: no script, no network. Series differ in colour, in dashes and in marks.

use std::fmt::Write;

use super::text::{number, percent, time};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const COLOURS: usize = 8;

/// Escapes text for HTML and for attributes in double quotes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Colour and dashes of the series `n`.
pub(super) fn stroke(n: usize) -> String {
    const DASHES: [&str; 4] = ["none", "7 3", "2 3", "10 3 2 3"];
    format!("stroke:var(--c{});stroke-dasharray:{}", n % COLOURS, DASHES[n % 4])
}

/// The key of a chart: a piece of line for each name.
pub(super) fn key(names: &[String]) -> String {
    let items = names.iter().enumerate().map(|(n, name)| {
        let line = format!("<line x1='1' y1='6' x2='35' y2='6' stroke-width='3' style='{}'/>", stroke(n));
        format!(
            "<li><svg viewBox='0 0 36 12' aria-hidden='true'>{line}{}</svg>{}</li>",
            mark(n, 18.0, 6.0),
            escape(name)
        )
    });
    format!("<ul class='key'>{}</ul>", items.collect::<String>())
}

fn mark(n: usize, x: f64, y: f64) -> String {
    let fill = format!("style='fill:var(--c{})'", n % COLOURS);
    match n % 3 {
        0 => format!("<circle cx='{x:.1}' cy='{y:.1}' r='4' {fill}/>"),
        1 => format!("<rect x='{:.1}' y='{:.1}' width='8' height='8' {fill}/>", x - 4.0, y - 4.0),
        _ => format!("<path d='M{x:.1} {:.1}l5 9h-10z' {fill}/>", y - 6.0),
    }
}

/// The height of a chart of curves, and the room above and below its curves.
const HEIGHT: f64 = 300.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// The vertical axis of a chart of curves: microseconds, logarithmic, in whole decades.
struct Decades {
    low: f64,
    high: f64,
}

impl Decades {
    /// The decades around `times`; `None` without a time.
    fn around(times: impl Iterator<Item = f64> + Clone) -> Option<Decades> {
        let (low, high) = (times.clone().reduce(f64::min)?, times.reduce(f64::max)?);
        let (low, high) = (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()).max(low * 10.0));
        Some(Decades { low, high })
    }

    fn y(&self, us: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (us / self.low).log10() / (self.high / self.low).log10())
    }

    fn draw(&self, svg: &mut String) {
        let mut decade = self.low;
        while decade <= self.high * 1.01 {
            let y = self.y(decade);
            let _ = write!(svg, "<line class='grid' x1='{LEFT}' y1='{y:.1}' x2='{:.1}' y2='{y:.1}'/>", WIDTH - RIGHT);
            let label = time(decade).replace(".00", "").replace(".0", "");
            let _ = write!(svg, "<text x='{:.1}' y='{:.1}' text-anchor='end'>{label}</text>", LEFT - 6.0, y + 4.0);
            decade *= 10.0;
        }
    }
}

/// A chart of latency over the share of requests, both logarithmic: the right half is the slowest per cent, which a
/// linear axis would hide. `series`: for each side pairs (share, µs).
pub(super) fn latency(title: &str, series: &[Vec<(f64, f64)>]) -> String {
    // The axis shows shares by how many requests are slower: one in two, one in ten ...
    const TICKS: [(f64, &str); 6] =
        [(0.0, "all"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
    let points = || series.iter().flatten().filter(|(q, us)| *us > 0.0 && *q <= 1.0);
    let Some(decades) = Decades::around(points().map(|p| p.1)) else { return String::new() };
    // The longest latency stands a step right of the last share that was measured.
    let rank = |q: f64| -(1.0 - q).log10();
    let last = points().map(|p| p.0).filter(|q| *q < 1.0).map(rank).fold(1.0, f64::max);
    let span = last + 0.4;
    let x = |q: f64| LEFT + (WIDTH - LEFT - RIGHT) * if q < 1.0 { rank(q) } else { span } / span;
    let mut svg = open(HEIGHT, title);
    let is_shown = |q: f64| rank(q) <= last + 0.05 && span - rank(q) > span / 9.0;
    for (q, label) in TICKS.into_iter().filter(|(q, _)| is_shown(*q)) {
        column(&mut svg, x(q), x(q), "middle", label);
    }
    column(&mut svg, x(1.0), WIDTH - 2.0, "end", "longest");
    caption(&mut svg, "share of requests that are no slower");
    decades.draw(&mut svg);
    for (n, side) in series.iter().enumerate() {
        let shown = side.iter().filter(|(_, us)| *us > 0.0);
        line(&mut svg, n, shown.map(|(q, us)| (x(*q), decades.y(*us))).collect());
    }
    svg + "</svg></div>"
}

/// A chart of microseconds over a number of workers or machines (`of`), both logarithmic.
pub(super) fn growth(title: &str, of: &str, series: &[Vec<(f64, f64)>]) -> String {
    let points = || series.iter().flatten().filter(|(n, us)| *n > 0.0 && *us > 0.0);
    let Some(decades) = Decades::around(points().map(|p| p.1)) else { return String::new() };
    let most = points().map(|p| p.0).fold(2.0, f64::max);
    let x = |n: f64| LEFT + (WIDTH - LEFT - RIGHT) * n.log2() / most.log2();
    let mut svg = open(HEIGHT, title);
    let mut number = 1.0;
    while number <= most {
        column(&mut svg, x(number), x(number), "middle", &number.to_string());
        number *= 2.0;
    }
    caption(&mut svg, of);
    decades.draw(&mut svg);
    for (n, side) in series.iter().enumerate() {
        line(&mut svg, n, side.iter().map(|(number, us)| (x(*number), decades.y(*us))).collect());
    }
    svg + "</svg></div>"
}

/// A vertical line of the grid at `x`, with its label below at `label_x`.
fn column(svg: &mut String, x: f64, label_x: f64, anchor: &str, label: &str) {
    let _ = write!(svg, "<line class='grid' x1='{x:.1}' y1='{TOP}' x2='{x:.1}' y2='{:.1}'/>", HEIGHT - BOTTOM);
    let y = HEIGHT - BOTTOM + 18.0;
    let _ = write!(svg, "<text x='{label_x:.1}' y='{y:.1}' text-anchor='{anchor}'>{label}</text>");
}

/// The caption of the horizontal axis.
fn caption(svg: &mut String, text: &str) {
    let (x, y) = ((LEFT + WIDTH) / 2.0, HEIGHT - 6.0);
    let _ = write!(svg, "<text class='soft' x='{x:.1}' y='{y:.1}' text-anchor='middle'>{text}</text>");
}

fn line(svg: &mut String, n: usize, at: Vec<(f64, f64)>) {
    let path: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let points = path.join(" ");
    let _ = write!(svg, "<polyline points='{points}' fill='none' stroke-width='2.5' style='{}'/>", stroke(n));
    at.iter().for_each(|(x, y)| svg.push_str(&mark(n, *x, *y)));
}

/// A row of a chart of differences.
pub(super) struct Difference {
    pub label: String,
    pub middle: f64,
    pub interval: Option<(f64, f64)>,
    pub series: usize,
}

/// A chart of differences with their intervals, in per cent, around zero.
pub(super) fn differences(title: &str, rows: &[Difference]) -> String {
    const ROW: f64 = 44.0;
    let height = ROW * rows.len() as f64 + 34.0;
    let ends = rows.iter().flat_map(|row| row.interval.map_or([row.middle; 2], |(low, high)| [low, high]));
    // The axis ends at ±100 %, with an arrow for values beyond: a scale for the wildest would hide all others.
    let most = ends.map(f64::abs).fold(0.02, f64::max).min(1.0);
    let x = |v: f64| 20.0 + (WIDTH - 40.0) * (v.clamp(-most, most) + most) / (2.0 * most);
    let mut svg = open(height, title);
    let bottom = height - 24.0;
    for step in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let (x, class) = (x(step * most), if step == 0.0 { "axis" } else { "grid" });
        let _ = write!(svg, "<line class='{class}' x1='{x:.1}' y1='0' x2='{x:.1}' y2='{bottom:.1}'/>");
        let label = if step == 0.0 { "same".to_owned() } else { format!("{:+.1} %", step * most * 100.0) };
        let anchor = if step == -1.0 {
            "start"
        } else if step == 1.0 {
            "end"
        } else {
            "middle"
        };
        let x = if step == -1.0 {
            0.0
        } else if step == 1.0 {
            WIDTH
        } else {
            x
        };
        let _ = write!(svg, "<text x='{x:.1}' y='{:.1}' text-anchor='{anchor}'>{label}</text>", height - 6.0);
    }
    for (n, row) in rows.iter().enumerate() {
        let y = ROW * n as f64;
        let _ = write!(svg, "<text x='4' y='{:.1}'>{}</text>", y + 15.0, escape(&row.label));
        let y = y + 30.0;
        let colour = row.series % COLOURS;
        let (low, high) = row.interval.unwrap_or((row.middle, row.middle));
        let _ = write!(
            svg,
            "<line x1='{:.1}' y1='{y:.1}' x2='{:.1}' y2='{y:.1}' stroke-width='3' style='stroke:var(--c{colour})'/>",
            x(low),
            x(high)
        );
        for (_, tip, base) in
            [(low < -most, 4.0, 16.0), (high > most, WIDTH - 4.0, WIDTH - 16.0)].iter().filter(|cut| cut.0)
        {
            let _ = write!(
                svg,
                "<path class='cut' d='M{tip} {y:.1}L{base} {:.1}V{:.1}z' style='fill:var(--c{colour})'/>",
                y - 7.0,
                y + 7.0
            );
        }
        if row.middle.abs() <= most {
            svg.push_str(&mark(row.series, x(row.middle), y));
        } else {
            let (at, anchor) = if row.middle > 0.0 { (WIDTH - 22.0, "end") } else { (22.0, "start") };
            let _ = write!(
                svg,
                "<text x='{at:.1}' y='{:.1}' text-anchor='{anchor}'>{}</text>",
                y - 4.0,
                escape(&percent(row.middle))
            );
        }
    }
    svg + "</svg></div>"
}

/// A chart of shares: a bar for each name, in pieces, the greatest first.
pub(super) fn shares(title: &str, rows: &[(String, Vec<f64>)]) -> String {
    const ROW: f64 = 54.0;
    let height = ROW * rows.len() as f64 + 4.0;
    let mut svg = open(height, title);
    for (n, (name, parts)) in rows.iter().enumerate() {
        let sum: f64 = parts.iter().sum::<f64>().max(1e-9);
        let y = ROW * n as f64;
        let _ = write!(svg, "<text x='0' y='{:.1}'>{}</text>", y + 17.0, escape(name));
        let mut x = 0.0;
        for part in parts {
            let width = part / sum * WIDTH;
            let _ = write!(
                svg,
                "<rect x='{x:.1}' y='{:.1}' width='{:.1}' height='24' style='fill:var(--c{})'/>",
                y + 24.0,
                (width - 2.0).max(0.0),
                n % COLOURS
            );
            if width > 80.0 {
                let _ = write!(
                    svg,
                    "<text x='{:.1}' y='{:.1}' style='fill:var(--back)'>{} %</text>",
                    x + 6.0,
                    y + 42.0,
                    number(part / sum * 100.0)
                );
            }
            x += width;
        }
    }
    svg + "</svg></div>"
}

fn open(height: f64, title: &str) -> String {
    let title = escape(title);
    format!(
        "<div class='chart'><svg viewBox='0 0 {WIDTH} {height}' role='img' \
         aria-label=\"{title}\"><title>{title}</title>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_stay_within_the_picture() {
        let series = vec![vec![(0.5, 100.0), (0.99, 5000.0), (1.0, 90_000.0)], vec![(0.5, 80.0)]];
        let svg = latency("a < b", &series);
        assert!(svg.contains("a &lt; b") && svg.contains("99 %") && svg.contains("longest"));
        assert_eq!(svg.matches("<polyline").count(), 2);
        let numbers = svg.split(['\'', ' ', ',']).filter_map(|word| word.parse::<f64>().ok());
        assert!(numbers.into_iter().all(|n| (-1.0..=WIDTH).contains(&n)));
        assert_eq!(latency("nothing", &[vec![]]), "");
    }

    #[test]
    fn wide_intervals_are_cut_at_the_edge() {
        let rows = [Difference { label: "x".into(), middle: 0.1, interval: Some((-0.5, 40.0)), series: 0 }];
        let svg = differences("d", &rows);
        assert!(svg.contains("+100.0 %") && svg.matches("class='cut'").count() == 1, "{svg}");
    }

    #[test]
    fn a_difference_beyond_the_edge_is_told_in_numbers() {
        let row = |middle| Difference { label: "x".into(), middle, interval: Some((middle, middle)), series: 0 };
        let svg = differences("d", &[row(20.07), row(0.5)]);
        assert!(svg.contains("+2007 %") && svg.matches("class='cut'").count() == 1, "{svg}");
        assert_eq!(svg.matches("<circle").count(), 1, "no mark where the difference is not");
    }
}

//! Which load is measured in which place.

use anyhow::{Result, bail};

use crate::bench::Place;
use crate::load::{self, Load};
use crate::names;

/// The commands that a person types who wants to know: ab and wrk, each with a connection for each request and with
/// connections that stay. The answer depends on the client.
const DEFAULT: &str = "short,short-wrk,keepalive,keepalive-ab";
/// Measured a second time, pinned, where nothing else is.
const BESIDE: &str = "short,keepalive";
/// The only question there: idle CPUs can't show what they cost.
const ISOLATED: &[&str] = &["cpu_us_per_request"];

/// A load in its place.
#[derive(Clone, Debug)]
pub(super) struct Arranged {
    pub load: &'static Load,
    /// The name in the results: that of the load, with the place when it is measured elsewhere as well.
    pub name: String,
    /// Index of the place.
    pub place: usize,
    pub questions: &'static [&'static str],
}

impl Arranged {
    fn new(load: &'static Load, place: usize) -> Arranged {
        Arranged { load, name: load.name.to_owned(), place, questions: load.questions }
    }
}

/// Arranges the loads of `--loads` in the `places` that this machine has, the one that answers for it first. `place` is
/// that of `--place`. Errors: no such load or place; a load is named twice.
pub(super) fn arrange(places: &[Place], place: Option<&str>, loads: Option<&str>) -> Result<Vec<Arranged>> {
    let asked = place.map(|name| index_of(places, name)).transpose()?;
    let pinned = places.iter().position(|place| *place == Place::Pinned);
    let list = named(loads.unwrap_or(DEFAULT))?;
    let natural = |load: &Load| if load.closed { 0 } else { pinned.unwrap_or(0) };
    let mut all: Vec<Arranged> =
        list.into_iter().map(|load| Arranged::new(load, asked.unwrap_or_else(|| natural(load)))).collect();
    if let (Some(pinned), None, None, Some(Place::Shared)) = (pinned, asked, loads, places.first()) {
        all.extend(named(BESIDE)?.into_iter().map(|load| Arranged {
            name: format!("{}/{}", load.name, Place::Pinned.name()),
            questions: ISOLATED,
            ..Arranged::new(load, pinned)
        }));
    }
    Ok(all)
}

fn index_of(places: &[Place], name: &str) -> Result<usize> {
    let all = [Place::Shared, Place::Pinned];
    let wanted = names::find(name, "place", &all, |place| place.name())?;
    match places.iter().position(|place| place == wanted) {
        Some(index) => Ok(index),
        None if *wanted == Place::Shared => bail!("--place shared: leave out --cpus and --client-cpus, which pin"),
        None => bail!("--place pinned: this machine has a single CPU"),
    }
}

fn named(text: &str) -> Result<Vec<&'static Load>> {
    let loads = names::list(text, "load", load::LOADS, |load| load.name)?;
    match loads.iter().enumerate().find(|(n, load)| loads[..*n].iter().any(|other| other.name == load.name)) {
        // The rounds of a repeated load would count twice, as if they were more evidence.
        Some((_, load)) => bail!("load \"{}\" is named twice", load.name),
        None => Ok(loads),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(places: &[Place], place: Option<&str>, loads: Option<&str>) -> Vec<(String, usize, usize)> {
        let all = arrange(places, place, loads).unwrap();
        all.iter().map(|arranged| (arranged.name.clone(), arranged.place, arranged.questions.len())).collect()
    }

    fn is(found: &[(String, usize, usize)], wanted: &[(&str, usize, usize)]) -> bool {
        found.iter().map(|(name, place, n)| (name.as_str(), *place, *n)).eq(wanted.iter().copied())
    }

    #[test]
    fn without_spare_cpus_nothing_is_pinned_and_pinned_runs_stand_beside() {
        let found = shown(&[Place::Shared, Place::Pinned], None, None);
        let main = [("short", 0, 2), ("short-wrk", 0, 2), ("keepalive", 0, 2), ("keepalive-ab", 0, 2)];
        assert!(is(&found, &[&main[..], &[("short/pinned", 1, 1), ("keepalive/pinned", 1, 1)]].concat()), "{found:?}");
        assert!(is(&shown(&[Place::Pinned, Place::Shared], None, None), &main), "with CPUs to spare");
        assert!(is(&shown(&[Place::Shared], None, None), &main), "a single CPU");
    }

    #[test]
    fn open_loops_need_a_client_with_a_cpu_of_its_own() {
        let places = [Place::Shared, Place::Pinned];
        assert!(is(&shown(&places, None, Some("short,open")), &[("short", 0, 2), ("open", 1, 2)]));
        assert!(is(&shown(&places, Some("pinned"), Some("short,open")), &[("short", 1, 2), ("open", 1, 2)]));
        assert!(is(&shown(&[Place::Shared], None, Some("open")), &[("open", 0, 2)]));
    }

    #[test]
    fn a_place_that_is_not_there_is_explained() {
        let error = |places: &[Place], place| arrange(places, Some(place), None).unwrap_err().to_string();
        assert!(error(&[Place::Shared], "pinned").contains("a single CPU"));
        assert!(error(&[Place::Pinned], "shared").contains("leave out --cpus"));
        assert!(error(&[Place::Shared], "shred").contains("did you mean \"shared\"?"));
    }
}

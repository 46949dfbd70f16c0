//! The agent's answer: the rule by which the state of the service becomes a line of HAProxy's agent protocol
//! (configuration.txt of HAProxy 2.6, "agent-check").
//!
//! Three things are said: `up` with a weight, `up 0%` while the service drains, and `down#REASON`. The words `drain`
//! and `maint` are not: they set the administrative state, which `up` does not take back, and the word that does,
//! `ready`, also ends the drain or the maintenance that a person has asked HAProxy for (seen with 2.6.12). To HAProxy
//! a weight of 0 is the same as draining (server_is_draining() in its source), and the next weight ends it.

use crate::master::pid_file::Life;

/// The load of a service that answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Connections with a request under way. Those that wait for one make room for others.
    pub busy: u64,
    /// How many connections it can have at once.
    pub places: u64,
    /// Connections accepted in the last seconds, the agent's own among them.
    pub accepted: u64,
    /// Connections of these that were accepted later than [`LATE_SECONDS`] after their handshake.
    pub late: u64,
}

/// A connection is late that has waited so long to be accepted: more than three ticks of a kernel that counts
/// the time in hundredths of a second.
pub(super) const LATE_SECONDS: f64 = 0.032;

/// The part of its weight that a machine keeps which accepts every connection late.
const LEAST_PROMPT: u64 = 10;

/// The weight of a service in percent: the part of its places that is free, times the part of its connections that was
/// accepted at once. A full service has 1, since HAProxy would send nothing at all for 0, and nowhere if all are full.
pub(super) fn weight(load: &Load) -> u64 {
    let free = 100 - share(load.busy, load.places);
    let prompt = 100 - share(load.late, load.accepted) * (100 - LEAST_PROMPT) / 100;
    (free * prompt / 100).max(1)
}

/// A part of a whole, in percent.
fn share(part: u64, whole: u64) -> u64 {
    if whole == 0 { 0 } else { u64::try_from(u128::from(part.min(whole)) * 100 / u128::from(whole)).unwrap_or(100) }
}

/// The answer, by the pid file's life and the last answer of the page, or the reason why there is none.
///
/// A page that answers is stronger than a pid file that is not there, which somebody may have removed; a master that
/// ends is known by the file alone.
pub(super) fn line(life: &Life, load: &Result<Load, String>) -> String {
    match (life, load) {
        (Life::Ending, _) => "up 0%\n".to_owned(),
        (_, Ok(load)) => format!("up {}%\n", weight(load)),
        // The master lives, so somebody is too busy to answer, or hangs: HAProxy's own check decides about that.
        (Life::Serving, Err(_)) => "up 1%\n".to_owned(),
        (Life::Gone(why), Err(_)) => format!("down#{}\n", word(why)),
        (Life::Unknown, Err(why)) => format!("down#{}\n", word(why)),
    }
}

/// A reason as HAProxy shows it: it cuts the line at blanks and commas.
fn word(text: &str) -> String {
    let text = text.chars().map(|c| if c.is_ascii_graphic() && c != ',' { c } else { '-' });
    text.take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(busy: u64, places: u64, accepted: u64, late: u64) -> Load {
        Load { busy, places, accepted, late }
    }

    #[test]
    fn the_weight_falls_with_free_places_and_with_late_accepts() {
        for (load, expected) in [
            (load(0, 1000, 5, 0), 100),
            (load(0, 1000, 0, 0), 100),
            (load(250, 1000, 5, 0), 75),
            (load(999, 1000, 5, 0), 1),
            (load(1000, 1000, 5, 0), 1),
            (load(1200, 1000, 5, 0), 1),
            (load(0, 1000, 4, 1), 78),
            (load(0, 1000, 4, 4), 10),
            (load(500, 1000, 4, 2), 27),
            (load(3, 0, 0, 0), 100),
            (load(u64::MAX, u64::MAX, u64::MAX, u64::MAX), 1),
        ] {
            assert_eq!(weight(&load), expected, "{load:?}");
        }
    }

    #[test]
    fn the_weight_never_rises_with_load() {
        for places in [1, 7, 512] {
            let weights: Vec<u64> = (0..=places).map(|busy| weight(&load(busy, places, 9, 2))).collect();
            assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
        }
    }

    #[test]
    fn each_state_has_its_words() {
        let (idle, silent) = (Ok(load(0, 10, 1, 0)), Err("127.0.0.1:80: no answer, within 1 s".to_owned()));
        for (life, load, expected) in [
            (Life::Serving, &idle, "up 100%\n"),
            (Life::Unknown, &idle, "up 100%\n"),
            (Life::Gone("no pid file"), &idle, "up 100%\n"),
            (Life::Ending, &idle, "up 0%\n"),
            (Life::Ending, &silent, "up 0%\n"),
            (Life::Serving, &silent, "up 1%\n"),
            (Life::Gone("no master"), &silent, "down#no-master\n"),
            (Life::Unknown, &silent, "down#127.0.0.1:80:-no-answer--within-1-s\n"),
        ] {
            assert_eq!(line(&life, load), expected, "{life:?}");
        }
    }

    #[test]
    fn a_reason_is_one_word_in_one_line() {
        assert_eq!(word("a b,c\r\nd\té"), "a-b-c--d--");
        assert_eq!(word(&"x".repeat(500)).len(), 80);
    }
}

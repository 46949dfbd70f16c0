//! The `events` block, and how it names a model.

use std::io;
use std::sync::Arc;

use super::MODELS;
use super::model::{AcceptOptions, Model, ModelKind, Param, Places, Setup, Takes};
use crate::conf::{self, Args, Conf, Contexts, Entry, Error, Scope, Section, Setting, did_you_mean, parse_count};
use crate::shm::Ledger;

/// The directives of the `events` block.
pub static DIRECTIVES: &[&dyn Entry] = &[
    &EVENTS,
    &DISPATCH,
    &ACCEPT_MUTEX,
    &ACCEPT_MUTEX_DELAY,
    &ACCEPT_MUTEX_LEASE,
    &super::steer::STEER_LEASE,
    &MULTI_ACCEPT,
    &WORKER_CONNECTIONS,
    &USE,
];

static EVENTS: Section = Section::new("events")
    .contexts(Contexts::MAIN)
    .inner(Contexts::EVENTS)
    .once()
    .required()
    .about("How connections reach the workers.");

/// `dispatch MODEL`; public for the test that compares README with the list of models.
pub static DISPATCH: Setting<Choice> = Setting::one("dispatch", choice)
    .contexts(Contexts::EVENTS)
    .args(1, usize::MAX)
    .syntax("MODEL [PARAMETER=VALUE ...]")
    .default("exclusive")
    .about(
        "The rule by which a new connection reaches a worker; these are the models, with their parameters and what \
         those are by default. Without this line, `accept_mutex on` means `dispatch accept_mutex`, and `accept_mutex \
         off` means `dispatch exclusive`.",
    )
    .choices(|| MODELS.iter().map(|kind| kind.choice()).collect());

static ACCEPT_MUTEX: Setting<bool> = Setting::flag("accept_mutex").contexts(Contexts::EVENTS).default("off").about(
    "nginx's spelling of a dispatch model: `on` is `dispatch accept_mutex`. `off` is `dispatch exclusive`, unless a \
         `dispatch` line names another model without this mutex.",
);

static ACCEPT_MUTEX_DELAY: Setting<u64> =
    Setting::time_ms("accept_mutex_delay").contexts(Contexts::EVENTS).default("500ms").about(
        "How long a worker that has lost the accept mutex waits at most until it tries again; also how long a worker \
         without free descriptors listens to nothing.",
    );

static ACCEPT_MUTEX_LEASE: Setting<Lease> = Setting::one("accept_mutex_lease", |a| {
    if a.str(0)? == "off" {
        return Ok(Lease(None));
    }
    match a.time_ms(0)? {
        // Below, a worker that only waits for its turn on a CPU would be taken for dead; above, see accept_mutex_delay.
        ms @ 10..=60_000 => Ok(Lease(Some(ms))),
        _ => Err(a.bad(0, "\"accept_mutex_lease\" must be between 10ms and 60s, or \"off\"")),
    }
})
.contexts(Contexts::EVENTS)
.args(1, 1)
.syntax("TIME | off")
.default("100ms")
.about(
    "In the models that have an accept mutex: when connections wait and its holder has given no sign of life for this \
     long (stopped, hung in a disk read), another worker takes it. One worker at a time looks after the holder, and \
     wakes for that so often; the others sleep. `off`: as in nginx, only the death of the holder frees the mutex.",
);

static MULTI_ACCEPT: Setting<bool> = Setting::flag("multi_accept").contexts(Contexts::EVENTS).default("off").about(
    "Whether a worker takes all connections that wait when it is woken. `off`: one at a time, so that the others \
         have their share. A worker without others (`worker_processes 1`, or a socket of its own by reuseport) takes \
         some, at most 16, while more than one uses to wait.",
);

static WORKER_CONNECTIONS: Setting<u64> = Setting::one("worker_connections", |a| match parse_count(a.str(0)?) {
    Some(n @ 1..=0x00ff_ffff) => Ok(n),
    None => Err(a.bad(0, format!("invalid number \"{}\"", a.str(0)?))),
    Some(_) => Err(a.bad(0, "\"worker_connections\" must be between 1 and 16777215")),
})
.contexts(Contexts::EVENTS)
.args(1, 1)
.syntax("NUMBER")
.default("512")
.about(
    "How many connections a worker can have open at once, if its descriptors (worker_rlimit_nofile) allow as many. \
     Beyond that, connections that wait for a request, the first one or the next, are closed, the oldest first; what \
     still finds no place waits in the backlog of the listening socket.",
);

static USE: Setting<bool> = Setting::one("use", |a| match a.str(0)? {
    "epoll" => Ok(true),
    other => Err(a.bad(0, format!("invalid event type \"{other}\"")).help("this program uses epoll")),
})
.contexts(Contexts::EVENTS)
.args(1, 1)
.syntax("epoll")
.default("epoll")
.about("The method by which events are waited for. There is one.");

impl ModelKind {
    /// The model's line in the reference.
    fn choice(&self) -> conf::Choice {
        let params = self.params.iter().map(|param| format!(" [{}={}]", param.name, param.text(param.default)));
        conf::Choice { usage: format!("{}{}", self.name, params.collect::<String>()), about: self.about }
    }
}

/// The value of `accept_mutex_lease`, ms; `None`: off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lease(Option<u64>);

/// The value of `dispatch`: a model and its parameters.
#[derive(Clone)]
pub struct Choice {
    kind: &'static ModelKind,
    params: Vec<(&'static str, u64)>,
}

impl Default for Choice {
    fn default() -> Choice {
        Choice { kind: &super::exclusive::KIND, params: Vec::new() }
    }
}

/// Reads the arguments of `dispatch`.
fn choice(a: &mut Args) -> Result<Choice, Error> {
    let name = a.str(0)?;
    let Some(kind) = MODELS.iter().find(|kind| kind.name == name) else {
        let names = || MODELS.iter().map(|kind| kind.name);
        let error = a.bad(0, format!("unknown dispatch model \"{name}\""));
        return Err(match did_you_mean(name, names()) {
            Some(near) => error.help(format!("did you mean \"{near}\"?")),
            None => error.help(format!("the models are {}", names().collect::<Vec<_>>().join(", "))),
        });
    };
    let mut params: Vec<(&'static str, u64)> = Vec::new();
    for i in 1..a.len() {
        let (param, value) = parameter(a, i, kind)?;
        if params.iter().any(|(name, _)| *name == param.name) {
            return Err(a.bad(i, format!("duplicate parameter \"{}\"", param.name)));
        }
        params.push((param.name, value));
    }
    Ok(Choice { kind, params })
}

/// Reads argument `i`, a parameter of `kind`.
fn parameter(a: &Args, i: usize, kind: &'static ModelKind) -> Result<(&'static Param, u64), Error> {
    let text = a.str(i)?;
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let Some(param) = kind.params.iter().find(|param| param.name == name) else {
        let error = a.bad(i, format!("invalid parameter \"{text}\""));
        return Err(match did_you_mean(name, kind.params.iter().map(|param| param.name)) {
            Some(near) => error.help(format!("did you mean \"{near}=\"?")),
            None if kind.params.is_empty() => error.help(format!("\"{}\" takes no parameters", kind.name)),
            None => {
                let names: Vec<String> = kind.params.iter().map(|param| format!("{}=", param.name)).collect();
                error.help(format!("the parameters of \"{}\" are {}", kind.name, names.join(", ")))
            }
        });
    };
    // The name of a flag alone stands for `=1`.
    let value = if text == param.name && param.takes == Takes::Number(0, 1) { "1" } else { value };
    match param.takes {
        Takes::Number(least, most) => match parse_count(value) {
            Some(n) if (least..=most).contains(&n) => Ok((param, n)),
            _ => Err(bad_value(a, i, name, value).help(format!("a number from {least} to {most}"))),
        },
        Takes::Word(words) => match words.iter().position(|word| *word == value) {
            Some(index) => Ok((param, index as u64)),
            None => Err(bad_value(a, i, name, value).help(match did_you_mean(value, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("one of {}", words.join(", ")),
            })),
        },
    }
}

fn bad_value(a: &Args, i: usize, name: &str, value: &str) -> Error {
    a.bad(i, format!("invalid value \"{value}\" of \"{name}\""))
}

impl Choice {
    /// The model that a conf asks for, in either spelling. Error: the two contradict each other.
    pub fn of(conf: &Conf) -> Result<Choice, Error> {
        let scope = events(conf);
        let (choice, mutex) = (scope.get(&DISPATCH), *scope.get(&ACCEPT_MUTEX));
        let Some(mutex_span) = scope.span_of(&ACCEPT_MUTEX) else { return Ok(choice.clone()) };
        let Some(dispatch_span) = scope.span_of(&DISPATCH) else {
            let kind = if mutex { &super::accept_mutex::KIND } else { &super::exclusive::KIND };
            return Ok(Choice { kind, params: Vec::new() });
        };
        if mutex == (choice.kind.name == super::accept_mutex::KIND.name) {
            return Ok(choice.clone());
        }
        let word = if mutex { "on" } else { "off" };
        let message = format!("\"dispatch {}\" contradicts \"accept_mutex {word}\"", choice.kind.name);
        let help = "say one of them: \"accept_mutex\" stands in {place}";
        Err(Error::at(dispatch_span, message).help_at(mutex_span, help))
    }

    /// Where the conf names the model; `None`: nowhere.
    pub fn span(conf: &Conf) -> Option<conf::Span> {
        events(conf).span_of(&DISPATCH)
    }

    /// The model's name.
    pub fn name(&self) -> &'static str {
        self.kind.name
    }

    /// How many connections a service of this conf can have open at once, with so many workers.
    pub fn connections(&self, conf: &Conf, workers: u64) -> u64 {
        let value = |param: &Param| {
            self.params.iter().find(|(name, _)| *name == param.name).map_or(param.default, |(_, value)| *value)
        };
        match self.kind.places {
            Places::OfWorker => workers.saturating_mul(*events(conf).get(&WORKER_CONNECTIONS)),
            Places::OfThread(threads) => workers.saturating_mul(value(threads)),
            Places::OfService(most) => value(most),
        }
    }

    /// Makes the model for a generation of the conf. For the master, before the fork. `workers`: how many; `None`:
    /// there is one process, and no master. Errors: no descriptors left, or too many workers or threads.
    pub fn make(
        &self,
        workers: Option<u32>,
        generation: u32,
        ledger: &Ledger,
        conf: &Conf,
    ) -> io::Result<Arc<dyn Model>> {
        let (is_alone, workers) = (workers.is_none(), workers.unwrap_or(1));
        let (options, events) = (AcceptOptions::of(conf), events(conf));
        (self.kind.make)(&Setup { workers, is_alone, generation, ledger, options, params: &self.params, events })
    }
}

impl AcceptOptions {
    /// The settings of the `events` block.
    pub fn of(conf: &Conf) -> AcceptOptions {
        let scope = events(conf);
        AcceptOptions {
            multi_accept: *scope.get(&MULTI_ACCEPT),
            accept_mutex_delay_ms: *scope.get(&ACCEPT_MUTEX_DELAY),
            accept_mutex_lease_ms: scope.get(&ACCEPT_MUTEX_LEASE).0,
            connections: *scope.get(&WORKER_CONNECTIONS) as usize,
        }
    }
}

/// The values in force in the `events` block.
fn events(conf: &Conf) -> &Scope {
    conf.root.children_of(&EVENTS).next().map_or(&conf.root.scope, |node| &node.scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Registry, parse};

    #[test]
    fn the_places_of_a_service_are_those_of_its_workers_threads_or_children() {
        let registry = Registry::new(&[DIRECTIVES]);
        let places = |events: &str| {
            let conf = parse(&registry, &format!("events {{ worker_connections 100; {events} }}")).unwrap();
            Choice::of(&conf).unwrap().connections(&conf, 3)
        };
        for (events, expected) in [
            ("", 300),
            ("dispatch leader_follower;", 300),
            ("dispatch prefork;", 48),
            ("dispatch thread_pool worker_threads=5;", 15),
            ("dispatch fork fork_max=7;", 7),
        ] {
            assert_eq!(places(events), expected, "{events}");
        }
    }

    fn chosen(events: &str) -> Result<String, String> {
        let registry = Registry::new(&[DIRECTIVES]);
        assert_eq!(registry.problems(), Vec::<String>::new());
        let conf = parse(&registry, &format!("events {{\n{events}\n}}")).map_err(|e| e.to_string())?;
        let choice = Choice::of(&conf).map_err(|e| conf.explain(e).to_string())?;
        let text = |name: &str, n| choice.kind.params.iter().find(|param| param.name == name).unwrap().text(n);
        let params: Vec<String> = choice.params.iter().map(|(name, n)| format!(" {name}={}", text(name, *n))).collect();
        Ok(format!("{}{}", choice.name(), params.concat()))
    }

    #[test]
    fn both_spellings_name_a_model() {
        for (events, model) in [
            ("", "exclusive"),
            ("accept_mutex on;", "accept_mutex"),
            ("accept_mutex off;", "exclusive"),
            ("dispatch herd;", "herd"),
            ("dispatch exclusive rotate=4;", "exclusive rotate=4"),
            ("dispatch pool_pass pool_policy=two_choices;", "pool_pass pool_policy=two_choices"),
            ("dispatch exclusive; accept_mutex off;", "exclusive"),
            ("dispatch herd; accept_mutex off;", "herd"),
            ("accept_mutex on; dispatch accept_mutex;", "accept_mutex"),
        ] {
            assert_eq!(chosen(events), Ok(model.to_owned()), "{events}");
        }
    }

    #[test]
    fn a_contradiction_names_both_lines() {
        let error = chosen("accept_mutex on;\ndispatch herd;").unwrap_err();
        assert!(error.contains("\"dispatch herd\" contradicts \"accept_mutex on\" in conf:3\n"), "{error}");
        assert!(error.contains("say one of them: \"accept_mutex\" stands in conf:2"), "{error}");
        let error = chosen("dispatch accept_mutex;\naccept_mutex off;").unwrap_err();
        assert!(error.contains("\"dispatch accept_mutex\" contradicts \"accept_mutex off\" in conf:2\n"), "{error}");
        assert!(error.contains("say one of them: \"accept_mutex\" stands in conf:3"), "{error}");
    }

    #[test]
    fn mistakes_are_named_with_the_likely_meaning() {
        for (events, message) in [
            ("dispatch exlusive;", "unknown dispatch model \"exlusive\" in conf:2"),
            ("dispatch exlusive;", "did you mean \"exclusive\"?"),
            ("dispatch qqqqqqqq;", "the models are accept_mutex, accept_handoff, herd"),
            ("dispatch herd rotate=1;", "\"herd\" takes no parameters"),
            ("dispatch exclusive rotte=1;", "did you mean \"rotate=\"?"),
            ("dispatch exclusive rotate=x;", "a number from 0 to 1000000"),
            ("dispatch pool_pass pool_policy=least_connection;", "did you mean \"least_connections\"?"),
            ("dispatch pool_pass pool_policy=9;", "one of round_robin, random, least_connections, two_choices"),
            ("dispatch exclusive rotate=1 rotate=2;", "duplicate parameter \"rotate\""),
            ("use kqueue;", "invalid event type \"kqueue\""),
            ("accept_mutex_lease 5ms;", "must be between 10ms and 60s, or \"off\""),
            ("worker_connections 0;", "must be between 1 and"),
        ] {
            let error = chosen(events).unwrap_err();
            assert!(error.contains(message), "{events}: {error}");
        }
    }

    #[test]
    fn defaults_are_nginx_s() {
        let registry = Registry::new(&[DIRECTIVES]);
        let options = |text: &str| AcceptOptions::of(&parse(&registry, text).unwrap());
        let defaults = AcceptOptions {
            multi_accept: false,
            accept_mutex_delay_ms: 500,
            accept_mutex_lease_ms: Some(100),
            connections: 512,
        };
        assert_eq!(options("events { }"), defaults);
        let text =
            "events { multi_accept on; accept_mutex_delay 20ms; accept_mutex_lease off; worker_connections 1024; }";
        let said = AcceptOptions {
            multi_accept: true,
            accept_mutex_delay_ms: 20,
            accept_mutex_lease_ms: None,
            connections: 1024,
        };
        assert_eq!(options(text), said);
    }
}

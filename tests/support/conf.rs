//! The conf of a server under test, put together from named parts.

use std::fmt::{self, Display, Formatter};

/// A conf with a virtual server on the first port, with the document root and no access log, to which the parts are
/// added. The text holds the placeholders that [`super::server`] fills in.
#[derive(Clone)]
pub struct Conf {
    surroundings: String,
    workers: usize,
    main: String,
    events: String,
    http: String,
    access_log: String,
    listen: String,
    server: String,
    beside: String,
}

impl Conf {
    /// A conf with this many workers and nothing else of interest.
    pub fn workers(workers: usize) -> Conf {
        let text = String::new;
        Conf {
            surroundings: "%main%".to_owned(),
            workers,
            main: text(),
            events: text(),
            http: text(),
            access_log: "off".to_owned(),
            listen: "127.0.0.1:%port%".to_owned(),
            server: text(),
            beside: text(),
        }
    }

    /// The same conf with another number of workers.
    pub fn with_workers(self, workers: usize) -> Conf {
        Conf { workers, ..self }
    }

    /// Replaces `%main%`: for a test of `daemon`, `pid`, `error_log` or `user`.
    pub fn surroundings(mut self, directives: &str) -> Conf {
        self.surroundings = directives.to_owned();
        self
    }

    /// Directives for the main context.
    pub fn main(mut self, directives: &str) -> Conf {
        add(&mut self.main, directives);
        self
    }

    /// Directives for `events`.
    pub fn events(mut self, directives: &str) -> Conf {
        add(&mut self.events, directives);
        self
    }

    /// The dispatch model, with its parameters.
    pub fn dispatch(self, model: &str) -> Conf {
        self.events(&format!("dispatch {model};"))
    }

    /// Directives for `http`.
    pub fn http(mut self, directives: &str) -> Conf {
        add(&mut self.http, directives);
        self
    }

    /// The arguments of `access_log`.
    pub fn access_log(mut self, arguments: &str) -> Conf {
        self.access_log = arguments.to_owned();
        self
    }

    /// The usual access log, `access.log` in the server's directory.
    pub fn logged(self) -> Conf {
        self.access_log("%dir%/access.log")
    }

    /// The arguments of the server's `listen`.
    pub fn listen(mut self, arguments: &str) -> Conf {
        self.listen = arguments.to_owned();
        self
    }

    /// Directives for the `server`.
    pub fn server(mut self, directives: &str) -> Conf {
        add(&mut self.server, directives);
        self
    }

    /// A block beside `http`, such as `stream`.
    pub fn beside(mut self, block: &str) -> Conf {
        add(&mut self.beside, block);
        self
    }
}

fn add(part: &mut String, text: &str) {
    part.push(' ');
    part.push_str(text);
}

impl Display for Conf {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Conf { surroundings, workers, main, events, http, access_log, listen, server, beside } = self;
        write!(
            f,
            "{surroundings}{main}\nworker_processes {workers};\nevents {{{events} }}\n\
             http {{ %http%{http} access_log {access_log};\n\
             server {{ listen {listen}; root %root%;{server} }} }}\n{beside}\n"
        )
    }
}

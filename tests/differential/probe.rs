//! The bytes that are sent: a site is a conf and its probes; a probe is a few steps on one connection.

use crate::support::tls::Wish;

/// A conf (placeholders as in `support::server`) and what to ask of it.
pub struct Site {
    pub name: &'static str,
    pub conf: String,
    pub probes: Vec<Probe>,
    /// nginx makes the answers as it goes, and does not say their length; drover does.
    pub is_measured: bool,
}

impl Site {
    /// A site whose conf is the usual frame around the inside of `http { }`.
    pub fn new(name: &'static str, http: &str, probes: Vec<Probe>) -> Site {
        let conf = format!(
            "%main%\nworker_processes 1;\nevents {{ worker_connections 256; }}\nhttp {{\n%http%\n\
             types_hash_max_size 4096; include {types};\ndefault_type application/octet-stream;\n\
             log_format probe '$remote_port $remote_addr - $remote_user [$time_local] \"$request\" \
             $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"';\n\
             access_log %dir%/access.log probe;\n{http}\n}}\n",
            types = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/mime.types"),
        );
        Site { name, conf, probes, is_measured: false }
    }

    /// Leaves aside that drover's answers have a length.
    pub fn measured(self) -> Site {
        Site { is_measured: true, ..self }
    }
}

#[derive(Debug, Clone)]
pub enum Step {
    /// Does the handshake of TLS; a failure ends the conversation.
    Handshake(Wish),
    Send(Vec<u8>),
    /// Reads one response.
    Read {
        to_head: bool,
    },
    /// Reads to the end of the connection, whatever comes: HTTP/0.9 has no head.
    ReadAll,
    /// No more will be sent.
    ShutdownWrite,
}

/// A conversation on one connection. After its last step [`transcript`](crate::transcript) asks, with one more request,
/// whether the connection is still open.
#[derive(Debug, Clone)]
pub struct Probe {
    pub name: String,
    pub steps: Vec<Step>,
}

impl Probe {
    /// Bytes as they are, then one response.
    pub fn raw(name: &str, bytes: impl AsRef<[u8]>) -> Probe {
        Probe::raw_many(name, bytes, 1)
    }

    /// Bytes as they are, then `responses` responses.
    pub fn raw_many(name: &str, bytes: impl AsRef<[u8]>, responses: usize) -> Probe {
        let mut steps = vec![Step::Send(bytes.as_ref().to_vec())];
        steps.extend((0..responses).map(|_| Step::Read { to_head: false }));
        Probe { name: name.to_owned(), steps }
    }

    pub fn then_send(mut self, bytes: impl AsRef<[u8]>) -> Probe {
        self.steps.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    pub fn then_read(mut self) -> Probe {
        self.steps.push(Step::Read { to_head: false });
        self
    }

    pub fn then_shutdown(mut self) -> Probe {
        self.steps.push(Step::ShutdownWrite);
        self
    }
}

/// A well-formed request, from which a probe is made.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    version: &'static str,
    host: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

pub fn request(method: &'static str, target: &str) -> Request {
    let (target, host) = (target.to_owned(), Some("localhost".to_owned()));
    Request { method, target, version: "1.1", host, headers: Vec::new(), body: Vec::new() }
}

pub fn get(target: &str) -> Request {
    request("GET", target)
}

pub fn head(target: &str) -> Request {
    request("HEAD", target)
}

impl Request {
    pub fn host(mut self, host: &str) -> Request {
        self.host = Some(host.to_owned());
        self
    }

    pub fn method(mut self, method: &'static str) -> Request {
        self.method = method;
        self
    }

    pub fn without_host(mut self) -> Request {
        self.host = None;
        self
    }

    pub fn http10(mut self) -> Request {
        self.version = "1.0";
        self
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.headers.push((name, value.into()));
        self
    }

    pub fn range(self, value: &str) -> Request {
        self.with("Range", value)
    }

    /// A body with its Content-Length.
    pub fn body(mut self, body: &str) -> Request {
        self.body = body.into();
        self.with("Content-Length", body.len().to_string())
    }

    /// A probe with a name of its own, for requests that are too long to be their own name.
    pub fn named(self, name: &str) -> Probe {
        Probe { name: name.to_owned(), ..Probe::from(self) }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/{}\r\n", self.method, self.target, self.version);
        if let Some(host) = &self.host {
            text += &format!("Host: {host}\r\n");
        }
        text.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        text += "\r\n";
        [text.as_bytes(), &self.body].concat()
    }

    /// The name says all that is not usual about the request.
    fn name(&self) -> String {
        let mut name = format!("{} {}", self.method, self.target);
        if self.version != "1.1" {
            name += " HTTP/1.0";
        }
        match self.host.as_deref() {
            Some("localhost") => {}
            Some(host) => name += &format!(" Host: {host}"),
            None => name += " no Host",
        }
        name.extend(self.headers.iter().map(|(n, v)| format!(" {n}: {v}")));
        if name.len() > 120 { format!("{}... {} bytes", &name[..100], name.len()) } else { name }
    }
}

impl From<Request> for Probe {
    fn from(request: Request) -> Probe {
        let steps = vec![Step::Send(request.bytes()), Step::Read { to_head: request.method == "HEAD" }];
        Probe { name: request.name(), steps }
    }
}

/// A list of probes from requests and probes alike.
#[macro_export]
macro_rules! probes {
    ($($probe:expr),* $(,)?) => { vec![$($crate::probe::Probe::from($probe)),*] };
}

//! The site that all servers of a run share, and the question whether a server serves it.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};
use crate::support::tls::{Authority, Wish};

/// How long a client waits for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Its files, and its authority.
pub struct Site {
    dir: TempDir,
    pub wish: Wish,
    pub large: Vec<u8>,
    pub text: String,
}

impl Site {
    pub fn new() -> Site {
        let dir = tempfile::Builder::new().prefix("drover-faults-").tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let authority = Authority::new("the authority of faults");
        authority.sign(&["localhost"]).write_to(dir.path(), "a");
        let large: Vec<u8> = (0..300 << 10).map(|n: usize| (n * 31 % 251) as u8).collect();
        let text: String = (0..2000).map(|n| format!("line {n}\n")).collect();
        fs::write(dir.path().join("large"), &large).expect("write a file");
        fs::write(dir.path().join("small"), "small").expect("write a file");
        fs::write(dir.path().join("text.txt"), &text).expect("write a file");
        fs::create_dir(dir.path().join("folder")).expect("mkdir");
        Site { dir, wish: Wish::new(&authority), large, text }
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// A server that uses much of what there is, and is not started.
    pub fn setup(&self, model: &str, workers: usize) -> Setup {
        let dir = self.dir.path().display();
        let secure = format!(
            "server {{ listen 127.0.0.2:%port% ssl; http2 on; root %root%; ssl_certificate {dir}/a.crt; \
             ssl_certificate_key {dir}/a.key; }}"
        );
        // A model with sockets for each worker, or without a use for them, has its own.
        let listen = if model == "accept_mutex" { "127.0.0.1:%port% reuseport" } else { "127.0.0.1:%port%" };
        let conf = Conf::workers(workers)
            .main("worker_shutdown_timeout 5s;")
            .dispatch(model)
            .http("limit_req_zone $binary_remote_addr zone=z:1m rate=100000r/s; gzip_cache 1m;")
            .http("gzip on; gzip_min_length 1; types { text/plain txt; }")
            .http(&secure)
            .logged()
            .listen(listen)
            .server("listen unix:%dir%/s; http2 on; autoindex on; limit_req zone=z burst=100000 nodelay;");
        Setup::new(Product::Drover, conf).root(self.dir.path())
    }

    /// Whether each way to a server leads to the right answers.
    pub fn is_served(&self, server: &Server) -> Result<(), String> {
        for _ in 0..3 {
            self.small(Client::try_connect(server.addr()))?;
        }
        self.large(Client::try_connect(server.addr()))?;
        self.gzipped(Client::try_connect(server.addr()), "/text.txt", &self.text)?;
        self.small(Client::try_connect_tls(secure(server), &self.wish))?;
        by_unix(&server.dir().join("s"))
    }

    pub fn small(&self, client: std::io::Result<Client>) -> Result<(), String> {
        let mut client = client.map_err(|error| format!("connect: {error}"))?;
        expect(&mut client, "GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n", b"small")
    }

    pub fn large(&self, client: std::io::Result<Client>) -> Result<(), String> {
        let mut client = client.map_err(|error| format!("connect: {error}"))?;
        expect(&mut client, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", &self.large)
    }

    pub fn gzipped(&self, client: std::io::Result<Client>, path: &str, expected: &str) -> Result<(), String> {
        let mut client = client.map_err(|error| format!("connect: {error}"))?;
        client.patience(ANSWER);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"));
        let answer = client.response().map_err(|nothing| format!("GET {path}: {nothing:?}"))?;
        let mut text = String::new();
        match answer.header("Content-Encoding") {
            _ if answer.status != 200 || answer.ended_by_close => Err(format!("GET {path}: {}", answer.status)),
            None if answer.body == expected.as_bytes() => Ok(()),
            Some("gzip") if flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).is_ok() => {
                if text == expected { Ok(()) } else { Err(format!("WRONG: GET {path}: other text")) }
            }
            encoding => Err(format!("WRONG: GET {path}: {encoding:?}, {} bytes", answer.body.len())),
        }
    }
}

/// Where a server speaks TLS.
pub fn secure(server: &Server) -> SocketAddr {
    ([127, 0, 0, 2], server.port()).into()
}

/// Sends a request; the answer has to be 200 with this body. An error that is more than a loss begins with WRONG.
pub fn expect(client: &mut Client, request: &str, body: &[u8]) -> Result<(), String> {
    let line = request.lines().next().unwrap_or_default();
    client.patience(ANSWER).send(request);
    let answer = client.response().map_err(|nothing| format!("{line}: {nothing:?}"))?;
    match answer.status {
        200 if answer.ended_by_close => Err(format!("{line}: cut")),
        200 if answer.body == body => Ok(()),
        200 => Err(format!("WRONG: {line}: {} bytes, not {}", answer.body.len(), body.len())),
        status => Err(format!("{line}: {status}")),
    }
}

fn by_unix(path: &Path) -> Result<(), String> {
    use std::io::Write;
    let talk = || {
        let mut stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(b"GET /small HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    match talk() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200") && answer.ends_with("small") => Ok(()),
        Ok(answer) => Err(format!("over the Unix socket: {answer:?}")),
        Err(error) => Err(format!("over the Unix socket: {error}")),
    }
}

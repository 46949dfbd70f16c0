//! A server with a certificate.

use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Stdio};

use drover::shm::Sums;

use crate::support::conf::Conf;
use crate::support::server::{Product, Server, Setup};
use crate::support::tls::{Authority, Wish};
use crate::support::{tools, until_true};

/// A running server, with the authority whose certificates it shows.
pub struct Site {
    pub server: Server,
    pub authority: Authority,
    files: tempfile::TempDir,
}

impl Deref for Site {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Certificates, and the texts `%NAME%` of a conf that stand for their directory.
pub struct Files {
    authority: Authority,
    dir: tempfile::TempDir,
}

impl Files {
    /// With `a.crt` and `a.key` for localhost and a.test.
    pub fn new() -> Files {
        let files =
            Files { authority: Authority::new("the test's authority"), dir: tempfile::tempdir().expect("a directory") };
        files.authority.sign(&["localhost", "a.test"]).write_to(files.path(), "a");
        std::fs::write(files.path().join("ca.crt"), &files.authority.pem).expect("write a certificate");
        files
    }

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts a server; `%pki%` in the conf is the directory of the certificates.
    #[track_caller]
    pub fn start(self, conf: impl ToString) -> Site {
        let conf = conf.to_string().replace("%pki%", &self.path().display().to_string());
        let server = Setup::new(Product::Drover, conf).start();
        server.file("index.html", "hello");
        Site { server, authority: self.authority, files: self.dir }
    }
}

/// The directives of a certificate.
pub const A: &str = "ssl_certificate %pki%/a.crt; ssl_certificate_key %pki%/a.key;";

/// A conf whose only server has the certificate `a`.
pub fn conf() -> Conf {
    Conf::workers(2).listen("127.0.0.1:%port% ssl").server(A).server("location = /metrics { metrics; }")
}

impl Site {
    pub fn new(conf: impl ToString) -> Site {
        Files::new().start(conf)
    }

    pub fn wish(&self) -> Wish {
        Wish::new(&self.authority)
    }

    pub fn sums(&self) -> Sums {
        self.server.ledger().sums()
    }

    /// curl with the authority, to `https://localhost:PORT/PATH`.
    #[track_caller]
    pub fn curl(&self, args: &[&str], path: &str) -> String {
        let (authority, url) = (self.pki("ca.crt"), format!("https://localhost:{}{path}", self.port()));
        tools::run("curl", &[&["-sS", "--http1.1", "--cacert", &authority], args, &[&url]].concat())
    }

    /// The directory of the certificates.
    pub fn files(&self) -> &Path {
        self.files.path()
    }

    pub fn pki(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// `openssl s_client` with these arguments, which sends `input` and reads until the server closes; what it says.
    pub fn s_client(&self, args: &[&str], input: &str) -> String {
        let (port, authority) = (format!("127.0.0.1:{}", self.port()), self.pki("ca.crt"));
        let fixed = ["s_client", "-connect", &port, "-CAfile", &authority, "-verify_return_error", "-ign_eof"];
        let mut command = Command::new(tools::find("openssl"));
        command.args(fixed).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("openssl");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        let feeder = std::thread::spawn(move || {
            use std::io::Write;
            let _ = stdin.write_all(input.as_bytes());
        });
        let output = child.wait_with_output().expect("openssl");
        feeder.join().expect("the feeder");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// The end: exit code 0, nothing alarming in the log, no panic.
    #[track_caller]
    pub fn end(mut self) {
        until_true("nobody is connected", || self.sums().connections == 0);
        for level in ["[alert]", "[crit]", "[emerg]"] {
            assert!(!self.error_log().contains(level), "{}", self.error_log());
        }
        assert_eq!(self.server.quit().code(), Some(0));
        assert!(!self.stderr().contains("panicked"), "{}", self.stderr());
    }
}

/// A request that ends the connection.
pub const LAST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

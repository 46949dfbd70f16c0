//! The document root, the certificate and the conf of the servers under strikes.

use std::fs;

use drover::dispatch::ModelKind;
use tempfile::TempDir;

use crate::support::conf::Conf;
use crate::support::server::{Product, Setup};
use crate::support::site::CONTENT;
use crate::support::tls::Authority;

pub const WORKERS: usize = 3;
/// The places of `drover::os::faults` where a request panics.
pub const PANICS: [&str; 4] = ["phases", "queueing", "sending", "logging"];
/// Bytes of an answer that no socket takes at once, so that it panics while it is sent.
const ENDLESS: u64 = 32 << 20;

/// The document root and the certificate that all servers of a run share.
pub struct Content {
    pub authority: Authority,
    pub large: Vec<u8>,
    dir: TempDir,
}

impl Content {
    pub fn new() -> Content {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::Builder::new().prefix(CONTENT).tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let authority = Authority::new("the authority of chaos");
        authority.sign(&["localhost"]).write_to(dir.path(), "a");
        let large: Vec<u8> = (0..1 << 20).map(|n: usize| (n * 31 % 251) as u8).collect();
        fs::write(dir.path().join("large"), &large).expect("write a file");
        fs::write(dir.path().join("small"), "small").expect("write a file");
        for place in PANICS {
            let file = dir.path().join(format!("panic-in-{place}/file"));
            fs::create_dir(file.parent().expect("a directory")).expect("mkdir");
            let size = if place == "sending" { ENDLESS } else { 10 };
            fs::File::create(file).and_then(|file| file.set_len(size)).expect("make a file");
        }
        Content { authority, large, dir }
    }

    /// A server with this model, that is not started. Its access log is on a small file system of its own.
    pub fn setup(&self, model: &ModelKind) -> Setup {
        let dir = self.dir.path().display();
        let location = "location /n/ { return 200 $request_uri; }";
        let secure = format!(
            "server {{ listen 127.0.0.2:%port% ssl; root %root%; ssl_certificate {dir}/a.crt; \
             ssl_certificate_key {dir}/a.key; {location} }}"
        );
        let conf = Conf::workers(WORKERS)
            .main("worker_shutdown_timeout 20s;")
            .dispatch(model.name)
            .http(&secure)
            .access_log("%dir%/logs/access.log")
            .listen("127.0.0.1:%port% backlog=1024")
            .server(&format!("http2 on; {location}"));
        Setup::new(Product::Drover, conf).root(self.dir.path()).tmpfs("logs", "1m")
    }
}

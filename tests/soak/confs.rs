//! The confs of a soak: from one to the next everything changes that a reload can change.

use drover::dispatch::ModelKind;

use crate::content::Content;
use crate::support::conf::Conf;

/// So many confs follow each other; then the first one comes again.
pub const CONFS: u64 = 6;

/// The differences of conf `number` from the others.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    pub number: u64,
    pub workers: usize,
    /// `a` or `b`: the document root, and the certificate.
    pub root: &'static str,
    pub has_gzip: bool,
    /// A server on the second port.
    pub has_neighbour: bool,
}

impl Variant {
    pub fn of(number: u64) -> Variant {
        let number = number % CONFS;
        Variant {
            number,
            workers: [2, 3, 4][number as usize % 3],
            root: ["a", "b"][number as usize % 2],
            has_gzip: number % 3 != 1,
            has_neighbour: number % 2 == 1,
        }
    }

    /// The conf, for a server with this model.
    pub fn conf(&self, content: &Content, kind: &ModelKind) -> Conf {
        let Variant { number, workers, root, has_gzip, has_neighbour } = *self;
        let dir = content.dir();
        let locations = format!(
            "location / {{ root {dir}/{root}; }} location /n/ {{ return 200 $request_uri; }} \
             location = /conf {{ return 200 \"{number}\"; }} limit_conn per_address {};",
            500 + number
        );
        let gzip = if has_gzip { "on" } else { "off" };
        let mut http = format!(
            "gzip {gzip}; gzip_comp_level {}; gzip_min_length {}; keepalive_requests {}; keepalive_timeout {}s; \
             limit_conn_zone $binary_remote_addr zone=per_address:1m; \
             server {{ listen 127.0.0.2:%port% ssl; ssl_certificate {dir}/{root}.crt; \
             ssl_certificate_key {dir}/{root}.key; {locations} }}",
            1 + number,
            100 + 10 * number,
            50 + 10 * number,
            20 + number
        );
        if has_neighbour {
            http.push_str(" server { listen 127.0.0.1:%port2%; return 200 neighbour; }");
        }
        Conf::workers(workers)
            .main("worker_shutdown_timeout 20s;")
            .events(&format!("worker_connections {};", 512 + 64 * number))
            .dispatch(kind.name)
            .http(&http)
            .access_log("%dir%/logs/access.log")
            .listen("127.0.0.1:%port% backlog=1024")
            .server(&format!("http2 on; {locations}"))
    }
}

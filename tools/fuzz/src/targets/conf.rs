//! The conf: parses it, and compiles it where it can be compiled.

use crate::target::Target;
use drover::conf::{self, Registry};
use drover::http::HttpConf;
use drover::stream::Servers;

pub(crate) const CONF: Target = Target {
    name: "conf",
    new: || {
        let registry = drover::cli::registry();
        Box::new(move |input| load(&registry, input))
    },
    seeds: &[
        b"worker_processes 2; events { worker_connections 10; dispatch herd; }\n\
          http { types { text/html html; } server { listen 80; root /a; } }",
        b"http { log_format a '$remote_addr \"$request\"'; server { listen 80 default_server; server_name a *.b \
          ~^(?<x>.+)$;\nlocation / { try_files $uri $uri/ /index.html; } location ~* \\.(js|css)$ { expires 30d; \
          add_header A \"b $x\" always; } location = /c { return 301 https://$host$request_uri; } \
          error_page 404 =200 /e; } }",
        b"stream { server { listen 80; echo_upper; } }\n\
          http { server { listen 80; location ^~ /i { alias /j/; allow 1.2.3.0/8; deny all; \
          location /i/n { internal; } } location @x { } } }",
        include_bytes!("../../../../conf/drover.conf"),
    ],
    words: &[
        "{",
        "}",
        ";",
        "\"",
        "'",
        "\\",
        "#",
        "$",
        "${",
        "$1",
        "$uri",
        "\n",
        "\r\n",
        "\t",
        "on",
        "off",
        "0",
        "-1",
        "1k",
        "1y2M",
        "9999999999999999999",
        "99999999999999999g",
        "server {",
        "location / {",
        "location ~ ^(",
        "http {",
        "events {",
        "stream {",
        "types {",
        "root",
        "alias",
        "index",
        "return 200",
        "error_page",
        "expires",
        "add_header a",
        "try_files",
        "log_format",
        "access_log",
        "server_name",
        "keepalive_timeout",
        "client_max_body_size",
        "dispatch",
        "allow",
        "if",
        "map",
        "gzip",
        "\u{feff}",
        "\0",
        "\u{1F600}",
    ],
};

/// A conf is accepted, or refused with an error that has a text. Inputs are skipped that would look names up in the DNS
/// (`listen` with a name, `upstream`) or include files.
fn load(registry: &Registry, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if text.contains("include") && !text.contains("include mime.types;")
        || text.split("listen").skip(1).any(|rest| !rest.starts_with(" 80"))
        || text.contains("upstream")
    {
        return;
    }
    let built_in = &[("mime.types", "types { text/html html; }")];
    let options = conf::Options { prefix: "/nowhere".to_owned(), built_in, ..conf::Options::default() };
    let error = match conf::read(registry, conf::Input::text("fuzz", &text), &options) {
        Ok((conf, mut mistakes)) => {
            let site = HttpConf::compile(&conf, &mut mistakes);
            Servers::compile(&conf, &site.sockets, &mut mistakes);
            conf.judge(mistakes).err()
        }
        Err(problems) => Some(problems),
    };
    if let Some(error) = error {
        assert!(!error.to_string().is_empty());
    }
}

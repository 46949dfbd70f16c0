//! The conf of a side. drover and nginx get the same one where both know the directives.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::side::{Program, Side};
use crate::load::KEEPALIVE_REQUESTS;

/// How to start a server, whatever its program.
#[derive(Clone, Debug)]
pub(crate) struct ServerSpec {
    pub workers: u32,
    pub worker_connections: u32,
    pub cpus: Vec<usize>,
    /// The directory of the files to be served.
    pub site: PathBuf,
    /// The conf of `--conf`: `$port`, `$site`, `$dir`, `$workers`, `$connections` and `$dispatch` are replaced.
    pub template: Option<String>,
}

/// The argument of `daemon` in a conf. A server that becomes a daemon would escape the lab.
pub(crate) fn daemon_argument(conf: &str) -> Option<&str> {
    let lines = conf.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut directives = lines.flat_map(|line| line.split(';'));
    directives.find_map(|directive| directive.trim().strip_prefix("daemon")?.strip_prefix([' ', '\t'])).map(str::trim)
}

const LARGE: usize = 8 * 1024 * 1024;

/// `user root;` when the lab runs as root: its directories are closed to other users.
pub(crate) fn user_directive() -> &'static str {
    if nix::unistd::geteuid().is_root() { "user root;" } else { "" }
}

/// Writes the files that the loads ask for.
pub(crate) fn write_site(site: &Path) -> Result<()> {
    std::fs::create_dir_all(site)?;
    std::fs::write(site.join("1k.html"), page(1024))?;
    std::fs::write(site.join("8m.bin"), page(LARGE)).context("the large file")?;
    Ok(())
}

fn page(size: usize) -> Vec<u8> {
    b"<p>The quick brown fox jumps over the lazy dog.</p>\n".iter().copied().cycle().take(size).collect()
}

/// Whether a parameter of a model of drover is a directive of its own beside `dispatch`.
fn is_directive(param: &str) -> bool {
    ["lease", "multi_accept", "accept_mutex_delay"].contains(&param.split('=').next().unwrap_or_default())
}

/// Whether a parameter of nginx is one of `listen`.
fn is_of_listen(param: &str) -> bool {
    param == "reuseport"
}

/// A parameter as a directive. `lease` is short for drover's `accept_mutex_lease`.
fn directive(param: &str) -> String {
    let (name, value) = param.split_once('=').unwrap_or((param, ""));
    let name = if name == "lease" { "accept_mutex_lease" } else { name };
    format!("{name} {value};")
}

impl Side {
    /// The text of the conf. Error: parameters for h2o.
    pub(crate) fn conf(&self, spec: &ServerSpec, address: SocketAddr, dir: &Path) -> Result<String> {
        let events = self.events();
        match self.program {
            Program::H2o => self.h2o(spec, address, dir),
            Program::Drover if spec.template.is_some() => {
                let template = spec.template.as_deref().unwrap_or_default();
                Ok([
                    ("$port", address.port().to_string()),
                    ("$site", spec.site.display().to_string()),
                    ("$dir", dir.display().to_string()),
                    ("$workers", spec.workers.to_string()),
                    ("$connections", spec.worker_connections.to_string()),
                    ("$dispatch", events),
                ]
                .iter()
                .fold(template.to_owned(), |text, (name, value)| text.replace(name, value)))
            }
            Program::Drover | Program::Nginx | Program::BuiltNginx => Ok(self.nginx_like(spec, address, dir, &events)),
        }
    }

    /// The directives of the events block that make the side.
    fn events(&self) -> String {
        let own = |param: &&String| self.program != Program::Drover || is_directive(param);
        let mut directives: Vec<String> =
            self.params.iter().filter(|p| !is_of_listen(p)).filter(own).map(|param| directive(param)).collect();
        if self.program == Program::Drover {
            let of_model = self.params.iter().filter(|param| !own(param)).map(String::as_str);
            let words: Vec<&str> = std::iter::once(self.model.as_str()).chain(of_model).collect();
            directives.insert(0, format!("dispatch {};", words.join(" ")));
        }
        directives.join(" ")
    }

    fn nginx_like(&self, spec: &ServerSpec, address: SocketAddr, dir: &Path, events: &str) -> String {
        let user = user_directive();
        let temporary = match self.program {
            Program::Nginx | Program::BuiltNginx => ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("    {kind}_temp_path {}/{kind};\n", dir.display()))
                .concat(),
            _ => String::new(),
        };
        // drover counts accept delays when one of its pages shows them: a page of the ledger.
        let ledger = match self.program {
            Program::Drover if self.counts_delays => "        location = /ledger {\n            ledger;\n        }\n",
            _ => "",
        };
        let is_other = self.program != Program::Drover;
        let reuseport = if is_other && self.params.iter().any(|p| is_of_listen(p)) { " reuseport" } else { "" };
        format!(
            "{user}\ndaemon off;\nworker_processes {};\nworker_rlimit_nofile 65536;\n\
             pid {dir}/pid;\nerror_log {dir}/error.log warn;\n\
             events {{\n    worker_connections {};\n    {events}\n}}\n\
             http {{\n{temporary}    access_log off;\n    sendfile on;\n    tcp_nopush on;\n\
             \x20   keepalive_timeout 75s;\n    keepalive_requests {KEEPALIVE_REQUESTS};\n\
             \x20   types {{ text/html html; }}\n\
             \x20   server {{\n        listen {address} backlog=4096{reuseport};\n        root {};\n\
             {ledger}    }}\n}}\n",
            spec.workers,
            spec.worker_connections,
            spec.site.display(),
            dir = dir.display(),
        )
    }

    fn h2o(&self, spec: &ServerSpec, address: SocketAddr, dir: &Path) -> Result<String> {
        if !self.params.is_empty() {
            bail!("h2o takes no parameters here");
        }
        Ok(format!(
            "num-threads: {}\nmax-connections: {}\npid-file: {dir}/pid\nerror-log: {dir}/error.log\nuser: {}\n\
             listen:\n  host: {}\n  port: {}\nhosts:\n  default:\n    paths:\n      /:\n        file.dir: {}\n",
            spec.workers,
            u64::from(spec.worker_connections) * u64::from(spec.workers),
            if nix::unistd::geteuid().is_root() { "root" } else { "nobody" },
            address.ip(),
            address.port(),
            spec.site.display(),
            dir = dir.display(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(template: Option<&str>) -> ServerSpec {
        ServerSpec {
            workers: 4,
            worker_connections: 100,
            cpus: vec![],
            site: "/site".into(),
            template: template.map(str::to_owned),
        }
    }

    fn conf(side: &str, template: Option<&str>) -> String {
        let side = Side { counts_delays: true, ..Side::parse(side).unwrap() };
        side.conf(&spec(template), "127.0.0.1:8000".parse().unwrap(), Path::new("/d")).unwrap()
    }

    #[test]
    fn models_and_parameters_reach_the_events_block() {
        assert!(conf("exclusive:rotate=0", None).contains("    dispatch exclusive rotate=0;\n"));
        assert!(conf("nginx:accept_mutex=on:multi_accept=on", None).contains("accept_mutex on; multi_accept on;"));
        assert!(conf("nginx-1.28.3:reuseport:multi_accept=on", None).contains("    multi_accept on;\n"));
        assert!(conf("nginx:reuseport", None).contains("listen 127.0.0.1:8000 backlog=4096 reuseport;"));
        let lease = conf("accept_mutex:lease=off", None);
        assert!(lease.contains("    dispatch accept_mutex; accept_mutex_lease off;\n"), "{lease}");
        let several = conf("exclusive:rotate=0:multi_accept=on", None);
        assert!(several.contains("    dispatch exclusive rotate=0; multi_accept on;\n"), "{several}");
        assert!(conf("herd", None).contains(" ledger;") && !conf("nginx", None).contains("ledger"));
        assert!(conf("herd", None).contains("listen 127.0.0.1:8000 backlog=4096;"));
    }

    #[test]
    fn what_a_conf_says_of_daemon_is_found() {
        assert_eq!(daemon_argument("worker_processes 2;\n# daemon off;\nevents {}"), None);
        assert_eq!(
            (daemon_argument("user root; daemon off;"), daemon_argument("daemon\ton;")),
            (Some("off"), Some("on"))
        );
    }

    #[test]
    fn a_conf_of_ones_own_is_filled_in() {
        let text = conf("herd", Some("worker_processes $workers; events { $dispatch } listen $port; root $site;"));
        assert_eq!(text, "worker_processes 4; events { dispatch herd; } listen 8000; root /site;");
    }
}

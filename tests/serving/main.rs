//! The real binary under real clients: who accepts, what load does, signals, reload, timeouts, full workers, the command
//! line.

#[path = "../support/mod.rs"]
mod support;

mod acceptors;
mod autoindex;
mod command_line;
mod conf_errors;
mod full;
mod hostile;
mod load;
mod logs;
mod regexes;
mod reload;
mod signals;
mod system_calls;
mod timeouts;

/// A conf with `workers` workers; `events` and `server` go into those blocks.
fn conf(workers: usize, events: &str, server: &str) -> String {
    format!(
        "%main%\nworker_processes {workers};\nevents {{ {events} }}\n\
         http {{ %http% access_log %dir%/access.log;\nserver {{ listen 127.0.0.1:%port%; root %root%; {server} }} }}\n"
    )
}

/// [`conf`] for the tests that need nothing special.
fn plain(workers: usize) -> String {
    conf(workers, "worker_connections 512;", "")
}

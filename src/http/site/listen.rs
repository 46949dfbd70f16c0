//! `listen`: where a server is reached.

use crate::conf::{self, Contexts, Listen, Setting};

/// `listen` in `http`: the addresses at which a server is reached.
pub static LISTEN: Setting<Vec<Listen>> = Setting::many(&["listen"], Listen::parse_into)
.contexts(Contexts::SERVER)
.args(1, usize::MAX)
.syntax("ADDRESS[:PORT] | PORT | unix:PATH [default_server] [ssl] [proxy_protocol] [OPTION ...]")
.local()
.about(
    "Where the server is reached: `8080`, `127.0.0.1:8080`, `[::]:80`, `*:80`, `localhost:80`, `unix:/run/site.sock`. \
     `default_server` answers requests whose Host no server names. \
     `ssl`: clients speak TLS, with the server's `ssl_certificate`. \
     `proxy_protocol`: each connection begins with a header of the PROXY protocol, version 1 or 2, which says who the \
     client is; it is believed where `real_ip_header proxy_protocol` says so. Options of the socket: backlog=N, \
     reuseport, deferred, multipath (Multipath TCP; a kernel without it ends the start), ipv6only=on|off, \
     so_keepalive=on|off|[idle]:[interval]:[count], fastopen=N, rcvbuf=SIZE, sndbuf=SIZE. Without any, a server \
     listens on *:80 (on *:8000 when not started by root).",
);

/// `tcp_nodelay` in `http`: whether small packets leave at once (TCP_NODELAY).
pub static TCP_NODELAY: Setting<bool> = Setting::flag("tcp_nodelay").contexts(Contexts::HTTP_ALL).default("on").about(
    "Whether small packets leave at once. Set on the listening socket, from which connections inherit it: the \
         setting of the default server counts.",
);

/// The directives of this module: `listen` and `tcp_nodelay`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&LISTEN, &TCP_NODELAY];

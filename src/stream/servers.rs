//! The `stream` block, compiled: its listening sockets, and the server behind each address.

use super::step::Step;
use super::{echo_upper, json_rpc};
use crate::conf::{self, Conf, Contexts, Entry, Listen, ListenSocket, Mistakes, Node, Scope, Section, Setting};
use crate::log::LogRef;
use crate::os::{Addr, ListenOptions};

const STREAM_ALL: Contexts = Contexts::STREAM.union(Contexts::STREAM_SERVER);

/// The largest `rpc_max_frame`: an answer is somewhat longer than its call, and its length must fit into 4 bytes.
const LARGEST_FRAME: u64 = 1 << 30;

/// `stream`: the block of the servers that speak no HTTP (nginx: ngx_stream_core_module).
pub static STREAM: Section = Section::new("stream")
    .contexts(Contexts::MAIN)
    .inner(Contexts::STREAM)
    .args(0, 0)
    .once()
    .about("Holds servers that speak no HTTP: two small services to try and measure a dispatch model with.");

/// `server` in `stream`: the block of a service and its addresses.
pub static SERVER: Section = Section::new("server")
    .contexts(Contexts::STREAM)
    .inner(Contexts::STREAM_SERVER)
    .args(0, 0)
    .about("One such server: where it listens, and its service.");

/// `listen` in `stream`: the addresses at which a server is reached.
pub static LISTEN: Setting<Vec<Listen>> = Setting::many(&["listen"], Listen::parse_into)
    .contexts(Contexts::STREAM_SERVER)
    .args(1, usize::MAX)
    .syntax("ADDRESS[:PORT] | PORT | unix:PATH [proxy_protocol] [OPTION ...]")
    .local()
    .about(
        "Where the server is reached. The options are those of `listen` in `http`, but no two servers share an \
         address, so there is no `default_server`.",
    );

/// `tcp_nodelay` in `stream`: whether small packets leave at once (TCP_NODELAY).
pub static TCP_NODELAY: Setting<bool> = Setting::flag("tcp_nodelay")
    .contexts(STREAM_ALL)
    .default("on")
    .about("Whether small packets leave at once. Set on the listening socket, from which connections inherit it.");

/// `echo_upper` and `json_rpc`: the service that a server offers.
pub static SERVICE: Setting<Option<Service>> =
    Setting::many(&["echo_upper", "json_rpc"], service).contexts(Contexts::STREAM_SERVER).args(0, 0).local().about(
        "The service of the server. `echo_upper` answers each chunk in ASCII upper case. `json_rpc` reads frames of a \
     4-byte little-endian length and that many bytes of JSON, `{\"in\": \"ping\", \"params\": ...}`, and answers each \
     with `{\"out\": \"pong\", \"result\": ...}` in the same framing, the result being the params; anything else gets \
     an `{\"error\": ...}`, and the connection is closed.",
    );

/// `rpc_max_frame`: how long the JSON of a frame may be, bytes.
pub static RPC_MAX_FRAME: Setting<u64> = Setting::one("rpc_max_frame", |args| match args.size(0)? {
    size @ 1..=LARGEST_FRAME => Ok(size),
    _ => Err(args.bad(0, "\"rpc_max_frame\" must be between 1 and 1g")),
})
.contexts(STREAM_ALL)
.args(1, 1)
.syntax("SIZE")
.default("64k")
.about("How long the JSON of a `json_rpc` frame may be; a longer one is answered with an error and a close.");

/// `idle_timeout`: how long a client may neither send nor take anything, ms.
pub static IDLE_TIMEOUT: Setting<u64> =
    Setting::one("idle_timeout", positive_time).contexts(STREAM_ALL).args(1, 1).syntax("TIME").default("10m").about(
        "How long a client may neither send anything nor take what is sent to it, before its connection is closed.",
    );

/// `rpc_frame_timeout`: how long a whole frame may take to arrive, ms.
pub static RPC_FRAME_TIMEOUT: Setting<u64> = Setting::one("rpc_frame_timeout", positive_time)
    .contexts(STREAM_ALL)
    .args(1, 1)
    .syntax("TIME")
    .default("60s")
    .about("How long the whole of a `json_rpc` frame may take to arrive.");

/// `proxy_protocol_timeout`: how long the header of the PROXY protocol may take to arrive, ms.
pub static PROXY_PROTOCOL_TIMEOUT: Setting<u64> = Setting::time_ms("proxy_protocol_timeout")
    .contexts(STREAM_ALL)
    .default("30s")
    .about("How long a header of the PROXY protocol may take to arrive, where `listen` has `proxy_protocol`.");

/// The directives of `stream`.
pub static DIRECTIVES: &[&dyn Entry] = &[
    &STREAM,
    &SERVER,
    &LISTEN,
    &TCP_NODELAY,
    &SERVICE,
    &RPC_MAX_FRAME,
    &IDLE_TIMEOUT,
    &RPC_FRAME_TIMEOUT,
    &PROXY_PROTOCOL_TIMEOUT,
];

fn service(args: &mut conf::Args, service: &mut Option<Service>) -> Result<(), conf::Error> {
    if service.is_some() {
        return Err(args.duplicate("is duplicate"));
    }
    *service = Some(if args.name() == "echo_upper" { Service::EchoUpper } else { Service::JsonRpc });
    Ok(())
}

fn positive_time(args: &mut conf::Args) -> Result<u64, conf::Error> {
    match args.time_ms(0)? {
        0 => Err(args.bad(0, format!("\"{}\" must not be 0", args.name()))),
        ms => Ok(ms),
    }
}

/// The whole `stream` block.
#[derive(Debug, Default)]
pub struct Servers {
    /// The listening sockets that the servers need. A connection names its socket by the index here.
    pub sockets: Vec<ListenSocket>,
    /// The listen addresses, and the index of the server behind each.
    bounds: Vec<(Addr, usize)>,
    /// The listen addresses whose connections begin with a header of the PROXY protocol, by the same index.
    proxied: Vec<bool>,
    servers: Vec<Server>,
}

/// The use a server makes of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `echo_upper`: the server sends each chunk back in ASCII upper case.
    EchoUpper,
    /// `json_rpc`: the server answers calls in frames of a 4-byte length and JSON.
    JsonRpc,
}

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// The service that the block names.
    pub service: Service,
    /// The settings of the block, inherited ones included.
    pub scope: Scope,
    /// The log of the errors of the server's connections.
    pub error_log: LogRef,
}

impl Servers {
    /// Compiles the `stream` block of a loaded conf. Errors: the first mistake.
    pub fn new(conf: &Conf, taken: &[ListenSocket]) -> Result<Servers, conf::Error> {
        let mut mistakes = Mistakes::default();
        let servers = Servers::compile(conf, taken, &mut mistakes);
        conf.judge(mistakes).map_err(conf::Problems::into_first)?;
        Ok(servers)
    }

    /// Compiles the `stream` block of a loaded conf. Mistakes: a server without `listen` or service, an address that
    /// two servers, or a server here and one of `taken` in `http`, listen on.
    pub fn compile(conf: &Conf, taken: &[ListenSocket], mistakes: &mut Mistakes) -> Servers {
        let mut servers = Servers::default();
        let mut asked: Vec<(Addr, ListenOptions, conf::Span)> = Vec::new();
        for node in conf.root.children_of(&STREAM).flat_map(|stream| stream.children_of(&SERVER)) {
            let index = servers.servers.len();
            servers.servers.push(Server::new(node, mistakes));
            let nodelay = *node.scope.get(&TCP_NODELAY);
            for listen in node.scope.get(&LISTEN) {
                if let Some((addr, _, first)) = asked.iter().find(|(addr, ..)| *addr == listen.addr) {
                    mistakes.add(duplicate(listen, addr, *first, "listened on"));
                    continue;
                }
                if let Some(socket) = taken.iter().find(|socket| socket.excludes(&listen.addr)) {
                    mistakes.add(duplicate(listen, &socket.addr, socket.span, "listened on by \"http\""));
                }
                let options = ListenOptions { nodelay, ..listen.options.clone().unwrap_or_default() };
                asked.push((listen.addr.clone(), options, listen.span));
                servers.bounds.push((listen.addr.clone(), index));
                servers.proxied.push(listen.proxy_protocol);
            }
        }
        servers.sockets = ListenSocket::group(&asked, &conf.passed);
        servers
    }

    /// Opens the error logs that the conf names.
    pub fn set_error_logs(&mut self, mut open: impl FnMut(&Scope) -> LogRef) {
        for server in &mut self.servers {
            server.error_log = open(&server.scope);
        }
    }

    /// Whether a connection of this socket must ask which address it came in by.
    pub fn wants_local_address(&self, socket: usize) -> bool {
        self.sockets.get(socket).is_some_and(ListenSocket::is_shared)
    }

    /// The listen address that a connection of this socket belongs to: the one it came in by, else the socket's own.
    /// `None`: there is no such socket.
    pub fn bound(&self, socket: usize, local: Option<&Addr>) -> Option<usize> {
        self.sockets.get(socket)?.bound(local)
    }

    /// Whether a connection of a listen address begins with a header of the PROXY protocol.
    pub fn expects_proxy_header(&self, bound: usize) -> bool {
        self.proxied.get(bound).copied().unwrap_or_default()
    }

    /// A listen address and the server behind it. `bound` comes from [`Servers::bound`].
    pub fn at(&self, bound: usize) -> (&Addr, &Server) {
        let (addr, server) = &self.bounds[bound];
        (addr, &self.servers[*server])
    }
}

impl Server {
    /// `proxy_protocol_timeout`, ms.
    pub fn proxy_protocol_timeout(&self) -> u64 {
        *self.scope.get(&PROXY_PROTOCOL_TIMEOUT)
    }

    fn new(node: &Node, mistakes: &mut Mistakes) -> Server {
        let service = *node.scope.get(&SERVICE);
        // A statement that was not understood may be the one that is missing.
        if node.is_whole && node.scope.get(&LISTEN).is_empty() {
            mistakes.add(conf::Error::at(node.span, "no \"listen\" is defined for server"));
        } else if node.is_whole && service.is_none() {
            let error = conf::Error::at(node.span, "no handler for server");
            mistakes.add(error.help("say echo_upper or json_rpc in it"));
        }
        let service = service.unwrap_or(Service::EchoUpper);
        Server { service, scope: node.scope.clone(), error_log: LogRef::main() }
    }

    /// Answers the whole chunks or frames of `input` behind what `out` holds, until `out` holds `enough` bytes: then
    /// its reader must take them first. `out` grows beyond that by one answer at most.
    pub fn answer(&self, input: &[u8], out: &mut Vec<u8>, enough: usize) -> Step {
        match self.service {
            Service::EchoUpper => echo_upper::answer(input, out, enough),
            Service::JsonRpc => json_rpc::answer(input, out, enough, self.max_frame()),
        }
    }

    /// `rpc_max_frame`, bytes.
    fn max_frame(&self) -> usize {
        *self.scope.get(&RPC_MAX_FRAME) as usize
    }

    /// `idle_timeout`, ms.
    pub fn idle_timeout(&self) -> u64 {
        *self.scope.get(&IDLE_TIMEOUT)
    }

    /// `rpc_frame_timeout`, ms.
    pub fn frame_timeout(&self) -> u64 {
        *self.scope.get(&RPC_FRAME_TIMEOUT)
    }
}

/// The error of two servers that listen where there can be one socket.
fn duplicate(listen: &Listen, addr: &Addr, first: conf::Span, how: &str) -> conf::Error {
    conf::Error::at(listen.span, format!("duplicate \"{}\" address and port pair", listen.addr))
        .help_at(first, format!("{addr} is {how} in {{place}} already"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{Registry, parse};
    use crate::http::HttpConf;

    fn registry() -> Registry {
        Registry::new(&[&[DIRECTIVES][..], crate::http::DIRECTIVES].concat())
    }

    fn servers(text: &str) -> Result<Servers, String> {
        let conf = parse(&registry(), text).map_err(|error| error.to_string())?;
        let site = HttpConf::new(&conf).map_err(|error| conf.explain(error).to_string())?;
        Servers::new(&conf, &site.sockets).map_err(|error| conf.explain(error).to_string())
    }

    #[test]
    fn the_directives_stand_beside_those_of_http() {
        assert_eq!(registry().problems(), Vec::<String>::new());
    }

    #[test]
    fn each_address_leads_to_its_server() {
        let servers = servers(
            "stream { idle_timeout 5s; rpc_max_frame 1k;
               server { listen 127.0.0.1:7000; echo_upper; }
               server { listen 7000; listen 7001; json_rpc; rpc_max_frame 2k; tcp_nodelay off; } }",
        )
        .unwrap();
        let shown: Vec<_> = servers.sockets.iter().map(|s| (s.addr.to_string(), s.options.nodelay)).collect();
        assert_eq!(shown, [("0.0.0.0:7000".to_owned(), false), ("0.0.0.0:7001".to_owned(), false)]);
        let reached = |socket, local: &str| {
            let local = Addr::from(local.parse::<std::net::SocketAddr>().unwrap());
            let (addr, server) = servers.at(servers.bound(socket, Some(&local)).unwrap());
            (addr.to_string(), server.service, server.max_frame(), server.idle_timeout())
        };
        assert_eq!(reached(0, "127.0.0.1:7000"), ("127.0.0.1:7000".to_owned(), Service::EchoUpper, 1024, 5000));
        assert_eq!(reached(0, "127.0.0.2:7000"), ("0.0.0.0:7000".to_owned(), Service::JsonRpc, 2048, 5000));
        assert_eq!(reached(1, "127.0.0.1:7001").1, Service::JsonRpc);
        assert!(servers.wants_local_address(0) && !servers.wants_local_address(1));
        assert_eq!(servers.bound(2, None), None);
    }

    #[test]
    fn an_address_is_listened_on_once_in_http_and_stream() {
        let both = |http: &str, stream: &str| {
            servers(&format!(
                "http {{ server {{ listen {http}; }} }}\nstream {{ server {{ listen {stream}; echo_upper; }} }}"
            ))
        };
        let error = both("127.0.0.1:7000", "127.0.0.1:7000").unwrap_err();
        assert!(error.contains("duplicate \"127.0.0.1:7000\" address and port pair in conf:2"), "{error}");
        assert!(error.contains("is listened on by \"http\" in conf:1 already"), "{error}");
        assert!(both("7000", "127.0.0.1:7000").is_err() && both("127.0.0.1:7000", "7000").is_err());
        assert!(both("unix:/s", "unix:/s").is_err());
        assert!(both("127.0.0.1:7000", "127.0.0.2:7000").is_ok() && both("[::]:7000", "7000").is_ok());
        let error =
            servers("stream { server { listen 1; echo_upper; }\nserver { listen *:1; echo_upper; } }").unwrap_err();
        assert!(error.contains("in conf:2") && error.contains("is listened on in conf:1 already"), "{error}");
    }

    #[test]
    fn a_server_needs_one_place_and_one_service() {
        let error = |server: &str| servers(&format!("stream {{ server {{ {server} }} }}")).unwrap_err();
        assert!(error("echo_upper;").contains("no \"listen\" is defined for server in conf:1"));
        assert!(error("listen 7000;").contains("no handler for server in conf:1"));
        assert!(error("listen 7000; echo_upper; json_rpc;").contains("\"json_rpc\" directive is duplicate"));
        assert!(error("listen 7000 default_server; echo_upper;").contains("invalid parameter \"default_server\""));
        assert!(error("listen 7000; echo_upper; rpc_max_frame 2g;").contains("between 1 and 1g"));
        assert!(error("listen 7000; echo_upper; idle_timeout 0;").contains("\"idle_timeout\" must not be 0"));
        assert!(error("listen 7000; json_rpc; root /;").contains("\"root\" directive is not allowed here"));
        assert!(servers("http { server { echo_upper; } }").unwrap_err().contains("is not allowed here"));
        assert_eq!(servers("").unwrap().sockets.len(), 0);
    }
}

//! Variables about connections, and those of modules that have nothing to say about a static file.

use crate::probe::{Probe, Site, get, request};
use crate::probes;

/// Numbers that differ from run to run are compared by their form.
pub fn connection_variables() -> Site {
    let http = r#"
        map $connection_time $time { '~^\d\.\d{3}$' seconds; default "[$connection_time]"; }
        map $tcpinfo_rtt:$tcpinfo_rttvar:$tcpinfo_snd_cwnd:$tcpinfo_rcv_space $tcp { ~^\d+:\d+:\d+:\d+$ numbers;
            default "[$tcpinfo_rtt]"; }
        map $connections_active:$connections_reading:$connections_waiting $all { ~^[1-9]\d*:\d+:\d+$ numbers;
            default "[$connections_active]"; }
        map $connections_writing $writing { ~^[1-9]\d*$ some; default "[$connections_writing]"; }
        log_format own '$remote_port' ' $upstream_addr $upstream_http_x_y $ssl_protocol $ssl_client_s_dn $request_body'
            ' $request_body_file $http2 $proxy_host [$time_local] $proxy_add_x_forwarded_for';
        server { listen 127.0.0.1:%port%; root %root%; access_log %dir%/access.log own;
            location / { }
            location = /numbers { return 200 "$time|$tcp|$all|$writing"; }
            location = /absent { return 200 "[$upstream_addr][$upstream_status][$upstream_http_x][$upstream_cookie_a]
[$upstream_trailer_x][$ssl_protocol][$ssl_cipher][$ssl_server_name][$ssl_client_verify][$http2]
[$proxy_host][$proxy_port][$fastcgi_script_name][$fastcgi_path_info][$request_body]
[$request_body_file]"; }
            location = /if { if ($upstream_addr) { return 200 yes; } return 200 no; }
            location = /forwarded { return 200 "$proxy_add_x_forwarded_for"; }
            location = /real { return 200 "$realpath_root"; }
            location = /real/link { root %root%/linkdir; return 200 "$realpath_root"; }
            location = /real/dots { root %root%/dir/../dir/sub/; return 200 "$realpath_root"; }
            location = /real/none { root %root%/none; return 200 "[$realpath_root]"; }
            location /real/alias/ { alias %root%/linkdir/; return 200 "$realpath_root"; }
            location = /real/name { root %root%/$arg_dir; return 200 "$realpath_root"; }
        }"#;
    let probes = probes![
        get("/numbers"),
        get("/absent"),
        get("/if"),
        get("/forwarded"),
        get("/forwarded").with("X-Forwarded-For", "1.2.3.4"),
        get("/forwarded").with("X-Forwarded-For", "1.2.3.4").with("X-Forwarded-For", "5.6.7.8, 9.9.9.9"),
        get("/forwarded").with("X-Forwarded-For", ""),
        get("/real"),
        get("/real/link"),
        get("/real/dots"),
        get("/real/alias/x"),
        get("/real/name?dir=bare"),
        get("/page.html"),
        request("POST", "/absent").body("abc"),
    ];
    let mut probes: Vec<Probe> = probes;
    probes.push(get("/absent").named("absent, again"));
    Site::new("connection_variables", http, probes)
}

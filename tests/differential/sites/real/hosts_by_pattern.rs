//! Many hosts.

use crate::probe::{Probe, Site, get};

/// Hosts by regexes, whose groups name the directory, the redirect and the header.
pub fn hosts_by_pattern() -> Site {
    let http = "map $host $is_test { default 0; ~\\.test$ 1; } map $port_of $suffix { default ''; ~. ':$port_of'; } \
        map $http_host $port_of { default ''; ~:(?<p>\\d+)$ $p; } \
        server { listen 127.0.0.1:%port%; server_name ~^(?<sub>dir|other|bare)\\.(?<zone>dev|test)$; \
            root %root%/$sub; index index.html index.htm; autoindex off; error_page 404 403 @missing; \
            add_header X-Zone '$zone $is_test' always; \
            location @missing { return 404 'nothing for $sub.$zone at $uri\\n'; } \
            location ~ ^/up/(?<file>.*)$ { alias %root%/$file; add_header X-File $file; } } \
        server { listen 127.0.0.1:%port%; server_name '~^(www\\.)(?<rest>.+)$'; \
            return 308 $scheme://$rest$suffix$request_uri; } \
        server { listen 127.0.0.1:%port%; server_name ~^([a-z]+)-([a-z]+)\\.pr\\.example$; root %root%; \
            location / { set $where /$1/$2; rewrite ^ $where$uri break; try_files $uri $uri/index.html =404; } } \
        server { listen 127.0.0.1:%port%; server_name ~^(?<n>\\d+)\\.num\\.example$; \
            if ($n ~ ^0*([1-9]\\d?)$) { return 200 'number $1\\n'; } return 404; } \
        server { listen 127.0.0.1:%port%; server_name example.org *.example.org; root %root%; \
            if ($host != example.org) { rewrite ^(.*)$ $scheme://example.org$1 permanent; } } \
        server { listen 127.0.0.1:%port%; server_name ''; return 400; } \
        server { listen 127.0.0.1:%port% default_server; server_name localhost; root %root%; \
            location = /host { return 200 '$host $server_name $http_host'; } }";
    let hosts = [
        "dir.dev",
        "dir.test",
        "DIR.Test",
        "bare.dev:8080",
        "other.test",
        "none.dev",
        "www.example.com",
        "www.example.com:8080",
        "WWW.Dir.Dev",
        "dir-sub.pr.example",
        "other-none.pr.example",
        "7.num.example",
        "007.num.example",
        "700.num.example",
        "example.org",
        "a.b.example.org.",
        "localhost",
        "else.where:99",
    ];
    let targets = ["/", "/page.html?a=1", "/sub", "/up/digits.txt", "/file.txt", "/none", "/host"];
    let with_host = |host| move |target: &&str| Probe::from(get(target).host(host));
    let mut probes: Vec<Probe> = hosts.iter().flat_map(|host| targets.iter().map(with_host(host))).collect();
    probes.extend(targets.map(|target| Probe::from(get(target).without_host().http10())));
    Site::new("hosts_by_pattern", http, probes)
}

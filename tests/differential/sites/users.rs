//! `$remote_user`, as each spelling of the credentials gives it.

use crate::probe::{Site, get};
use crate::probes;

pub fn users() -> Site {
    let http = "server { listen 127.0.0.1:%port%; return 200 'user $remote_user'; }";
    let auth = |value: &str| get("/").with("Authorization", value).named(value);
    let probes = probes![
        get("/"),
        auth("Basic Ym9iOng="),
        auth("Basic Ym9iOng"),
        auth("basic Ym9iOng="),
        auth("Basic   Ym9iOng="),
        auth("Basic \tYm9iOng="),
        auth("Basic YW5uZTpwdw=="),
        auth("Basic YW5uZTpwdw="),
        auth("Basic YW5uZTpwdw"),
        auth("Basic YW5uZTpwdx"),
        auth("Basic YW5uZTpwdw=%junk"),
        auth("Basic YW5uZTpwd"),
        auth("Basic YW5u ZTpw"),
        auth("Basic Ym9i"),
        auth("Basic OnB3"),
        auth("Basic YeI_Og"),
        auth("Basic ="),
        auth("Basic"),
        auth("BasicYm9iOng="),
        auth("Bearer Ym9iOng="),
    ];
    Site::new("users", http, probes)
}

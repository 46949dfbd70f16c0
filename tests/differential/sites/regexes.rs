//! Locations and names by regex: which texts they take, and what their groups hold.

use crate::probe::{Site, get};
use crate::probes;

pub fn regexes() -> Site {
    // Each stands in a server of its own, so that none takes another's texts.
    let locations = [
        r"^/v\d+\.?\d+$",
        r"^/w/\w+-?\w+$",
        r"^/((?i)images)/Secret$",
        r"^/p/\p{Lu}\p{Ll}+$",
        r"^/h/a\hb$",
        r"^/v/a\vb$",
        r"^/q/[\Qa-z\E]+$",
        r"^/g/(a|b)\g{1}$",
        r"^/k/(?<n>a|b)\k{n}$",
        r"^/r/(?|a(b)|c(d))\1$",
        r"^/o/\101$",
        r"^/d/a$",
        r"^/e/(a*)+",
        r"^/f/(?:(a)|b)*$",
        r"^/i/(?i:a)b$",
        r"^/l/(?<!x/)\d+(?=/|$)",
        r"^/u/é$",
        r"^/s/[--/]$",
    ];
    let conf: String =
        locations.iter().map(|pattern| format!("location ~ '{pattern}' {{ return 200 '[$1][$2]'; }}")).collect();
    let http = format!(
        r"server {{ listen 127.0.0.1:%port%; {conf} location / {{ return 404; }} }}
          server {{ listen 127.0.0.1:%port%; server_name '~(?<who>[^.]+)\.((?!no)\w+)\.example';
                    return 200 '$who $2'; }}
          server {{ listen 127.0.0.1:%port%; server_name '~^((?<left>a+)|(?<right>b+))$'; return 200 '$left-$right'; }}
          server {{ listen 127.0.0.1:%port%; server_name '~^(?J)(?:(?<both>c+)|(?<both>d+))$'; return 200 '[$both]'; }}"
    );
    let probes = probes![
        get("/v1"),
        get("/v12"),
        get("/v1.2"),
        get("/v1."),
        get("/w/a"),
        get("/w/a-b"),
        get("/images/SECRET"),
        get("/IMAGES/Secret"),
        get("/p/Abc"),
        get("/p/abc"),
        get("/h/a%09b"),
        get("/h/a%0ab"),
        get("/v/a%0bb"),
        get("/v/a%0cb"),
        get("/v/a%09b"),
        get("/q/a-z"),
        get("/q/b"),
        get("/g/aa"),
        get("/g/ab"),
        get("/k/bb"),
        get("/k/ba"),
        get("/r/abb"),
        get("/r/cdd"),
        get("/r/abd"),
        get("/o/A"),
        get("/o/101"),
        get("/d/a"),
        get("/d/a%0a"),
        get("/d/a%0a%0a"),
        get("/d/a%0ab"),
        get("/e/aa"),
        get("/e/"),
        get("/f/ab"),
        get("/f/b"),
        get("/i/Ab"),
        get("/i/AB"),
        get("/l/1"),
        get("/l/x/1"),
        get("/u/%c3%a9"),
        get("/u/%c3"),
        get("/s/."),
        get("/s/-"),
        get("/s/+"),
        get("/").host("me.yes.example"),
        get("/").host("me.no.example"),
        get("/").host("ME.Yes.Example"),
        get("/").host("aa"),
        get("/").host("b"),
        get("/").host("cc"),
        get("/").host("d"),
    ];
    Site::new("regexes", &http, probes)
}

//! `cors`: files for scripts of other origins (the Fetch standard, "CORS protocol"), preflights included.

use super::fields::Fields;
use super::headers::ADD_HEADER;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Flow};
use crate::http::message::head::Method;
use crate::http::site::location::Location;

/// The origins whose scripts may read what a location serves.
#[derive(Debug, Default)]
pub enum Cors {
    /// None, and preflights get a 405.
    #[default]
    Off,
    /// The origins that `add_header Access-Control-Allow-Origin` says.
    AsSaid,
    /// All.
    Any,
    /// These; a `*` in front of a name stands for what is in front of its first dots.
    Origins(Vec<String>),
}

/// `cors`: who may read what a location serves.
pub static CORS: Setting<Cors> = Setting::one("cors", |args| {
    if args.len() == 1 {
        match args.str(0)? {
            "off" => return Ok(Cors::Off),
            "on" => return Ok(Cors::AsSaid),
            "*" => return Ok(Cors::Any),
            _ => {}
        }
    }
    let mut origins = Vec::with_capacity(args.len());
    for i in 0..args.len() {
        let origin = args.str(i)?.to_ascii_lowercase();
        if !is_origin(&origin) {
            let error = args.bad(i, format!("invalid origin \"{}\"", args.str(i)?));
            return Err(error.help("scheme and host, and a port if it has one: https://www.example.org; or * alone"));
        }
        origins.push(origin);
    }
    Ok(Cors::Origins(origins))
})
.contexts(Contexts::HTTP_ALL)
.args(1, usize::MAX)
.syntax("* | ORIGIN ... | on | off")
.default("off")
.about(
    "Lets scripts of other origins read what is served: of all (`*`), or of the ORIGINs (`https://*.example.org`: of \
     all names below). Answers have Access-Control-Allow-Origin, and Vary where it differs; preflights (OPTIONS) get \
     204 and may use GET, HEAD and the header fields they ask for, for a day, before `allow`, `deny` and the like are \
     looked at, and in the place of a `return` or redirect. `on`: `add_header` says the origin, as in a conf for \
     nginx, and preflights get it too. What add_header says goes before what `cors` would.",
);

/// The directive of this file: `cors`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&CORS];

/// Whether the text can be an origin: `scheme://host` or `scheme://host:port`.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !host.is_empty()
        && host.bytes().all(is_host)
}

impl Cors {
    /// Whether scripts of this origin may read.
    fn allows(&self, origin: &[u8]) -> bool {
        let Cors::Origins(origins) = self else { return false };
        let origin = origin.to_ascii_lowercase();
        origins.iter().any(|allowed| match allowed.split_once("*.") {
            None => allowed.as_bytes() == origin,
            Some((scheme, name)) => {
                let rest = origin.strip_prefix(scheme.as_bytes()).and_then(|rest| rest.strip_suffix(name.as_bytes()));
                rest.is_some_and(|rest| rest.len() > 1 && rest.ends_with(b".") && !rest.contains(&b'/'))
            }
        })
    }
}

fn field<'c>(ex: &'c Exchange, cx: &'c Cx, name: &'static [u8]) -> Option<&'c [u8]> {
    ex.head.all_of_variable(cx.input, name).next()
}

/// Whether the scope says nothing to scripts of other origins.
pub(super) fn is_off(scope: &conf::Scope) -> bool {
    matches!(scope.get(&CORS), Cors::Off)
}

/// Whether the location answers preflights.
pub(in crate::http) fn is_needed(location: &Location) -> bool {
    !is_off(&location.scope)
}

/// Answers a preflight, where the location has rules for it.
pub(in crate::http) fn preflight(ex: &mut Exchange, cx: &Cx) -> Flow {
    if ex.head.method != Method::Options
        || is_off(&ex.location_of(cx).scope)
        || field(ex, cx, b"origin").is_none()
        || field(ex, cx, b"access_control_request_method").is_none()
    {
        return Flow::Next;
    }
    ex.response.is_preflight = true;
    Flow::Answer(Answer::Text { status: 204, body: Vec::new(), media_type: None })
}

/// The answer to a preflight in the place of that of a script, unless it is an error: browsers follow no redirect of
/// a preflight, and a text without the fields of CORS tells them nothing.
pub(in crate::http) fn instead_of_answer(ex: &mut Exchange, cx: &Cx, flow: Flow) -> Flow {
    let may_be_replaced = match flow {
        Flow::Answer(Answer::Text { status, .. }) => status < 400,
        Flow::Answer(Answer::Redirect { .. }) => true,
        _ => false,
    };
    if !may_be_replaced {
        return flow;
    }
    match preflight(ex, cx) {
        Flow::Next => flow,
        answer => answer,
    }
}

/// Whether the origins that `add_header` allows may be others for another request.
fn says_several(ex: &Exchange, cx: &Cx) -> bool {
    let headers = ex.location_of(cx).scope.get(&ADD_HEADER);
    let is_origin = |name: &str| name.eq_ignore_ascii_case("Access-Control-Allow-Origin");
    headers.iter().any(|header| is_origin(header.name()) && header.has_variables())
}

/// Header filter: the fields of CORS, but for those that `add_header` has written already, and the Vary of
/// `spa_fallback` and `metrics`. The head begins at `start`.
pub(super) fn filter_header(ex: &mut Exchange, cx: &Cx, _: &Fields, out: &mut Vec<u8>, start: usize) {
    if let Some(fields) = ex.response.chosen_by {
        [b"Vary: ", fields.as_bytes(), b"\r\n"].into_iter().for_each(|part| out.extend_from_slice(part));
    }
    let cors = ex.location_of(cx).scope.get(&CORS);
    if matches!(cors, Cors::Off) {
        return;
    }
    let mut put = |name: &str, value: &[u8]| {
        if !has_field(&out[start..], name) {
            [name.as_bytes(), b": ", value, b"\r\n"].into_iter().for_each(|part| out.extend_from_slice(part));
        }
    };
    match cors {
        Cors::Off | Cors::AsSaid => {}
        Cors::Any => put("Access-Control-Allow-Origin", b"*"),
        Cors::Origins(_) => {
            if let Some(origin) = field(ex, cx, b"origin").filter(|origin| cors.allows(origin)) {
                put("Access-Control-Allow-Origin", origin);
            }
        }
    }
    if ex.response.is_preflight {
        put("Access-Control-Allow-Methods", b"GET, HEAD");
        if let Some(wanted) = field(ex, cx, b"access_control_request_headers") {
            put("Access-Control-Allow-Headers", wanted);
        }
        put("Access-Control-Max-Age", b"86400");
    }
    if matches!(cors, Cors::Origins(_)) || says_several(ex, cx) {
        out.extend_from_slice(b"Vary: Origin\r\n");
    }
}

/// Whether a head has a line of this name.
fn has_field(head: &[u8], name: &str) -> bool {
    head.split(|byte| *byte == b'\n').any(|line| {
        let same = line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name.as_bytes()));
        same && line.get(name.len()) == Some(&b':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_a_scheme_and_a_host() {
        for origin in ["https://a.example", "http://localhost:3000", "https://*.a.example", "http://[::1]:80"] {
            assert!(is_origin(origin), "{origin}");
        }
        for text in ["a.example", "https://a.example/", "https://", "://a", "https://*", "*", "null", "https://a b"] {
            assert!(!is_origin(text), "{text}");
        }
    }

    #[test]
    fn a_star_stands_for_names_below() {
        let cors = Cors::Origins(vec!["https://a.example".into(), "https://*.b.example:8".into()]);
        for origin in ["https://a.example", "HTTPS://A.example", "https://x.b.example:8", "https://x.y.b.example:8"] {
            assert!(cors.allows(origin.as_bytes()), "{origin}");
        }
        for origin in
            ["http://a.example", "https://a.example:443", "https://b.example:8", "https://.b.example:8", "null", ""]
        {
            assert!(!cors.allows(origin.as_bytes()), "{origin}");
        }
        assert!(!cors.allows(b"https://evilb.example:8"));
    }
}

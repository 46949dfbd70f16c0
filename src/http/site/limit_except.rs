//! `limit_except`: settings of a location for all methods but some (`ngx_http_core_limit_except`).

use crate::conf::{self, Contexts, Mistakes, Node, Section};
use crate::http::message::head::Method;

/// `limit_except`: the block of settings for the methods that it does not name.
pub static LIMIT_EXCEPT: Section = Section::new("limit_except")
    .contexts(Contexts::LOCATION)
    .inner(Contexts::LIMIT_EXCEPT)
    .args(1, usize::MAX)
    .syntax("METHOD ...")
    .once()
    .about(
        "Rules for requests of all methods but those named: `allow`, `deny`, `auth_basic`, and `access_log`. GET \
         includes HEAD. The block inherits from its location, but for the script (`return`, `rewrite`, `if`) and \
         whatever else is never inherited.",
    );

/// The methods that nginx knows (`ngx_methods_names`).
const METHODS: [&str; 14] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "MKCOL",
    "COPY",
    "MOVE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "PATCH",
];

/// A location's `limit_except`.
#[derive(Debug)]
pub struct LimitExcept {
    /// The methods that it names.
    methods: Vec<&'static str>,
    /// The location of its settings.
    pub(super) location: usize,
}

impl LimitExcept {
    /// The block of `node`, whose settings are those of the location at index `location`.
    pub(super) fn new(node: &Node, location: usize, mistakes: &mut Mistakes) -> Option<LimitExcept> {
        let known = |arg: &conf::Arg| {
            let method = METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(&arg.text));
            method.ok_or_else(|| {
                let error = conf::Error::at(arg.span, format!("invalid method \"{}\"", arg.text));
                let similar = conf::did_you_mean(&arg.text.to_ascii_uppercase(), METHODS);
                error.help(match similar {
                    Some(method) => format!("did you mean \"{method}\"?"),
                    None => format!("one of {}", METHODS.join(", ")),
                })
            })
        };
        let methods: Vec<_> = node.args.iter().map(|arg| mistakes.keep(known(arg))).collect();
        let mut methods = methods.into_iter().collect::<Option<Vec<_>>>()?;
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        Some(LimitExcept { methods, location })
    }

    /// Whether a request of this method, whose text is `text`, is limited.
    pub(super) fn limits(&self, method: Method, text: &[u8]) -> bool {
        !self.methods.iter().any(|known| match method {
            // An internal redirect has made the request a GET, whatever its text.
            Method::Get => *known == "GET",
            Method::Head => *known == "HEAD",
            _ => known.as_bytes() == text,
        })
    }
}

/// The directive of this module: `limit_except`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&LIMIT_EXCEPT];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_includes_head_and_unknown_methods_are_limited() {
        let limit = |methods: &[&'static str]| LimitExcept { methods: methods.to_vec(), location: 0 };
        let get = limit(&["GET", "HEAD"]);
        assert!(!get.limits(Method::Get, b"GET") && !get.limits(Method::Head, b"HEAD"));
        assert!(!get.limits(Method::Get, b"POST"), "an internal redirect");
        assert!(get.limits(Method::Post, b"POST") && get.limits(Method::Other, b"FROB"));
        let lock = limit(&["LOCK"]);
        assert!(!lock.limits(Method::Other, b"LOCK") && lock.limits(Method::Get, b"GET"));
    }
}

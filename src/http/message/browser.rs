//! Browsers with faults that nginx works around, by their User-Agent (`ngx_http_process_user_agent`).

use memchr::memmem;

/// Internet Explorer before 7, without Windows' second service pack.
pub fn is_msie6(agent: &[u8]) -> bool {
    let Some(at) = memmem::find(agent, b"MSIE ") else { return false };
    let is_old = match agent.get(at + 5..) {
        Some([b'4' | b'5', b'.', _, ..]) => true,
        Some([b'6', b'.', rest @ ..]) if !rest.is_empty() => memmem::find(&rest[1..], b"SV1").is_none(),
        _ => false,
    };
    is_old && memmem::find(agent, b"Opera").is_none()
}

/// Internet Explorer up to version 10.
pub fn is_msie(agent: &[u8]) -> bool {
    has_msie(agent) && !has(agent, "Opera")
}

/// Chrome.
pub fn is_chrome(agent: &[u8]) -> bool {
    !has_msie(agent) && !["Opera", "Gecko/"].into_iter().any(|name| has(agent, name)) && has(agent, "Chrome/")
}

/// Safari on a Mac, and those that call themselves so.
pub fn is_safari(agent: &[u8]) -> bool {
    let is_other = has_msie(agent) || ["Opera", "Gecko/", "Chrome/"].into_iter().any(|name| has(agent, name));
    !is_other && has(agent, "Safari/") && has(agent, "Mac OS X")
}

fn has_msie(agent: &[u8]) -> bool {
    memmem::find(agent, b"MSIE ").is_some_and(|at| at + 7 < agent.len())
}

fn has(agent: &[u8], name: &str) -> bool {
    memmem::find(agent, name.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msie_and_chrome_are_told_from_those_that_name_them() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36";
        let firefox = "Mozilla/5.0 (X11; rv:109.0) Gecko/20100101 Firefox/115.0";
        for (agent, msie, is_this) in [
            (chrome, false, true),
            ("Mozilla/4.0 (compatible; MSIE 6.0; x)", true, false),
            ("", false, false),
            ("curl/8", false, false),
            ("MSIE 6", false, false),
            ("MSIE 6.0; Opera 9", false, false),
            ("Chrome", false, false),
            (firefox, false, false),
            ("Gecko/1 Chrome/1", false, false),
        ] {
            assert_eq!((is_msie(agent.as_bytes()), is_chrome(agent.as_bytes())), (msie, is_this), "{agent}");
        }
    }

    #[test]
    fn safari_is_told_from_those_that_name_it() {
        for (agent, safari) in [
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/17 Safari/605", true),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Chrome/120 Safari/537", false),
            ("Mozilla/5.0 (X11; Linux) Version/17 Safari/605", false),
            ("Mac OS X Gecko/1 Safari/1", false),
            ("Opera Mac OS X Safari/1", false),
            ("MSIE 7.0; Mac OS X Safari/1", false),
            ("Mac OS X", false),
        ] {
            assert_eq!(is_safari(agent.as_bytes()), safari, "{agent}");
        }
    }
}

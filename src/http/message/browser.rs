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

/// Safari on a Mac, and those that call themselves so.
pub fn is_safari(agent: &[u8]) -> bool {
    let has = |text: &str| memmem::find(agent, text.as_bytes()).is_some();
    let is_msie = memmem::find(agent, b"MSIE ").is_some_and(|at| at + 7 < agent.len());
    let is_other = is_msie || ["Opera", "Gecko/", "Chrome/"].into_iter().any(has);
    !is_other && has("Safari/") && has("Mac OS X")
}

#[cfg(test)]
mod tests {
    use super::*;

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

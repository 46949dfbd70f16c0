//! The conf: parses it, compiles it where it can be compiled, and formats it.

use drover::conf::{self, Registry};
use drover::http::HttpConf;
use drover::stream::Servers;

/// A conf is accepted, or refused with an error that has a text.
pub(super) fn conf() -> impl FnMut(&[u8]) {
    let registry = drover::cli::registry();
    move |input| {
        if let Some(Err(error)) = load(&registry, input) {
            assert!(!error.is_empty());
        }
    }
}

/// Whether a conf is accepted, with the error if it is not. Inputs are skipped that would look names up in the DNS
/// (`listen` with a name, `upstream`, proxies) or include files.
fn load(registry: &Registry, input: &[u8]) -> Option<Result<(), String>> {
    let text = String::from_utf8_lossy(input);
    if text.contains("include") && !text.contains("include mime.types;")
        || text.split("listen").skip(1).any(|rest| !rest.starts_with(" 80"))
        || ["upstream", "set_real_ip_from", "syslog", "resolver"].iter().any(|word| text.contains(word))
    {
        return None;
    }
    let built_in = &[("mime.types", "types { text/html html; }")];
    let options = conf::Options { prefix: "/nowhere".to_owned(), built_in, ..conf::Options::default() };
    Some(match conf::read(registry, conf::Input::text("fuzz", &text), &options) {
        Ok((conf, mut mistakes)) => {
            let site = HttpConf::compile(&conf, &mut mistakes);
            Servers::compile(&conf, &site.sockets, &mut mistakes);
            conf.judge(mistakes).map_err(|error| error.to_string())
        }
        Err(problems) => Err(problems.to_string()),
    })
}

/// A formatted conf is not changed by formatting it again, has the bytes that the conf has, but for blanks, and is
/// accepted where the conf is.
pub(super) fn format() -> impl FnMut(&[u8]) {
    let registry = drover::cli::registry();
    move |input| {
        let Ok(formatted) = conf::format(&registry, "fuzz", input) else { return };
        let again = conf::format(&registry, "fuzz", &formatted).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(formatted.escape_ascii().to_string(), again.escape_ascii().to_string());
        // A byte order mark is no part of the conf.
        let text = input.strip_prefix("\u{feff}".as_bytes()).unwrap_or(input);
        assert_eq!(without_blanks(&formatted), without_blanks(text));
        let is_fine = |text: &[u8]| load(&registry, text).map(|result| result.is_ok());
        assert_eq!(is_fine(&formatted), is_fine(input), "{}", formatted.escape_ascii());
    }
}

fn without_blanks(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

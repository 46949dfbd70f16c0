//! `server_name`: the names of a server.

use super::regex::Regex;
use crate::conf::{self, Contexts, Setting, Span};

/// `server_name`: the hosts that a server answers for.
pub static SERVER_NAME: Setting<Vec<ServerName>> = Setting::many(
    &["server_name"],
    |args, names: &mut Vec<ServerName>| {
        for i in 0..args.len() {
            names.push(ServerName::parse(args, i)?);
        }
        Ok(())
    },
)
.contexts(Contexts::SERVER)
.args(1, usize::MAX)
.syntax("NAME ...")
.local()
.about(
    "The names of the server: exact, `*.example.org`, `.example.org` (both), `www.example.*`, or a regex behind `~`. \
     An exact name wins over a wildcard in front, that over one behind, that over a regex.",
);

/// A name of a server, as the conf spells it.
#[derive(Debug, Clone)]
pub struct ServerName {
    pub(in crate::http) text: String,
    pub(super) span: Span,
}

impl ServerName {
    fn parse(args: &mut conf::Args, i: usize) -> Result<ServerName, conf::Error> {
        let text = args.str(i)?;
        let span = args.span(i);
        match text.strip_prefix('~') {
            Some("") => Err(args.bad(i, "empty regex in server name \"~\"")),
            // Kept as it is: case matters in a pattern, and names are compared in lower case.
            Some(pattern) => {
                Regex::parse(args, i, pattern, true)?;
                Ok(ServerName { text: text.to_owned(), span })
            }
            None if matches!(text, "*" | "*." | ".") || text.starts_with('*') && !text.starts_with("*.") => {
                let error = args.bad(i, format!("server name \"{text}\" is invalid"));
                Err(error
                    .help("NAME, *.NAME, .NAME, NAME.* or ~REGEX; the server for all other names is a default_server"))
            }
            None => {
                if text.contains('/') {
                    args.warn(i, format!("server name \"{text}\" has suspicious symbols"));
                }
                Ok(ServerName { text: text.to_ascii_lowercase(), span })
            }
        }
    }
}

/// The directive of this module: `server_name`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SERVER_NAME];

//! `log_format`: the text of an access log line, as in nginx's `ngx_http_log_module.c`.

use super::template::{Template, VariableNames};
use crate::conf::{self, Contexts, Setting};

/// nginx's built-in format.
const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                            \"$http_referer\" \"$http_user_agent\"";

const COMBINED_NAME: &str = "combined";

/// The value of a `log_format`.
#[derive(Debug, Clone)]
pub struct LogFormat {
    /// The name by which an `access_log` asks for the format.
    pub name: String,
    /// Where the conf names it.
    span: conf::Span,
    template: Template,
    escape: Escape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Escape {
    /// `"`, `\` and bytes outside of printable ASCII become `\xXX`.
    Default,
    /// Values fit into a JSON string.
    Json,
    None,
}

impl LogFormat {
    /// `combined`, which every conf has.
    pub(super) fn combined(names: &mut VariableNames) -> LogFormat {
        let span = conf::Span::NOWHERE;
        let template = Template::compile(COMBINED, span, names).unwrap_or_default();
        LogFormat { name: COMBINED_NAME.to_owned(), span, template, escape: Escape::Default }
    }

    pub(in crate::http) fn template(&self) -> &Template {
        &self.template
    }

    pub(in crate::http) fn escape(&self) -> Escape {
        self.escape
    }
}

/// `log_format`: the formats that the conf defines, without `combined`.
pub static LOG_FORMAT: Setting<Vec<LogFormat>> =
    Setting::many(&["log_format"], |args, formats: &mut Vec<LogFormat>| {
        let name = args.str(0)?.to_owned();
        let duplicate = || args.bad(0, format!("duplicate \"log_format\" name \"{name}\""));
        if name == COMBINED_NAME {
            return Err(duplicate().help("this format is built in"));
        }
        if let Some(first) = formats.iter().find(|format| format.name == name) {
            return Err(duplicate().first_at(first.span));
        }
        let (escape, first) = match args.str(1)?.strip_prefix("escape=") {
            None => (Escape::Default, 1),
            Some("default") => (Escape::Default, 2),
            Some("json") => (Escape::Json, 2),
            Some("none") => (Escape::None, 2),
            Some(other) => return Err(args.bad(1, format!("unknown log format escaping \"{other}\""))),
        };
        let mut template = Template::default();
        for i in first..args.len() {
            // Each by itself: a name at the end of a text does not go on in the next.
            template.append(Template::parse(args, i)?);
        }
        formats.push(LogFormat { name, span: args.span(0), template, escape });
        Ok(())
    })
    .contexts(Contexts::HTTP)
    .args(2, usize::MAX)
    .syntax("NAME [escape=default | json | none] TEXT ...")
    .about(
        "Names a format for access_log; the texts are joined. `combined` is always there: `$remote_addr - $remote_user \
     [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"`. `escape=json` \
     makes every value fit for a JSON string: a byte that is no part of a UTF-8 character becomes `\\u00XX`, XX \
     being its number.",
    );

/// The directive of this module: `log_format`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&LOG_FORMAT];

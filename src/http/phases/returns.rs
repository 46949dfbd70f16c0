//! `return`, as in nginx's `ngx_http_rewrite_module.c`.

use crate::conf::{self, Contexts, Setting};
use crate::http::answer::conditions;
use crate::http::exchange::{Answer, Cx, Exchange, Flow};
use crate::http::site::template::Template;

/// The value of a `return`.
#[derive(Debug)]
pub struct Return {
    status: u16,
    text: Option<Template>,
}

/// Ends the exchange at once.
pub static RETURN: Setting<Option<Return>> = Setting::many(&["return"], |args, first: &mut Option<Return>| {
    let this = Return::parse(args)?;
    first.get_or_insert(this);
    Ok(())
})
.contexts(Contexts::SERVER.union(Contexts::LOCATION))
.args(1, 2)
.syntax("CODE [TEXT] | CODE URL | URL")
.local()
.about(
    "Answers at once: with a status and a text, with a redirect (301, 302, 303, 307, 308) to a URL, or, given a URL \
     alone, with a 302. Codes 408, 444 and 499 close the connection without a response. The first one in a block \
     counts.",
);

impl Return {
    fn parse(args: &mut conf::Args) -> Result<Return, conf::Error> {
        let first = args.str(0)?.to_owned();
        if let Ok(status) = first.parse::<u16>() {
            if status > 999 {
                return Err(args.bad(0, format!("invalid return code \"{first}\"")));
            }
            let text = if args.len() == 2 { Some(Template::parse(args, 1)?) } else { None };
            return Ok(Return { status, text });
        }
        let is_url = ["http://", "https://", "$scheme"].iter().any(|start| first.starts_with(start));
        if args.len() == 2 || !is_url {
            return Err(args.bad(0, format!("invalid return code \"{first}\"")));
        }
        Ok(Return { status: 302, text: Some(Template::parse(args, 0)?) })
    }
}

/// Phase, before the location is known: the server's own `return`.
pub(super) fn in_server(ex: &mut Exchange, cx: &Cx) -> Flow {
    match ex.server_of(cx).scope.get(&RETURN) {
        Some(conf) => answer(ex, cx, conf),
        None => Flow::Next,
    }
}

/// Phase: a `return` that closes the connection without a response. Nothing of the request changes it, and its body is
/// not looked at.
pub(super) fn close(ex: &mut Exchange, cx: &Cx) -> Flow {
    match of_location(ex, cx).map(|conf| Answer::failure(conf.status)) {
        Some(answer @ Answer::Close(_)) => Flow::Answer(answer),
        _ => Flow::Next,
    }
}

/// Phase: the location's `return`.
pub(super) fn in_location(ex: &mut Exchange, cx: &Cx) -> Flow {
    match of_location(ex, cx) {
        Some(conf) => answer(ex, cx, conf),
        None => Flow::Next,
    }
}

/// The `return` of the location, unless the location stands for the server itself.
fn of_location<'a>(ex: &Exchange, cx: &Cx<'a>) -> Option<&'a Return> {
    let location = ex.location_of(cx);
    location.scope.get(&RETURN).as_ref().filter(|_| location.index != ex.server_of(cx).own)
}

/// The answer of a `return`: `ngx_http_send_response`.
fn answer(ex: &mut Exchange, cx: &Cx, conf: &Return) -> Flow {
    // In an error page the status is that of the error.
    let status = if ex.error.status == 0 { conf.status } else { ex.error.status };
    ex.response.status = status;
    let mut text = Vec::new();
    if let Some(template) = &conf.text {
        template.eval(ex, cx, &mut text);
    }
    Flow::Answer(match conf.status {
        code @ (301 | 302 | 303 | 307 | 308) => Answer::Redirect { status: code, target: text },
        code if matches!(code, 408 | 444 | 499) || code >= 400 && conf.text.is_none() => Answer::failure(code),
        _ if status == 200 => conditions::text(ex, cx, text, None),
        _ => Answer::Text { status, body: text, media_type: None },
    })
}

/// The directive of this module: `return`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&RETURN];

//! `error_page`: another answer in the place of an error, as nginx's `ngx_http_special_response_handler`.

use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Cx, Exchange, Flow};
use crate::http::message::head::{Form, Method};
use crate::http::message::status;
use crate::http::site::template::Template;

/// The value of an `error_page`.
#[derive(Debug)]
pub struct ErrorPage {
    statuses: Vec<u16>,
    /// `=CODE`: the status to send; `=` alone: the status of the page itself.
    overwrite: Option<u16>,
    target: Template,
    /// Where the target stands.
    span: conf::Span,
}

/// The pages of this scope.
pub static ERROR_PAGE: Setting<Vec<ErrorPage>> = Setting::many(&["error_page"], |args, pages: &mut Vec<ErrorPage>| {
    pages.push(ErrorPage::parse(args)?);
    Ok(())
})
.contexts(Contexts::HTTP_AND_IF)
.args(2, usize::MAX)
.syntax("CODE ... [=[CODE]] URI")
.about(
    "Answers these errors with another page: an internal redirect to a uri or to a named location, or a redirect to a \
     URL. `=CODE` changes the status; `=` alone lets the page decide it.",
);

/// Whether an error of an error page may have an error page.
pub static RECURSIVE_ERROR_PAGES: Setting<bool> = Setting::flag("recursive_error_pages")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether an error met while an error page is made may have an error page of its own.");

impl ErrorPage {
    /// The named location that the page leads to, without the `@`, and its place.
    pub(in crate::http) fn named(&self) -> Option<(&str, conf::Span)> {
        let name = std::str::from_utf8(self.target.as_text()?).ok()?;
        Some((name.strip_prefix('@')?, self.span))
    }

    fn parse(args: &mut conf::Args) -> Result<ErrorPage, conf::Error> {
        let last = args.len() - 1;
        let mut codes = last;
        let mut overwrite = None;
        if let Some(code) = args.str(last - 1)?.strip_prefix('=') {
            if last == 1 {
                return Err(args.bad(0, format!("invalid value \"{}\"", args.str(0)?)));
            }
            codes -= 1;
            overwrite = Some(match code {
                "" => 0,
                code => conf::parse_count(code)
                    .and_then(|code| u16::try_from(code).ok())
                    .ok_or_else(|| args.bad(last - 1, format!("invalid value \"={code}\"")))?,
            });
        }
        let mut statuses = Vec::with_capacity(codes);
        for i in 0..codes {
            let text = args.str(i)?;
            match conf::parse_count(text) {
                // 499 is nginx's own code for a client that left.
                Some(499) | None => {
                    let error = args.bad(i, format!("invalid value \"{text}\""));
                    return Err(error.help("error_page STATUS ... [=[STATUS]] URI"));
                }
                Some(status @ 300..=599) => statuses.push(status as u16),
                Some(_) => {
                    let error = args.bad(i, format!("value \"{text}\" must be between 300 and 599"));
                    return Err(error.help("a page takes the place of errors and redirects"));
                }
            }
        }
        Ok(ErrorPage { statuses, overwrite, target: Template::parse(args, last)?, span: args.span(last) })
    }
}

/// Where the conf sends an exchange that failed with `status`; `None`: to the built-in page.
pub(super) fn find(ex: &mut Exchange, cx: &Cx, status: u16) -> Option<Flow> {
    if ex.error.is_final {
        return None;
    }
    let location = ex.location_of(cx);
    let page = location.scope.get(&ERROR_PAGE).iter().find(|page| page.statuses.contains(&status))?;
    // The location that the error is met in decides about its page's own errors, not that of the page.
    ex.error.is_final = !*location.scope.get(&RECURSIVE_ERROR_PAGES);
    // A 2xx to CONNECT would promise a tunnel (RFC 9110, 9.3.6).
    let may_overwrite = |code: &u16| ex.head.form != Form::Authority || *code >= 300;
    ex.error.status = status::sent(page.overwrite.filter(may_overwrite).unwrap_or(status));
    // The time of a file whose conditions failed is not that of the page (`ngx_http_clean_header`).
    ex.response.last_modified = None;
    let mut target = Vec::new();
    page.target.eval(ex, cx, &mut target);
    match target.first() {
        Some(b'/') => {
            if ex.head.method != Method::Head {
                ex.head.method = Method::Get;
            }
            ex.target.set_uri(&target);
            Some(Flow::Redirect)
        }
        Some(b'@') => Some(Flow::Named(String::from_utf8_lossy(&target[1..]).into_owned())),
        _ => {
            // nginx looks for no page in the place of this redirect.
            ex.error.is_final = true;
            let status = match ex.error.status {
                status @ (301 | 302 | 303 | 307 | 308) => status,
                _ => 302,
            };
            ex.error.status = 0;
            Some(Flow::Answer(Answer::Redirect { status, target }))
        }
    }
}

/// The directives of this module: `error_page` and `recursive_error_pages`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&ERROR_PAGE, &RECURSIVE_ERROR_PAGES];

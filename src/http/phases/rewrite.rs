//! The scripts of `rewrite`, `return`, `break`, `set` and `if` (`ngx_http_rewrite_module.c`, `ngx_http_script.c`): one
//! before the location is known, the server's, and one in the location.
//!
//! A condition that asks the file system stops the script: the number of its step is the mark of the look-up, and the
//! result comes back to it. The rest of a script's state is in the exchange (`exchange/parts.rs`).

use crate::conf::{self, Contexts, Scope, Setting};
use crate::http::answer::{conditions, cors, limit_rate};
use crate::http::exchange::{Answer, Cx, Exchange, FileKind, Flow, Found, Lookup, error_lines, file_lines};
use crate::http::message::uri;
use crate::http::site::location::Location;
use crate::http::site::script::{Assigned, Assignment, Condition, FileTest, Return, Rewrite, Script, Step};
use crate::log::Level;

/// Whether scripts tell the error log what they do.
pub static REWRITE_LOG: Setting<bool> = Setting::flag("rewrite_log")
    .contexts(Contexts::HTTP_AND_IF.union(Contexts::SERVER_IF))
    .default("off")
    .about("Whether what `rewrite` and the regexes of `if` do is worth lines in the error log, at the level `notice`.");

/// The directive of this module: `rewrite_log`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&REWRITE_LOG];

/// A script that runs.
struct Run<'a> {
    script: &'a Script,
    /// The steps are logged.
    logs: bool,
}

/// How a step ends.
enum After {
    /// The script goes on with this step.
    Step(usize),
    /// The script has ended.
    End,
    /// The request goes elsewhere, or to the file system.
    Flow(Flow),
}

/// Phase, before the location is known: the server's script. The location of a uri that it changes is the one looked
/// for.
#[inline(always)]
pub(super) fn in_server(ex: &mut Exchange, cx: &Cx) -> Flow {
    // Most servers have none, and pay for no call.
    if ex.server_of(cx).script.is_none() { Flow::Next } else { run_in_server(ex, cx) }
}

fn run_in_server(ex: &mut Exchange, cx: &Cx) -> Flow {
    let Some(run) = of_server(ex, cx) else { return Flow::Next };
    ex.target.begin_script();
    let flow = run.from(ex, cx, 0);
    end_in_server(ex, cx, flow)
}

/// The server's script goes on with what a look-up has found.
pub(super) fn opened_in_server(ex: &mut Exchange, cx: &Cx, step: usize, result: Result<Found, i32>) -> Flow {
    let Some(run) = of_server(ex, cx) else { return Flow::Next };
    let flow = run.resume(ex, cx, step, result);
    end_in_server(ex, cx, flow)
}

fn end_in_server(ex: &mut Exchange, cx: &Cx, flow: Option<Flow>) -> Flow {
    flow.map_or(Flow::Next, |flow| cors::instead_of_answer(ex, cx, flow))
}

/// Whether the location has a script, or lies within one that may have.
pub(super) fn is_needed(location: &Location) -> bool {
    location.script.is_some() || location.within.is_some()
}

/// Phase: the location's script. A uri that it changes needs a location anew.
pub(super) fn in_location(ex: &mut Exchange, cx: &Cx) -> Flow {
    // A `limit_except` has none, not even that of the location around it.
    if ex.location_of(cx).script.is_none() {
        return Flow::Next;
    }
    let Some(run) = of_location(ex, cx) else { return Flow::Next };
    ex.target.begin_script();
    let flow = run.from(ex, cx, 0);
    end_in_location(ex, cx, flow)
}

/// The location's script goes on with what a look-up has found.
pub(super) fn opened_in_location(ex: &mut Exchange, cx: &Cx, step: usize, result: Result<Found, i32>) -> Flow {
    let Some(run) = of_location(ex, cx) else { return Flow::Next };
    let flow = run.resume(ex, cx, step, result);
    end_in_location(ex, cx, flow)
}

fn end_in_location(ex: &mut Exchange, cx: &Cx, flow: Option<Flow>) -> Flow {
    match flow {
        Some(flow) => cors::instead_of_answer(ex, cx, flow),
        None if ex.target.is_rewritten => Flow::Rewritten,
        None => Flow::Next,
    }
}

fn of_server<'a>(ex: &Exchange, cx: &Cx<'a>) -> Option<Run<'a>> {
    let server = ex.server_of(cx);
    let script = server.script.as_ref()?;
    Some(Run::new(ex, cx, script, &server.scope))
}

/// The script of the location; where one of its `if` blocks has become the location, still that around it.
fn of_location<'a>(ex: &Exchange, cx: &Cx<'a>) -> Option<Run<'a>> {
    let home = cx.conf.location(ex.location_of(cx).home());
    let script = home.script.as_ref()?;
    Some(Run::new(ex, cx, script, &home.scope))
}

impl<'a> Run<'a> {
    fn new(ex: &Exchange, cx: &Cx<'a>, script: &'a Script, scope: &Scope) -> Run<'a> {
        Run { script, logs: *scope.get(&REWRITE_LOG) || ex.location_of(cx).error_log.takes(Level::Debug) }
    }

    /// Runs the script from this step on. `None`: to its end.
    fn from(&self, ex: &mut Exchange, cx: &Cx, mut at: usize) -> Option<Flow> {
        while let Some(step) = self.script.steps.get(at) {
            match self.step(ex, cx, at, step) {
                After::Step(next) => at = next,
                After::End => return None,
                After::Flow(flow) => return Some(flow),
            }
        }
        None
    }

    fn step(&self, ex: &mut Exchange, cx: &Cx, at: usize, step: &Step) -> After {
        match step {
            Step::Break => {
                ex.target.is_out_of_place |= ex.target.is_rewritten;
                ex.target.is_rewritten = false;
                After::End
            }
            Step::Return(conf) => After::Flow(answer(ex, cx, conf)),
            Step::Set(assignment) => {
                assign(ex, cx, assignment);
                After::Step(at + 1)
            }
            Step::Rewrite(conf) => self.rewrite(ex, cx, at, conf),
            Step::If { condition, location, end } => match self.test(ex, cx, condition) {
                Ok(Some(holds)) => branch(ex, at, holds, *location, *end),
                Ok(None) => After::Flow(Lookup::stat(at)),
                Err(()) => After::Flow(Flow::Answer(Answer::Error(500))),
            },
        }
    }

    /// Goes on at the `if` of this number, whose path has been looked up.
    fn resume(&self, ex: &mut Exchange, cx: &Cx, at: usize, result: Result<Found, i32>) -> Option<Flow> {
        let step = self.script.steps.get(at);
        let Some(Step::If { condition: Condition::Finds { test, negated, .. }, location, end }) = step else {
            return Some(Flow::Answer(Answer::Error(500)));
        };
        let is_there = match result {
            Ok(found) => is_such(*test, &found),
            Err(errno) => {
                if !matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG) {
                    file_lines::stat_failed(ex, cx, errno);
                }
                false
            }
        };
        match branch(ex, at, is_there != *negated, *location, *end) {
            After::Step(next) => self.from(ex, cx, next),
            After::End => None,
            After::Flow(flow) => Some(flow),
        }
    }

    /// Whether a condition holds. `None`: the path, now that of the look-up, decides. Error: a regex failed.
    fn test(&self, ex: &mut Exchange, cx: &Cx, condition: &Condition) -> Result<Option<bool>, ()> {
        let mut left = Vec::new();
        Ok(Some(match condition {
            Condition::Holds(value) => {
                value.eval(ex, cx, &mut left);
                !matches!(left.as_slice(), b"" | b"0")
            }
            Condition::Is { value, text, negated } => {
                value.eval(ex, cx, &mut left);
                let mut right = Vec::new();
                text.eval_in_script(ex, cx, &mut right, ex.target.escapes_groups);
                (left == right) != *negated
            }
            Condition::Matches { value, regex, negated } => {
                value.eval(ex, cx, &mut left);
                let matches = ex.target.captured.get_mut().find(regex, &left);
                let matches = matches.map_err(|error| error_lines::regex_failed(ex, cx, &left, &error))?;
                self.log_match(ex, cx, regex.pattern(), &left, matches);
                matches != *negated
            }
            Condition::Finds { path, .. } => {
                path.eval_in_script(ex, cx, &mut left, ex.target.escapes_groups);
                ex.target.path = left;
                return Ok(None);
            }
        }))
    }

    fn rewrite(&self, ex: &mut Exchange, cx: &Cx, at: usize, conf: &Rewrite) -> After {
        let matches = match ex.target.captured.get_mut().find(&conf.regex, &ex.target.uri) {
            Ok(matches) => matches,
            Err(error) => {
                error_lines::regex_failed(ex, cx, &ex.target.uri, &error);
                return After::Flow(Flow::Answer(Answer::Error(500)));
            }
        };
        self.log_match(ex, cx, conf.regex.pattern(), &ex.target.uri, matches);
        if !matches {
            return After::Step(at + 1);
        }
        ex.target.is_internal = true;
        ex.target.is_rewritten = !conf.stays;
        ex.target.is_out_of_place |= conf.stays;
        // nginx escapes groups up to the first `rewrite` that fits.
        ex.target.escapes_groups = false;
        if let Some(status) = conf.redirect {
            return After::Flow(Flow::Answer(self.redirect(ex, cx, conf, status)));
        }
        self.change_uri(ex, cx, conf);
        match (ex.target.uri.is_empty(), conf.is_last) {
            (true, _) => {
                error_lines::empty_uri(ex, cx);
                After::Flow(Flow::Answer(Answer::Error(500)))
            }
            (false, true) => After::End,
            (false, false) => After::Step(at + 1),
        }
    }

    fn redirect(&self, ex: &Exchange, cx: &Cx, conf: &Rewrite, status: u16) -> Answer {
        let mut text = Vec::new();
        conf.path.eval_in_script(ex, cx, &mut text, true);
        let mut target = Vec::with_capacity(text.len() + 1 + ex.target.args.len());
        uri::unescape_redirect(&mut target, &text);
        if conf.keeps_args && !ex.target.args.is_empty() {
            target.push(if conf.has_args { b'&' } else { b'?' });
            target.extend_from_slice(&ex.target.args);
        }
        if self.logs {
            error_lines::rewritten_redirect(ex, cx, &target);
        }
        Answer::Redirect { status, target }
    }

    fn change_uri(&self, ex: &mut Exchange, cx: &Cx, conf: &Rewrite) {
        let mut uri = Vec::new();
        conf.path.eval_in_script(ex, cx, &mut uri, false);
        if let Some(template) = &conf.args {
            let mut args = Vec::new();
            template.eval_in_script(ex, cx, &mut args, true);
            if conf.keeps_args && !ex.target.args.is_empty() {
                args.push(b'&');
                args.extend_from_slice(&ex.target.args);
            }
            (ex.target.args, ex.target.has_args) = (args, true);
        } else if !conf.keeps_args {
            ex.target.args.clear();
        }
        if self.logs {
            error_lines::rewritten(ex, cx, &uri);
        }
        ex.target.uri = uri;
    }

    fn log_match(&self, ex: &Exchange, cx: &Cx, pattern: &str, text: &[u8], matches: bool) {
        if self.logs {
            error_lines::matched(ex, cx, pattern, text, matches);
        }
    }
}

/// The step behind an `if`: the first of its block, or the one behind it. A block of a location becomes the location.
fn branch(ex: &mut Exchange, at: usize, holds: bool, location: Option<usize>, end: usize) -> After {
    if !holds {
        return After::Step(end);
    }
    if let Some(location) = location {
        ex.target.location = location;
    }
    After::Step(at + 1)
}

/// Whether a test finds what it asks for: nothing but files and directories exists for nginx.
fn is_such(test: FileTest, found: &Found) -> bool {
    match test {
        FileTest::File => found.kind == FileKind::File,
        FileTest::Dir => found.kind == FileKind::Dir,
        FileTest::Exists => found.kind != FileKind::Other,
        FileTest::Executable => found.is_executable,
    }
}

fn assign(ex: &mut Exchange, cx: &Cx, assignment: &Assignment) {
    let mut value = Vec::new();
    assignment.value.eval_in_script(ex, cx, &mut value, ex.target.escapes_groups);
    match &assignment.variable {
        Assigned::Args => (ex.target.args, ex.target.has_args) = (value, true),
        Assigned::LimitRate => limit_rate::set(ex, cx, &value),
        Assigned::Own(name) => ex.target.captured.get_mut().set(name, value),
    }
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
        code if matches!(code, 408 | 444 | 499) || code >= 400 && has_no_text(conf) => Answer::failure(code),
        _ if status == 200 => conditions::text(ex, cx, text, None),
        _ => Answer::Text { status, body: text, media_type: None },
    })
}

fn has_no_text(conf: &Return) -> bool {
    conf.text.as_ref().is_none_or(|text| text.as_text().is_some_and(<[u8]>::is_empty))
}

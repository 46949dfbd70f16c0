//! `rewrite`, `return`, `break`, `set` and `if`: the script of a block, as nginx compiles it
//! (`ngx_http_rewrite_module.c`). `phases/rewrite.rs` runs it.
//!
//! The directives of a block add to one list, in the order in which they stand. `Script::new` joins the lists of a
//! block and of its `if` blocks: an `if` becomes a step that says where the script goes on when its condition is false.

mod condition;
#[cfg(test)]
mod tests;

pub use condition::{Condition, FileTest};

use super::regex::Regex;
use super::template::{Template, VariableNames};
use crate::conf::{self, Contexts, Node, Section, Setting};

/// The script of a server or a location.
#[derive(Debug)]
pub struct Script {
    /// In their order; an `if` may skip some.
    pub steps: Box<[Step]>,
}

/// A step of a script.
#[derive(Debug)]
pub enum Step {
    /// The uri becomes another where the regex fits.
    Rewrite(Rewrite),
    /// The request is answered.
    Return(Return),
    /// The script ends.
    Break,
    /// A variable gets a value.
    Set(Assignment),
    /// The script goes on at `end` where the condition is false, else with the next step.
    If {
        /// The condition of the `if`.
        condition: Condition,
        /// The location that the request is in from then on; a server's `if` has none.
        location: Option<usize>,
        /// The index of the first step behind the block.
        end: usize,
    },
}

/// A directive of a block's script.
#[derive(Debug, Clone)]
enum Statement {
    Rewrite(Rewrite),
    Return(Return),
    Break,
    Set(Assignment),
    If(Condition),
}

/// The directives of one block, in their order.
#[derive(Debug, Default)]
pub struct Statements(Vec<Statement>);

/// The value of a `rewrite`.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The regex that the uri must fit.
    pub regex: Regex,
    /// The replacement: of a redirect all of it, otherwise up to its `?`.
    pub path: Template,
    /// The replacement behind its `?`.
    pub args: Option<Template>,
    /// The replacement holds a `?`.
    pub has_args: bool,
    /// The query of the request is kept.
    pub keeps_args: bool,
    /// The status of the redirect that a match leads to.
    pub redirect: Option<u16>,
    /// The new uri needs no other location.
    pub stays: bool,
    /// A match ends the script.
    pub is_last: bool,
}

/// The value of a `return`.
#[derive(Debug, Clone)]
pub struct Return {
    /// The status of the response.
    pub status: u16,
    /// Its body, or the target of a redirect.
    pub text: Option<Template>,
}

/// The value of a `set`.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The variable.
    pub variable: Assigned,
    /// Its new value.
    pub value: Template,
}

/// The variable that a `set` changes.
#[derive(Debug, Clone)]
pub enum Assigned {
    /// `$args`: the query itself.
    Args,
    /// `$limit_rate`.
    LimitRate,
    /// A variable that the conf defines, by its name in lower case.
    Own(Box<str>),
}

const BLOCKS: Contexts = Contexts::SERVER.union(Contexts::LOCATION);
const PLACES: Contexts = BLOCKS.union(Contexts::SERVER_IF).union(Contexts::LOCATION_IF);

/// The script's own name among the settings: the other directives add to its value.
pub static REWRITE: Setting<Statements> = Setting::many(&["rewrite"], |args, block: &mut Statements| {
    block.0.push(Statement::Rewrite(Rewrite::parse(args)?));
    Ok(())
})
.contexts(PLACES)
.args(2, 3)
.syntax("REGEX REPLACEMENT [last | break | redirect | permanent]")
.local()
.about(
    "Changes a uri that the regex fits. `last` ends the script, and the location of the new uri is looked for; \
     `break` ends \
     it too, and the request stays where it is; without either the script goes on. `redirect` (302) and `permanent` \
     (301), \
     or a replacement that begins with `http://`, `https://` or `$scheme`, answer with a redirect. The query of the \
     request \
     follows that of the replacement, unless this ends in `?`. A request may change its location ten times.",
);

/// Ends the exchange at once.
pub static RETURN: Setting<Statements> = Setting::many(&["return"], |args, block: &mut Statements| {
    block.0.push(Statement::Return(Return::parse(args)?));
    Ok(())
})
.part_of(&REWRITE)
.contexts(PLACES)
.args(1, 2)
.syntax("CODE [TEXT] | CODE URL | URL")
.local()
.about(
    "Answers at once: with a status and a text, with a redirect (301, 302, 303, 307, 308) to a URL, or, given a URL \
     alone, with a 302. Codes 408, 444 and 499 close the connection without a response. The first that the script of \
     the \
     block comes to counts.",
);

/// Ends the script of the block.
pub static BREAK: Setting<Statements> = Setting::many(&["break"], |_, block: &mut Statements| {
    block.0.push(Statement::Break);
    Ok(())
})
.part_of(&REWRITE)
.contexts(PLACES)
.args(0, 0)
.local()
.about("Ends the script of the block; a uri that it has changed needs no other location.");

/// Gives a variable a value.
pub static SET: Setting<Statements> = Setting::many(&["set"], |args, block: &mut Statements| {
    block.0.push(Statement::Set(Assignment::parse(args)?));
    Ok(())
})
.part_of(&REWRITE)
.contexts(PLACES)
.args(2, 2)
.syntax("$VARIABLE VALUE")
.local()
.about(
    "Gives a variable a value: one of the conf's own, or `$args`. It has none where no `set` has been run; internal \
     redirects keep it.",
);

static IF_HEAD: Setting<Statements> = Setting::many(&["if"], |args, block: &mut Statements| {
    block.0.push(Statement::If(Condition::parse(args)?));
    Ok(())
})
.part_of(&REWRITE)
.contexts(BLOCKS)
.local();

const CONDITION: &str = "(CONDITION)";

/// `if` in a server: directives of the script alone.
pub static SERVER_IF: Section = Section::new("if")
    .contexts(Contexts::SERVER)
    .inner(Contexts::SERVER_IF)
    .args(1, usize::MAX)
    .syntax(CONDITION)
    .head(&IF_HEAD)
    .about("Steps of the server's script for requests that the condition fits, which is written as in a location.");

/// `if` in a location: a location of its own.
pub static LOCATION_IF: Section = Section::new("if")
    .contexts(Contexts::LOCATION)
    .inner(Contexts::LOCATION_IF)
    .args(1, usize::MAX)
    .syntax(CONDITION)
    .head(&IF_HEAD)
    .about(
        "Settings, and steps of the location's script, for requests that the condition fits: a variable that is \
         neither empty \
         nor `0`; one compared with a text (`=`, `!=`) or a regex (`~`, `~*`, `!~`, `!~*`); \
         or a path with a file (`-f`), a \
         directory (`-d`), either (`-e`) or something executable (`-x`) there, or not (`!-f` and so on). The block is \
         a \
         location that inherits from the one around it, but for what is never inherited, such as `try_files`; \
         of several \
         that fit, the last alone counts.",
    );

impl Script {
    /// Joins the directives of a block and of its `if` blocks. `add_if` adds the location of one. `None`: there are
    /// none.
    pub(super) fn new(node: &Node, mut add_if: impl FnMut(&Node) -> Option<usize>) -> Option<Script> {
        let mut steps = Vec::new();
        let mut ifs = node.children.iter().filter(|child| child.is(&SERVER_IF) || child.is(&LOCATION_IF));
        for statement in &node.scope.get(&REWRITE).0 {
            let Some(condition) = push(&mut steps, statement) else { continue };
            let Some(inner) = ifs.next() else { break };
            let at = steps.len();
            steps.push(Step::If { condition, location: add_if(inner), end: at });
            for statement in &inner.scope.get(&REWRITE).0 {
                push(&mut steps, statement);
            }
            let behind = steps.len();
            if let Some(Step::If { end, .. }) = steps.get_mut(at) {
                *end = behind;
            }
        }
        (!steps.is_empty()).then(|| Script { steps: steps.into() })
    }

    /// Whether the script begins with a `return` that closes the connection.
    pub fn closes_at_once(&self) -> bool {
        matches!(self.steps.first(), Some(Step::Return(Return { status: 408 | 444 | 499, .. })))
    }

    /// Whether the script answers every request with a `return`.
    pub fn always_returns(&self) -> bool {
        let mut at = 0;
        loop {
            match self.steps.get(at) {
                Some(Step::Return(_)) => return true,
                None | Some(Step::Break | Step::Rewrite(_)) => return false,
                Some(Step::Set(_)) => at += 1,
                Some(Step::If { end, .. }) => at = *end,
            }
        }
    }
}

/// Adds the step of a statement; the condition of an `if` comes back instead.
fn push(steps: &mut Vec<Step>, statement: &Statement) -> Option<Condition> {
    steps.push(match statement.clone() {
        Statement::Rewrite(rewrite) => Step::Rewrite(rewrite),
        Statement::Return(answer) => Step::Return(answer),
        Statement::Break => Step::Break,
        Statement::Set(assignment) => Step::Set(assignment),
        Statement::If(condition) => return Some(condition),
    });
    None
}

/// Whether nginx takes a text for a URL, to which a client is redirected.
fn is_url(text: &str) -> bool {
    ["http://", "https://", "$scheme"].iter().any(|start| text.starts_with(start))
}

impl Rewrite {
    fn parse(args: &mut conf::Args) -> Result<Rewrite, conf::Error> {
        let said = args.str(1)?;
        if said.is_empty() {
            return Err(args.bad(1, "empty replacement").help("\"\" would be no uri; \"/\" is the root"));
        }
        let regex = Regex::parse(args, 0, args.str(0)?, false)?;
        let (text, keeps_args) = said.strip_suffix('?').map_or((said, true), |text| (text, false));
        let mut rewrite = Rewrite {
            regex,
            path: Template::default(),
            args: None,
            has_args: text.contains('?'),
            keeps_args,
            redirect: is_url(said).then_some(302),
            stays: false,
            is_last: is_url(said),
        };
        if let Some(flag) = args.opt_str(2) {
            rewrite.is_last = true;
            match flag {
                "last" => {}
                "break" => rewrite.stays = true,
                "redirect" => rewrite.redirect = Some(302),
                "permanent" => rewrite.redirect = Some(301),
                _ => {
                    let flags = ["last", "break", "redirect", "permanent"];
                    let error = args.bad(2, format!("invalid parameter \"{flag}\""));
                    return Err(match conf::did_you_mean(flag, flags) {
                        Some(near) => error.help(format!("did you mean \"{near}\"?")),
                        None => error.help("one of last, break, redirect, permanent"),
                    });
                }
            }
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) if rewrite.redirect.is_none() => (path, Some(query)),
            _ => (text, None),
        };
        rewrite.path = Template::parse_text(args, 1, path)?;
        rewrite.args = query.map(|query| Template::parse_text(args, 1, query)).transpose()?;
        Ok(rewrite)
    }
}

impl Return {
    fn parse(args: &mut conf::Args) -> Result<Return, conf::Error> {
        let first = args.str(0)?;
        let bad = |args: &conf::Args| {
            let error = args.bad(0, format!("invalid return code \"{first}\""));
            error.help("a status, such as 301, with a URL or text behind it, or a URL of http or https alone")
        };
        match conf::parse_count(first) {
            Some(status @ ..=999) => {
                let text = if args.len() == 2 { Some(Template::parse(args, 1)?) } else { None };
                Ok(Return { status: status as u16, text })
            }
            None if args.len() == 1 && is_url(first) => {
                Ok(Return { status: 302, text: Some(Template::parse(args, 0)?) })
            }
            _ => Err(bad(args)),
        }
    }
}

impl Assignment {
    fn parse(args: &mut conf::Args) -> Result<Assignment, conf::Error> {
        let said = args.str(0)?;
        let name = match said.strip_prefix('$') {
            None => return Err(args.bad(0, format!("invalid variable name \"{said}\"")).help("it begins with \"$\"")),
            Some("") => return Err(args.bad(0, "invalid variable name \"$\"")),
            Some(name) => name,
        };
        let variable = match name.to_ascii_lowercase().as_str() {
            "args" => Assigned::Args,
            "limit_rate" => Assigned::LimitRate,
            lower => {
                let span = args.span(0);
                args.notes::<VariableNames>().set(name, span);
                Assigned::Own(lower.into())
            }
        };
        Ok(Assignment { variable, value: Template::parse(args, 1)? })
    }
}

/// The directives of this module: `rewrite`, `return`, `break`, `set` and `if`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&REWRITE, &RETURN, &BREAK, &SET, &LOCATION_IF, &SERVER_IF];

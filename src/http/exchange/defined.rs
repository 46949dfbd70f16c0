//! The variables that a conf defines, gathered while it is read.

use super::cx::{Defined, Definition};
use crate::conf;
use std::sync::Arc;

/// A note ([`conf::Args::notes`]): the definitions, in their order. The last of a name counts, as in nginx.
#[derive(Debug, Default)]
pub struct Definitions(Vec<Definition>);

impl Definitions {
    /// All definitions.
    pub(super) fn all(&self) -> impl Iterator<Item = &Definition> {
        self.0.iter()
    }

    /// The definition of a name.
    pub(super) fn find(&self, name: &str) -> Option<&Definition> {
        self.0.iter().rfind(|definition| definition.name.eq_ignore_ascii_case(name))
    }
}

/// The name of the variable that argument `i` is, without its `$`.
pub(super) fn name<'a>(args: &conf::Args<'a>, i: usize) -> Result<&'a str, conf::Error> {
    let text = args.str(i)?;
    match text.strip_prefix('$') {
        Some("") | None => {
            let error = args.bad(i, format!("invalid variable name \"{text}\""));
            Err(error.help("the name of a variable begins with \"$\", such as $kind"))
        }
        Some(name) => Ok(name),
    }
}

/// Defines the variable that argument `i` names.
pub(super) fn define(
    args: &mut conf::Args,
    i: usize,
    is_volatile: bool,
    table: Arc<dyn Defined>,
) -> Result<(), conf::Error> {
    let (name, span) = (Arc::from(name(args, i)?), args.span(i));
    args.notes::<Definitions>().0.push(Definition { name, span, is_volatile, table });
    Ok(())
}

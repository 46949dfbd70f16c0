//! The values in force in a block: its own, the inherited ones, the defaults.

use super::{Setting, Span, Value};
use std::sync::Arc;

/// The value of every setting at one place of a conf. Cheap to clone.
#[derive(Clone)]
pub struct Scope(Arc<[Option<Cell>]>);

/// One setting's value.
#[derive(Clone)]
pub(super) struct Cell {
    pub value: Value,
    /// Where it was said; `None` for a default.
    pub span: Option<Span>,
    /// Said in this very block.
    pub here: bool,
}

impl Scope {
    pub(super) fn new(cells: Vec<Option<Cell>>) -> Scope {
        Scope(cells.into())
    }

    pub(super) fn cell_at(&self, slot: usize) -> Option<&Cell> {
        self.0.get(slot)?.as_ref()
    }

    fn cell<T: Default + Send + Sync + 'static>(&self, setting: &Setting<T>) -> Option<&Cell> {
        self.0.get(setting.known_slot())?.as_ref()
    }

    /// The value of `setting` here: one index and one comparison of types.
    #[inline]
    pub fn get<'a, T: Default + Send + Sync + 'static>(&'a self, setting: &'a Setting<T>) -> &'a T {
        match self.cell(setting).and_then(|cell| cell.value.downcast_ref()) {
            Some(value) => value,
            None => setting.unset(),
        }
    }

    /// Where `setting` was said, here or in a block around; `None`: it has its default.
    pub fn span_of<T: Default + Send + Sync + 'static>(&self, setting: &Setting<T>) -> Option<Span> {
        self.cell(setting)?.span
    }

    /// Whether this very block says it.
    pub fn set_here<T: Default + Send + Sync + 'static>(&self, setting: &Setting<T>) -> bool {
        self.cell(setting).is_some_and(|cell| cell.here)
    }
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scope({} settings)", self.0.iter().flatten().count())
    }
}

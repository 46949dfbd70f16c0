//! The values in force in a block: its own, inherited ones, defaults.

use super::{Setting, Span, Value};
use crate::os::Typed;
use std::sync::Arc;

/// The value of every setting in a block of a conf. Cheap to clone.
#[derive(Clone, Default)]
pub struct Scope(Arc<[Option<Cell>]>);

/// The value of a setting.
#[derive(Clone)]
pub(super) struct Cell {
    pub value: Typed,
    /// The place of the directive; `None` for a default.
    pub span: Option<Span>,
    /// Whether the directive stands in this very block.
    pub here: bool,
}

impl Cell {
    /// The cell of a value that has been read.
    pub(super) fn new(value: Value, span: Option<Span>, here: bool) -> Cell {
        Cell { value: Typed::new(value), span, here }
    }
}

impl Scope {
    pub(super) fn new(cells: Vec<Option<Cell>>) -> Scope {
        Scope(cells.into())
    }

    pub(super) fn cell_at(&self, index: usize) -> Option<&Cell> {
        self.0.get(index)?.as_ref()
    }

    fn cell<T: Default + Send + Sync + 'static>(&self, setting: &Setting<T>) -> Option<&Cell> {
        self.0.get(setting.known_index())?.as_ref()
    }

    /// The value of `setting`. Costs an index and a comparison of types, 10 instructions.
    #[inline]
    pub fn get<'a, T: Default + Send + Sync + 'static>(&'a self, setting: &'a Setting<T>) -> &'a T {
        match self.cell(setting).and_then(|cell| cell.value.get()) {
            Some(value) => value,
            None => setting.unset(),
        }
    }

    /// The place of the directive that set `setting`, here or in a block around; `None` for a default.
    pub fn span_of<T: Default + Send + Sync + 'static>(&self, setting: &Setting<T>) -> Option<Span> {
        self.cell(setting)?.span
    }

    /// Whether this very block sets `setting`.
    pub fn set_here<T: Default + Send + Sync + 'static>(&self, setting: &Setting<T>) -> bool {
        self.cell(setting).is_some_and(|cell| cell.here)
    }
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scope({} settings)", self.0.iter().flatten().count())
    }
}

//! The values in force in a block: its own, inherited ones, defaults.

use super::{Setting, Span, Value};
use crate::os::Typed;
use std::sync::Arc;

/// Values in a page. With 1,000 servers of three locations each `drover -t` needs 24 MB; it was 80 MB when each block
/// had cells of its own.
const PAGE: usize = 16;

/// The value of every setting in a block of a conf. Cheap to clone. A block shares the pages in which it has nothing of
/// its own with the block around it.
#[derive(Clone, Default)]
pub struct Scope {
    pages: Arc<[Page]>,
    /// How deep the block stands: 1 is the main context, 0 is around it and has the defaults.
    level: u8,
}

type Page = Arc<[Option<Cell>; PAGE]>;

/// The value of a setting.
#[derive(Clone)]
pub(super) struct Cell {
    pub value: Typed,
    /// The place of the directive; `None` for a default.
    pub span: Option<Span>,
    /// The level of the block that the directive stands in.
    level: u8,
}

impl Scope {
    /// A scope inside this one, without values of its own.
    pub(super) fn inner(&self) -> Scope {
        Scope { pages: Arc::clone(&self.pages), level: self.level.saturating_add(1) }
    }

    /// Gives the block a value of its own.
    pub(super) fn set(&mut self, index: usize, value: Value, span: Option<Span>) {
        self.put(index, Some(Cell { value: Typed::new(value), span, level: self.level }));
    }

    /// Takes a value of another scope instead of the inherited one.
    pub(super) fn take_from(&mut self, other: &Scope, index: usize) {
        self.put(index, other.cell_at(index).cloned());
    }

    fn put(&mut self, index: usize, cell: Option<Cell>) {
        if self.pages.len() <= index / PAGE {
            let pages = self.pages.iter().cloned().chain(std::iter::repeat_with(Page::default));
            self.pages = pages.take(index / PAGE + 1).collect();
        }
        if let Some(page) = Arc::make_mut(&mut self.pages).get_mut(index / PAGE) {
            Arc::make_mut(page)[index % PAGE] = cell;
        }
    }

    #[inline]
    pub(super) fn cell_at(&self, index: usize) -> Option<&Cell> {
        self.pages.get(index / PAGE)?[index % PAGE].as_ref()
    }

    #[inline]
    fn cell<T: Default + Send + Sync + 'static>(&self, setting: &Setting<T>) -> Option<&Cell> {
        self.cell_at(setting.known_index())
    }

    /// Whether the value with an index was set in this very block.
    pub(super) fn is_here(&self, index: usize) -> bool {
        self.cell_at(index).is_some_and(|cell| cell.level == self.level)
    }

    /// The value of `setting`. Costs two indices and a comparison of types, 15 instructions.
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
        self.is_here(setting.known_index())
    }
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scope({} settings)", self.pages.iter().flat_map(|page| page.iter()).flatten().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(scope: &Scope, index: usize) -> Option<u64> {
        scope.cell_at(index)?.value.get().copied()
    }

    #[test]
    fn a_block_shares_what_it_does_not_change() {
        let mut outer = Scope::default();
        (0..3 * PAGE).for_each(|index| outer.set(index, Arc::new(index as u64), None));
        let mut inner = outer.inner();
        assert!(Arc::ptr_eq(&outer.pages, &inner.pages), "a block without directives costs no page");
        inner.set(PAGE, Arc::new(7_u64), None);
        assert_eq!((value(&outer, PAGE), value(&inner, PAGE), value(&inner, PAGE + 1)), (Some(16), Some(7), Some(17)));
        assert_eq!((outer.is_here(PAGE), inner.is_here(PAGE), inner.is_here(PAGE + 1)), (true, true, false));
        let is_shared = |page: usize| Arc::ptr_eq(&outer.pages[page], &inner.pages[page]);
        assert_eq!([0, 1, 2].map(is_shared), [true, false, true]);
        assert!(!inner.inner().is_here(PAGE), "what the block around says is not said here");
        inner.take_from(&outer, PAGE);
        assert!(value(&inner, PAGE) == Some(16) && !inner.is_here(PAGE));
        assert_eq!(value(&inner, 100 * PAGE), None);
    }
}

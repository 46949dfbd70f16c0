//! From what the blocks of a conf say to the values in force in each.

use super::{Block, Loader, Own};
use crate::conf::entry::Joins;
use crate::conf::scope::Cell;
use crate::conf::value::Inherit;
use crate::conf::{Node, Scope, Value};
use std::collections::HashMap;

impl Loader<'_> {
    /// Gives a block its scope, then its inner blocks: they also inherit directives that stand below them.
    pub(super) fn node(&self, block: Block, outer: &Scope, defaults: &HashMap<usize, Value>) -> Node {
        let mut own = block.own;
        let size = defaults.keys().max().map_or(0, |index| index + 1);
        let mut cells = vec![None; size];
        for (_, store) in self.registry.settings() {
            let index = store.index();
            let Some(cell) = cells.get_mut(index) else { continue };
            *cell = match own.remove(&index).filter(|own| own.is_set) {
                Some(Own { value, span, .. }) => Some(Cell::new(value, Some(span), true)),
                None => outer
                    .cell_at(index)
                    .filter(|_| !store.is_local())
                    .map(|cell| Cell { here: false, ..cell.clone() })
                    .or_else(|| Some(Cell::new(defaults.get(&index)?.clone(), None, false))),
            };
        }
        self.join_lists(&mut cells, outer);
        let scope = Scope::new(cells);
        let children = block.children.into_iter().map(|child| self.node(child, &scope, defaults)).collect();
        Node { section: block.section, args: block.args, span: block.span, scope, children, is_whole: block.is_whole }
    }

    /// Takes lists away from a block that inherits none, and adds them to one that has some of its own, as the settings
    /// of these lists say.
    fn join_lists(&self, cells: &mut [Option<Cell>], outer: &Scope) {
        for (_, store) in self.registry.settings() {
            let mode = match store.joins() {
                None => continue,
                Some(Joins::Always) => Inherit::Merge,
                Some(Joins::By(mode)) => {
                    let mode = cells.get(mode).and_then(|cell| cell.as_ref()?.value.get::<Inherit>());
                    mode.copied().unwrap_or_default()
                }
            };
            let Some(Some(cell)) = cells.get_mut(store.index()) else { continue };
            match (mode, cell.here, outer.cell_at(store.index())) {
                (Inherit::Merge, true, Some(outer)) => {
                    *cell = Cell::new(store.join(cell.value.owner(), outer.value.owner()), cell.span, true);
                }
                (Inherit::Off, false, _) => *cell = Cell::new(store.empty(), None, false),
                _ => {}
            }
        }
    }
}

//! From what the blocks of a conf say to the values in force in each.

use super::{Block, Loader, Own};
use crate::conf::entry::Joins;
use crate::conf::value::Inherit;
use crate::conf::{Node, Scope, Store};

/// The facts about settings that each block needs.
struct Scopes {
    /// The scope around the main context.
    defaults: Scope,
    /// Settings that inner blocks don't inherit.
    locals: Vec<usize>,
    /// Settings that are joined with those of the block around.
    joined: Vec<(&'static dyn Store, Joins)>,
}

impl Loader<'_> {
    /// Gives a conf's main context and all blocks in it their scopes.
    pub(super) fn root(&self, block: Block, defaults: Scope) -> Node {
        let stores = || self.registry.settings().map(|(_, store)| store);
        let locals = stores().filter(|store| store.is_local()).map(|store| store.index()).collect();
        let joined = stores().filter_map(|store| Some((store, store.joins()?))).collect();
        let scopes = Scopes { defaults, locals, joined };
        scopes.node(block, &scopes.defaults)
    }
}

impl Scopes {
    /// Gives a block its scope, then its inner blocks: they also inherit directives that stand below them.
    fn node(&self, block: Block, outer: &Scope) -> Node {
        let mut scope = outer.inner();
        for index in self.locals.iter().filter(|index| outer.is_here(**index)) {
            scope.take_from(&self.defaults, *index);
        }
        for (index, Own { value, span, .. }) in block.own.into_iter().filter(|(_, own)| own.is_set) {
            scope.set(index, value, Some(span));
        }
        self.join_lists(&mut scope, outer);
        let children = block.children.into_iter().map(|child| self.node(child, &scope)).collect();
        Node { section: block.section, args: block.args, span: block.span, scope, children, is_whole: block.is_whole }
    }

    /// Takes lists away from a block that inherits none, and adds them to one that has some of its own, as the settings
    /// of these lists say.
    fn join_lists(&self, scope: &mut Scope, outer: &Scope) {
        for (store, joins) in &self.joined {
            let mode = match joins {
                Joins::Always => Inherit::Merge,
                Joins::By(mode) => {
                    scope.cell_at(*mode).and_then(|cell| cell.value.get::<Inherit>()).copied().unwrap_or_default()
                }
            };
            let index = store.index();
            let Some(cell) = scope.cell_at(index) else { continue };
            match (mode, scope.is_here(index), outer.cell_at(index)) {
                (Inherit::Merge, true, Some(outer)) => {
                    let span = cell.span;
                    scope.set(index, store.join(cell.value.owner(), outer.value.owner()), span);
                }
                (Inherit::Off, false, _) => scope.take_from(&self.defaults, index),
                _ => {}
            }
        }
    }
}

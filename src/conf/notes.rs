//! Notes by which the directives of a conf tell something to each other, and to the code that uses the conf: one value
//! a type.

use std::any::{Any, TypeId};
use std::collections::HashMap;

/// A value of each type that some directive asked for, `Default` at first.
#[derive(Default)]
pub struct Notes(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Notes {
    /// The value of this type, to change.
    pub fn get_mut<N: Any + Send + Sync + Default>(&mut self) -> &mut N {
        let note = self.0.entry(TypeId::of::<N>()).or_insert_with(|| Box::new(N::default()));
        note.downcast_mut().unwrap_or_else(|| unreachable!("a note is kept under the id of its own type"))
    }

    /// The value of this type, if some directive asked for it.
    pub fn get<N: Any>(&self) -> Option<&N> {
        self.0.get(&TypeId::of::<N>())?.downcast_ref()
    }
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notes({})", self.0.len())
    }
}

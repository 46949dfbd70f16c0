//! A model that serves in another's place.

/// Why a model serves that is not the one which the conf names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// The model that serves.
    pub name: &'static str,
    /// Why, after its name and a comma: `as steer was refused: bpf(...) failed (...)`.
    pub reason: String,
}

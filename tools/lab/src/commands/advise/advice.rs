//! The advice of `lab advise`.

/// An advice with the evidence for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Advice {
    /// The model; `None`: not enough evidence.
    pub model: Option<String>,
    /// Sentences for the person.
    pub reasons: Vec<String>,
    /// The figures that the reasons rest on: name and value.
    pub figures: Vec<(String, String)>,
}

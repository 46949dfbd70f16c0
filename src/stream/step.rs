//! The result of a service's step over the bytes it was given.

use std::fmt;

/// How far a service came.
#[derive(Debug, Default)]
pub struct Step {
    /// Bytes of the input that are done with.
    pub used: usize,
    /// Chunks or calls answered, errors included.
    pub answered: u32,
    /// The client broke the rules: it has been told so, and nothing more is to be read from it.
    pub fault: Option<Fault>,
}

/// The reason why a client gets an error and no further answer.
#[derive(Debug)]
pub enum Fault {
    /// The frame is announced longer than `rpc_max_frame`.
    TooLarge {
        /// The announced length, bytes.
        length: usize,
        /// The limit, bytes.
        max: usize,
    },
    /// The frame holds no JSON object with a string `in`.
    Malformed(Option<serde_json::Error>),
    /// The call's name is not known.
    Unknown(String),
}

impl Fault {
    /// The error code, a word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::TooLarge { .. } => "frame_too_large",
            Fault::Malformed(_) => "malformed_call",
            Fault::Unknown(_) => "unknown_call",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::TooLarge { length, max } => write!(f, "frame of {length} bytes, at most {max} are allowed"),
            Fault::Malformed(Some(error)) => write!(f, "malformed call: {error}"),
            Fault::Malformed(None) => f.write_str("malformed call: not an object"),
            Fault::Unknown(name) => write!(f, "unknown call \"{}\"", name.escape_debug()),
        }
    }
}

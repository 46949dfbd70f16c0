//! The protocols by which requests are counted.

/// The protocol that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http20,
    /// Another version, none that can be read, or a service of `stream`.
    Other,
}

impl Protocol {
    /// The number of protocols.
    pub const COUNT: usize = Protocol::Other as usize + 1;

    /// The names of the protocols, in their order: those of `$server_protocol`.
    pub const NAMES: [&str; Protocol::COUNT] = ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "other"];

    /// The protocol of a request that has this text for it.
    pub fn of(text: &[u8]) -> Protocol {
        // Comparisons of words: a `match` looks at byte after byte.
        match text {
            text if text == b"HTTP/1.1" => Protocol::Http11,
            text if text == b"HTTP/2.0" => Protocol::Http20,
            text if text == b"HTTP/1.0" => Protocol::Http10,
            _ => Protocol::Other,
        }
    }
}

//! The kinds of blocks in which a directive may stand.

bitflags::bitflags! {
    /// A set of contexts. A directive names the contexts that take it; a block is a single context.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Contexts: u32 {
        /// Outside any block.
        const MAIN = 1;
        /// `events { }`
        const EVENTS = 1 << 1;
        /// `http { }`
        const HTTP = 1 << 2;
        /// `server { }` in `http`
        const SERVER = 1 << 3;
        /// `location { }`
        const LOCATION = 1 << 4;
        /// `upstream { }` in `http`
        const UPSTREAM = 1 << 5;
        /// `if { }` in a `server`
        const SERVER_IF = 1 << 6;
        /// `if { }` in a `location`
        const LOCATION_IF = 1 << 7;
        /// `limit_except { }`
        const LIMIT_EXCEPT = 1 << 8;
        /// `stream { }`
        const STREAM = 1 << 9;
        /// `server { }` in `stream`
        const STREAM_SERVER = 1 << 10;
    }
}

const NAMES: &[(Contexts, &str)] = &[
    (Contexts::MAIN, "main"),
    (Contexts::EVENTS, "events"),
    (Contexts::HTTP, "http"),
    (Contexts::SERVER, "server"),
    (Contexts::LOCATION, "location"),
    (Contexts::UPSTREAM, "upstream"),
    (Contexts::SERVER_IF, "if in server"),
    (Contexts::LOCATION_IF, "if in location"),
    (Contexts::LIMIT_EXCEPT, "limit_except"),
    (Contexts::STREAM, "stream"),
    (Contexts::STREAM_SERVER, "server in stream"),
];

impl Contexts {
    /// `http`, `server` and `location`, where most directives of http may stand.
    pub const HTTP_ALL: Contexts = Contexts::HTTP.union(Contexts::SERVER).union(Contexts::LOCATION);

    /// [`Contexts::HTTP_ALL`], and `if` in a `location`.
    pub const HTTP_AND_IF: Contexts = Contexts::HTTP_ALL.union(Contexts::LOCATION_IF);

    /// The names of the contexts, outermost first.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(context, _)| self.contains(*context)).map(|(_, name)| *name)
    }
}

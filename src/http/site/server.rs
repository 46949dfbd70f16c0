//! `server`: a virtual server.

use super::route::Locations;
use super::script::Script;
use crate::conf::{self, Contexts, Scope, Section, Span};
use crate::http::message::head::Limits;

/// `server` in `http`: the block of a virtual server.
pub static SERVER: Section = Section::new("server")
    .contexts(Contexts::HTTP)
    .inner(Contexts::SERVER)
    .args(0, 0)
    .about("One virtual server: where it listens, what names it answers to, its locations.");

/// A `server` of the conf.
#[derive(Debug)]
pub struct Server {
    /// The settings of the server, inherited ones included.
    pub scope: Scope,
    /// The place of the block in the conf.
    pub span: Span,
    /// The first of its names, `$server_name`.
    pub name: String,
    pub(in crate::http) locations: Locations<usize>,
    /// The location that stands for the server itself, where no other fits.
    pub own: usize,
    /// The steps before the location is known.
    pub script: Option<Script>,
    /// The settings that every request asks for.
    pub(in crate::http) rules: RequestRules,
}

/// Settings that every request asks its server for, looked up when the conf is compiled.
#[derive(Debug, Default)]
pub(in crate::http) struct RequestRules {
    pub head_limits: Limits,
    pub max_headers: u64,
    pub merges_slashes: bool,
}

/// The directive of this module: `server`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SERVER];

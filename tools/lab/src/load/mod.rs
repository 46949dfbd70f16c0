//! What clients do to the server.

mod ab;
mod client;
mod kinds;
mod outcome;
mod plan;
mod wrk;

pub use client::Client;
pub use kinds::{LOADS, Load, Settings, Target, find};
#[cfg(test)]
pub use outcome::figures;
pub use outcome::{ClientFigures, Ending, Outcome, SHARES};
pub use plan::{Plan, SMALL};

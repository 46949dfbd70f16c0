//! What clients do to the server.

mod ab;
mod client;
mod kinds;
mod outcome;
mod plan;
mod wrk;

pub use client::{Client, Run};
pub use kinds::{LOADS, Load, Settings, Target, find};
pub use outcome::{ClientFigures, Ending, Outcome, SHARES, quantiles};
#[cfg(test)]
pub use outcome::{figures, histogram};
pub use plan::{Plan, SMALL};

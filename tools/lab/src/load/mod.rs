//! The clients: plans of requests, the tools that send them, and how requests ended.

mod ab;
mod client;
mod figures;
mod loads;
mod outcome;
mod plan;
mod settings;
mod tool;
mod wrk;

pub(crate) use client::{Client, run_beside};
#[cfg(test)]
pub(crate) use figures::histogram;
pub(crate) use figures::{ClientFigures, SHARES, figures, quantiles};
pub(crate) use loads::{LOADS, Load, find};
pub(crate) use outcome::{Ending, Outcome, Run};
pub(crate) use plan::{Plan, SMALL};
pub(crate) use settings::{KEEPALIVE_REQUESTS, Mark, Settings, Target};

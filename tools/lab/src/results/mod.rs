//! The files that the lab writes, and reads again. Their schema is documented in tools/lab/RESULTS.md.

mod checks;
mod comparison;
mod conclude;
mod disturbance;
mod earlier;
mod faults;
mod kept;
mod machines;
mod simulation;

pub(crate) use checks::{Check, read_checks, write_checks};
pub(crate) use comparison::{
    Conclusion, Latencies, LoadNotes, Measurement, MethodNotes, PlaceNotes, Results, SideNotes,
};
pub(crate) use conclude::conclude;
pub(crate) use earlier::{read_earlier, widen};
pub(crate) use faults::{FaultResults, FaultRow};
pub(crate) use kept::{keep_former, numbered};
pub(crate) use machines::{
    BalancerCheck, BalancerCost, BalancerNotes, GrowthRow, Health, Machines, RestartRow, UnevenRow,
};
pub(crate) use simulation::{Checked, Cost, Costs, Figures, SimulatedRow, Simulation, TRUSTED};

/// Raised when a field changes its meaning or goes; new fields leave it.
pub(crate) const SCHEMA: &str = "drover-lab/1";

//! drover: a static web server that works the way nginx works, and makes the one thing that other servers hide a
//! choice you can see: who accepts the next connection.
//!
//! The tour, from the ground up; a layer uses only those above it in this list:

pub mod cli;
pub mod conf;
pub mod dispatch;
pub mod event;
pub mod http;
pub mod log;
pub mod master;
pub mod os;
pub mod serve;
pub mod shm;
pub mod stream;
pub mod worker;

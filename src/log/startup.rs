//! While the program starts, errors and warnings are also shown on standard error, as `drover: [emerg] ...`
//! (ngx_use_stderr).

use std::sync::atomic::{AtomicBool, Ordering};

static IS_STARTUP: AtomicBool = AtomicBool::new(true);

/// Says whether the program still talks to the person who started it.
pub fn set_startup(on: bool) {
    IS_STARTUP.store(on, Ordering::Relaxed);
}

pub(super) fn is_startup() -> bool {
    IS_STARTUP.load(Ordering::Relaxed)
}

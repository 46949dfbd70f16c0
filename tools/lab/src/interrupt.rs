//! Ctrl-C: the first ends the measurement and keeps its results, the second ends the lab.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Begins to watch for SIGINT, SIGTERM and SIGHUP.
pub(crate) fn watch() -> Result<()> {
    let asked = ASKED.get_or_init(Default::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The order matters: the first signal sets the flag, the second finds it set and ends the lab.
        signal_hook::flag::register_conditional_shutdown(signal, 130, asked.clone())?;
        signal_hook::flag::register(signal, asked.clone())?;
    }
    Ok(())
}

/// True after Ctrl-C.
pub(crate) fn asked() -> bool {
    ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed))
}

/// Error after Ctrl-C.
pub(crate) fn check() -> Result<()> {
    if asked() { bail!("interrupted") } else { Ok(()) }
}

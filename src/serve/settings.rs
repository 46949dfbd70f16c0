//! How files are sent and sockets set up.

use crate::conf::{self, Contexts, Setting};

const EVERYWHERE: Contexts = Contexts::HTTP.union(Contexts::SERVER).union(Contexts::LOCATION);

pub static SENDFILE: Setting<bool> = Setting::one("sendfile", |args| args.flag(0))
    .contexts(EVERYWHERE)
    .args(1, 1)
    .syntax("on | off")
    .default("on")
    .about(
        "Whether files too large for the cache are sent by the kernel itself; off, they are read and sent in pieces of \
         128k. Smaller files are sent from memory either way.",
    );

pub static TCP_NOPUSH: Setting<bool> = Setting::one("tcp_nopush", |args| args.flag(0))
    .contexts(EVERYWHERE)
    .args(1, 1)
    .syntax("on | off")
    .default("off")
    .about("Whether a head waits for the start of the file behind it, so that packets leave full.");

pub static DIRECTIVES: &[&dyn conf::Entry] = &[&SENDFILE, &TCP_NOPUSH];

//! The directives for sending files.

use crate::conf::{self, Contexts, Setting};

pub(crate) static SENDFILE: Setting<bool> =
    Setting::flag("sendfile").contexts(Contexts::HTTP_AND_IF).default("on").about(
        "Whether files too large for the cache are sent by the kernel itself; off, they are read and sent in pieces of \
         128k. Smaller files are sent from memory either way.",
    );

pub(crate) static TCP_NOPUSH: Setting<bool> = Setting::flag("tcp_nopush")
    .contexts(Contexts::HTTP_ALL)
    .default("off")
    .about("Whether a head waits for the start of the file behind it, so that packets leave full.");

pub(crate) static DIRECTIVES: &[&dyn conf::Entry] = &[&SENDFILE, &TCP_NOPUSH];

//! Requests and answers, as clients of all kinds see them: lists of directories, hard regexes, slow and hostile
//! clients, more of them than there is room for; and what an answer costs in system calls.

#[path = "../support/mod.rs"]
mod support;

mod autoindex;
mod changes;
mod codings;
mod contents;
mod disk;
mod files;
mod full;
mod gzip_cache;
mod hostile;
mod inherited;
mod json_log;
mod links;
mod load;
mod logs;
mod proxied;
mod regexes;
mod sites;
mod storm;
mod system_calls;
mod tables;
mod timeouts;
mod trailers;
mod vary;

//! More whole sites, after what 120 real confs say (compression, documentation, mirrors, applications, many hosts,
//! chains of error pages, logs by condition, exports of a blog, containers with a directory of confs).

mod application;
mod archive;
mod boilerplate;
mod chosen_lines;
mod exported_blog;
mod failures;
mod fragments;
mod handbook;
mod hosts_by_pattern;

pub use application::application;
pub use archive::archive;
pub use boilerplate::boilerplate;
pub use chosen_lines::chosen_lines;
pub use exported_blog::exported_blog;
pub use failures::failures;
pub use fragments::fragments;
pub use handbook::handbook;
pub use hosts_by_pattern::hosts_by_pattern;

use crate::probe::Request;

pub(super) use fragments::FILES;

fn takes_gzip(request: Request) -> Request {
    request.with("Accept-Encoding", "gzip, deflate, br")
}

fn by_proxy(request: Request) -> Request {
    request.with("Accept-Encoding", "gzip").with("Via", "1.1 cache")
}

fn old_gzip(request: Request) -> Request {
    request.http10().with("Accept-Encoding", "gzip")
}

/// The first byte, which every file of these sites has.
fn ranged(request: Request) -> Request {
    request.range("bytes=0-0")
}

fn two_ranges(request: Request) -> Request {
    request.range("bytes=0-0,-1")
}

fn part_of_gzip(request: Request) -> Request {
    request.with("Accept-Encoding", "gzip").range("bytes=0-9")
}

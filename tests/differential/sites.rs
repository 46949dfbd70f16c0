//! The confs and what is asked of them.

mod access;
mod additions;
mod agents;
mod behaviour;
mod charsets;
mod codings;
mod connections;
mod content;
mod cookies;
mod endings;
mod files;
mod limits_of_clients;
mod listings;
mod marked;
mod names;
mod protocol;
mod proxies;
mod real;
mod redirects;
mod regexes;
mod requests;
mod rewrites;
mod routing;
mod secure;
mod tables;
mod unicode;
mod users;
mod whole;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use nix::sys::stat::Mode;
use tempfile::TempDir;

pub use access::*;
pub use additions::additions;
pub use agents::agents;
pub use behaviour::*;
pub use charsets::*;
pub use codings::*;
pub use connections::*;
pub use content::*;
pub use cookies::cookies;
pub use endings::*;
pub use files::{cached_files, symlinks};
pub use limits_of_clients::*;
pub use listings::*;
pub use marked::marked;
pub use names::*;
pub use protocol::*;
pub use proxies::*;
pub use real::*;
pub use redirects::*;
pub use regexes::regexes;
pub use requests::*;
pub use rewrites::*;
pub use routing::*;
pub use secure::*;
pub use tables::*;
pub use unicode::unicode;
pub use users::users;
pub use whole::*;

/// Last-Modified of every file of the fixture: Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110 section 5.6.7.
const MODIFIED: u64 = 784_111_777;
pub const MODIFIED_TEXT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
/// A time that is yet to come: 2100.
const FUTURE: u64 = 4_102_444_800;
/// nginx's form: seconds and size in hex. The size is that of `/digits.txt`.
pub const DIGITS_ETAG: &str = "\"2ebc98a1-64\"";

/// The document root every site of the comparison serves.
pub fn fixture() -> TempDir {
    let dir = tempfile::Builder::new().prefix("drover-root-").tempdir().expect("a temporary directory");
    let root = dir.path();
    fs::set_permissions(root, Permissions::from_mode(0o755)).expect("chmod");
    let digits = "0123456789".repeat(10);
    let large: Vec<u8> = (0..300 * 1024).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, content) in [
        ("index.html", "<p>home</p>\n"),
        ("404.html", "<p>custom 404</p>\n"),
        ("50x.html", "<p>custom 50x</p>\n"),
        ("digits.txt", &digits),
        ("empty.txt", ""),
        ("page.html", "<p>page</p>\n"),
        ("guide.html", "<p>guide</p>\n"),
        ("style.css", "p { color: red }\n"),
        ("app.mjs", "export {}\n"),
        ("app.wasm", "not really\n"),
        ("UPPER.HTML", "<p>upper</p>\n"),
        ("noextension", "plain\n"),
        ("archive.tar.gz", "not really\n"),
        ("dot.", "ends in a dot\n"),
        (".hidden", "hidden\n"),
        ("dir/index.html", "<p>dir</p>\n"),
        ("dir/page.html", "<p>dir page</p>\n"),
        ("dir/sub/index.html", "<p>sub</p>\n"),
        ("bare/file.txt", "bare\n"),
        ("other/index.htm", "<p>other</p>\n"),
        ("assets/app.js", "1\n"),
        ("assets/logo.svg", "<svg/>\n"),
        ("aliased/file.txt", "aliased\n"),
        ("aliased/index.html", "<p>aliased</p>\n"),
        ("sp ace/a b.txt", "blank\n"),
        ("percent%41.txt", "percent\n"),
        ("caf\u{e9}.txt", "caf\u{e9}\n"),
        ("plus+plus.txt", "plus\n"),
        ("semi;colon.txt", "semicolon\n"),
        ("question?.txt", "question\n"),
        ("hash#.txt", "hash\n"),
        ("secret/file.txt", "secret\n"),
        ("tables/keys.map", "included \"from a file\";\nInc%20luded $uri;\n"),
        ("tables/nets.geo", "10.0.0.0/8 ten;\n10.1.0.0/16 \"ten one\";\n2001:db8::/32 six;\n"),
        ("users/htpasswd", access::USERS),
        ("locked.txt", "locked\n"),
        ("locked/file.txt", "locked\n"),
        ("coded/digits.txt", &digits),
        ("coded/digits.txt.gz", "digits, in a coding\n"),
        ("coded/page.html", "<p>page, as it is</p>\n"),
        ("coded/page.html.gz", "page, in a coding\n"),
        ("coded/none.txt", "without a coding\n"),
        ("coded/only.txt.gz", "in a coding only\n"),
        ("coded/dir.txt", "beside a directory\n"),
        ("coded/dir.txt.gz/file", "in a directory\n"),
        ("coded/fifo.txt", "beside a pipe\n"),
        ("coded/locked.txt", "beside a locked file\n"),
        ("coded/locked.txt.gz", "locked\n"),
        ("coded/linked.txt", "beside a link\n"),
        ("coded/off/digits.txt", &digits),
        ("coded/off/digits.txt.gz", "digits, in a coding\n"),
    ] {
        write(root, name, content.as_bytes());
    }
    for (name, content) in real::FILES {
        write(root, name, content.as_bytes());
    }
    charsets::add(root);
    write(root, "large.bin", &large);
    let long: String = (0..).map(|n: u32| format!("<p>{}</p>\n", n.wrapping_mul(n) % 9973)).take(30_000).collect();
    write(root, "coded/long.html", &long.as_bytes()[..80 << 10]);
    write(root, "coded/real.html.gz", &gzip_of(&long.as_bytes()[..80 << 10]));
    let [one, two, none] = [b"one ".as_slice(), b"two", b""].map(gzip_of);
    let several = gzip_of(&long.as_bytes()[..200 << 10]);
    for (name, members) in [
        ("members.txt", &[&one[..], &two][..]),
        ("members.html", &[&none[..], &one, &several, &none, &none, &two, &none]),
    ] {
        write(root, &format!("coded/{name}.gz"), &members.concat());
    }
    write(root, "future.txt", b"from a clock that is fast\n");
    set_modified(&root.join("future.txt"), FUTURE);
    listings::add(root);
    symlink("digits.txt", root.join("link.txt")).expect("symlink");
    symlink("nowhere", root.join("dangling.txt")).expect("symlink");
    symlink("digits.txt.gz", root.join("coded/linked.txt.gz")).expect("symlink");
    symlink("digits.txt", root.join("owned.txt")).expect("symlink");
    // Only root can give a link away; the two servers are compared either way.
    let _ = std::os::unix::fs::lchown(root.join("owned.txt"), Some(1), None);
    symlink("dir", root.join("linkdir")).expect("symlink");
    nix::unistd::mkfifo(&root.join("fifo"), Mode::from_bits_truncate(0o644)).expect("mkfifo");
    nix::unistd::mkfifo(&root.join("coded/fifo.txt.gz"), Mode::from_bits_truncate(0o644)).expect("mkfifo");
    for name in ["locked.txt", "locked", "coded/locked.txt.gz"] {
        fs::set_permissions(root.join(name), Permissions::from_mode(0o000)).expect("chmod");
    }
    dir
}

fn gzip_of(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; bytes.len() + 100];
    let mut compress = flate2::Compress::new_gzip(flate2::Compression::new(6), 15);
    compress.compress(bytes, &mut out, flate2::FlushCompress::Finish).expect("gzip");
    out.truncate(compress.total_out() as usize);
    out
}

fn write(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
    fs::write(&path, content).expect("write");
    set_modified(&path, MODIFIED);
}

fn set_modified(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).expect("open");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("utimes");
}

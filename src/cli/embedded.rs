//! The configuration that the program carries, for `drover` and `drover DIR`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::os::users::{Credentials, NOBODY, is_mapped, is_root};

/// The default address: reached from this machine only.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The welcome page.
pub(super) const WELCOME: &str = include_str!("../../conf/welcome/index.html");

/// The page about files that are not there.
pub(super) const NOT_FOUND: &str = include_str!("../../conf/welcome/404.html");

/// The conf text that serves the welcome page.
pub fn welcome() -> String {
    let page = quote(WELCOME);
    let body = format!(
        "        location = / {{ default_type text/html; return 200 {page}; }}\n        location / {{ return 404; }}\n"
    );
    with_server(&body, &ADDRESS)
}

/// The conf text that serves `directory`, an absolute path.
pub fn directory(directory: &Path, address: &SocketAddr) -> Result<String, String> {
    let text = directory.to_str().ok_or_else(|| format!("\"{}\" is not valid UTF-8", directory.display()))?;
    if text.contains('$') {
        return Err(format!("\"{text}\": a \"$\" in the name of the directory would begin a variable"));
    }
    let root = quote(text);
    let body = format!(
        "        root {root};\n        index index.html;\n        autoindex on;\n        \
         location ~ /\\.(?!well-known/) {{ return 404; }}\n"
    );
    Ok(with_server(&body, address))
}

/// The user of the workers when root starts them: the owner of the directory; nobody, when that is root or there is no
/// directory. `None` without root. Error: the user could not read the directory.
pub fn account(directory: Option<&Path>) -> Result<Option<Credentials>, String> {
    if !is_root() {
        return Ok(None);
    }
    let owner = directory.and_then(|dir| fs::metadata(dir).ok()).filter(|meta| meta.uid() != 0);
    let (uid, gid) = owner.map_or((NOBODY, NOBODY), |meta| (meta.uid(), meta.gid()));
    // In a user namespace without that number, root has no special powers outside.
    if !is_mapped(uid) {
        return Ok(Some(Credentials::root()));
    }
    if let Some(closed) = directory.and_then(|dir| closed_to(uid, gid, dir)) {
        return Err(format!(
            "the workers give up root's rights, and user {uid} may not enter \"{0}\": \"chmod o+rx {0}\" lets them in, \
             or \"chown\" makes the files of \"{1}\" another user's",
            closed.display(),
            directory.unwrap_or(closed).display()
        ));
    }
    Ok(Some(Credentials { name: uid.to_string(), uid, gid }))
}

/// The first directory on the way to `directory`, itself included, that the user may not search, or not read at the
/// end.
fn closed_to(uid: u32, gid: u32, directory: &Path) -> Option<&Path> {
    let mut way: Vec<&Path> = directory.ancestors().collect();
    way.reverse();
    way.into_iter().find(|dir| {
        let Ok(meta) = fs::metadata(dir) else { return true };
        let shift = if meta.uid() == uid {
            6
        } else if meta.gid() == gid {
            3
        } else {
            0
        };
        let needed = if *dir == directory { 0o5 } else { 0o1 };
        (meta.mode() >> shift) & needed != needed
    })
}

fn with_server(body: &str, address: &SocketAddr) -> String {
    format!(
        "pid off;\nworker_processes auto;\nevents {{ }}\nhttp {{\n    \
         log_format brief '$remote_addr [$time_local] \"$request\" $status $body_bytes_sent';\n    \
         access_log /dev/stdout brief;\n    log_not_found off;\n    default_type application/octet-stream;\n    \
         server {{\n        listen {address};\n{body}    }}\n}}\n"
    )
}

/// A single-quoted word of the conf language.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

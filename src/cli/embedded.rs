//! The configuration that the program carries, for `drover` and `drover DIR`.

use std::path::Path;

use crate::os::users::is_root;

/// Where both serve: reached from this machine only.
pub const ADDRESS: &str = "127.0.0.1:8080";

const WELCOME: &str = include_str!("../../conf/welcome/index.html");

/// The conf text that serves the welcome page.
pub fn welcome() -> String {
    let page = quote(WELCOME);
    with_server(&format!(
        "        location = / {{ default_type text/html; return 200 {page}; }}\n        location / {{ return 404; }}\n"
    ))
}

/// The conf text that serves `directory`, an absolute path.
pub fn directory(directory: &Path) -> Result<String, String> {
    let text = directory.to_str().ok_or_else(|| format!("\"{}\" is not valid UTF-8", directory.display()))?;
    if text.contains('$') {
        return Err(format!("\"{text}\": a \"$\" in the name of the directory would begin a variable"));
    }
    Ok(with_server(&format!("        root {};\n        index index.html;\n", quote(text))))
}

/// Workers stay who started them: the directory is that user's, and the address is this machine's own.
fn with_server(body: &str) -> String {
    let user = if is_root() { "user root;\n" } else { "" };
    format!(
        "daemon off;\npid off;\n{user}worker_processes auto;\nevents {{ }}\nhttp {{\n    \
         default_type application/octet-stream;\n    server {{\n        listen {ADDRESS};\n{body}    }}\n}}\n"
    )
}

/// A single-quoted word of the conf language.
fn quote(text: &str) -> String {
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

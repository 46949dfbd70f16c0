//! How files are found: through symbolic links, or not.

use crate::probe::{Probe, Site, get};

/// `disable_symlinks` in every place that looks a file up.
pub fn symlinks() -> Site {
    let modes = [
        "on",
        "if_not_owner",
        "off",
        "on from=%root%",
        "on from=%root%/linkdir",
        "on from=$document_root/",
        "if_not_owner from=$arg_from",
        "on from=%root%/page.html",
    ];
    let mut http = "server { listen 127.0.0.1:%port%; root %root%; error_page 500 /50x.html; ".to_owned();
    for (number, mode) in modes.iter().enumerate() {
        http += &format!(
            "location /{number}/ {{ alias %root%/; disable_symlinks {mode}; }} \
             location /{number}/try/ {{ alias %root%/; disable_symlinks {mode}; \
                 try_files $uri $uri/ /{number}/page.html; }} \
             location /{number}/if/ {{ disable_symlinks {mode}; \
                 if (-f %root%$arg_f) {{ return 200 file; }} if (-d %root%$arg_f) {{ return 200 directory; }} \
                 if (-e %root%$arg_f) {{ return 200 there; }} if (!-e %root%$arg_f) {{ return 200 none; }} }} \
             location /{number}/gz/ {{ alias %root%/coded/; disable_symlinks {mode}; gzip_static on; }} \
             location /{number}/links/ {{ alias %root%/; index link.txt page.html; disable_symlinks {mode}; }} \
             location /{number}/list/ {{ alias %root%/; index none; autoindex on; disable_symlinks {mode}; }} "
        );
    }
    http += "}";
    let mut probes: Vec<Probe> = Vec::new();
    for number in 0..modes.len() {
        for target in [
            "page.html",
            "link.txt",
            "linkdir/page.html",
            "linkdir/",
            "linkdir",
            "dangling.txt",
            "owned.txt",
            "none/none",
            "locked/file.txt",
            "dir/",
            "dir",
            "page.html/",
            "",
            "try/link.txt",
            "try/linkdir/page.html",
            "try/owned.txt",
            "try/page.html",
            "try/linkdir",
            "try/dir",
            "if/?f=/page.html",
            "if/?f=/link.txt",
            "if/?f=/linkdir",
            "if/?f=/linkdir/",
            "if/?f=/dir",
            "if/?f=/owned.txt",
            "if/?f=/none",
            "gz/linked.txt",
            "gz/digits.txt",
            "links/",
            "links/dir/",
            "list/",
            "list/linkdir/",
            "list/dir/",
        ] {
            let mut request = get(&format!("/{number}/{target}")).with("Accept-Encoding", "gzip");
            if number == 6 {
                let mark = if target.contains('?') { '&' } else { '?' };
                request = get(&format!("/{number}/{target}{mark}from=/")).with("Accept-Encoding", "gzip");
            }
            // A list is sent in chunks by nginx, and with its length by drover.
            probes.push(if target.starts_with("list/") { request.http10().into() } else { request.into() });
        }
    }
    Site::new("symlinks", &http, probes).measured()
}

/// Answers that an `open_file_cache` does not change.
pub fn cached_files() -> Site {
    let http = "open_file_cache max=100 inactive=1m; open_file_cache_valid 1h; open_file_cache_errors on; \
        server { listen 127.0.0.1:%port%; root %root%; \
        location / { try_files $uri $uri/ =404; } \
        location /plain/ { alias %root%/; autoindex on; } \
        location /rare/ { alias %root%/; open_file_cache_min_uses 3; } \
        location /off/ { alias %root%/; open_file_cache off; } \
        location /small/ { alias %root%/; open_file_cache max=1; gzip_static on; } \
        location /links/ { alias %root%/; disable_symlinks on; } }";
    let mut probes: Vec<Probe> = Vec::new();
    for place in ["", "plain/", "rare/", "off/", "small/", "links/"] {
        for round in 1..=2 {
            for target in [
                "page.html",
                "",
                "dir/",
                "dir",
                "none",
                "none/",
                "link.txt",
                "linkdir/page.html",
                "locked.txt",
                "locked/file.txt",
                "page.html/x",
                "fifo",
                "large.bin",
                "empty.txt",
                "coded/digits.txt",
                "dangling.txt",
            ] {
                let request = get(&format!("/{place}{target}")).with("Accept-Encoding", "gzip");
                probes.push(request.named(&format!("/{place}{target}, round {round}")));
            }
        }
    }
    Site::new("cached_files", http, probes).measured()
}

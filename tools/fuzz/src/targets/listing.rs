//! The names of files, which whoever uploads them chooses, in the listings of a directory.

use super::site::{Site, body};
use serde_json::Value;

/// The input is the name of a file. It is in the JSON as it is, and the link in the page leads to the file; neither a
/// tag nor a line of the head comes out of it.
pub(super) fn listing() -> impl FnMut(&[u8]) {
    let mut site = Site::new(
        r#"events { } http { server {
            listen 80; root %;
            location / { autoindex on; }
            location /json/ { alias %/; autoindex on; autoindex_format json; }
        } }"#,
        &[],
    );
    let ask = |site: &mut Site, path: &[u8]| {
        site.ask(&[b"GET ", path, b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat())
    };
    let tags_of_none = tags(&ask(&mut site, b"/"));
    move |input| {
        if input.iter().any(|byte| matches!(byte, 0 | b'/')) || input.is_empty() || input.len() > 255 {
            return;
        }
        // Hidden files are not listed, and an index takes the place of the listing.
        if input.starts_with(b".") || input == b"index.html" {
            return;
        }
        let path = site.place(input);
        if std::fs::write(&path, "inside").is_err() {
            return;
        }
        let json = ask(&mut site, b"/json/");
        check_json(&String::from_utf8_lossy(&unchunked(body(&json))), input);
        let page = unchunked(body(&ask(&mut site, b"/")));
        assert_eq!(tags(&page), tags_of_none + 2, "{}", page.escape_ascii());
        let link = link(&page);
        let file = ask(&mut site, &[b"/", link].concat());
        assert!(file.starts_with(b"HTTP/1.1 200 "), "{}", link.escape_ascii());
        assert_eq!(body(&file), b"inside", "{}", link.escape_ascii());
        std::fs::remove_file(path).expect("the file is there");
    }
}

fn check_json(text: &str, name: &[u8]) {
    let entries: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let [entry] = &entries[..] else { panic!("{text}") };
    if let Ok(name) = std::str::from_utf8(name) {
        assert_eq!(entry["name"], name);
    }
}

fn tags(page: &[u8]) -> usize {
    page.iter().filter(|byte| **byte == b'<').count()
}

/// The only link but that to the directory above.
fn link(page: &[u8]) -> &[u8] {
    let parts: Vec<&[u8]> = page.split(|byte| *byte == b'"').collect();
    let links: Vec<&[u8]> =
        parts.windows(2).filter(|pair| pair[0].ends_with(b"<a href=")).map(|pair| pair[1]).collect();
    let [_, link] = links[..] else { panic!("{}", page.escape_ascii()) };
    link
}

/// A body without its chunks.
fn unchunked(body: &[u8]) -> Vec<u8> {
    let (mut rest, mut whole) = (body, Vec::new());
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n")
        && let Some(size) = std::str::from_utf8(&rest[..end]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok())
        && size > 0
    {
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    if whole.is_empty() { body.to_vec() } else { whole }
}

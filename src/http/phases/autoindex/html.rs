//! Lists for people. The lines are nginx's, byte for byte, because programs read them too; around them stand a style
//! that keeps the page readable on a phone, and buttons that sort it.
//!
//! Buttons of a form, and not links: a mirroring client such as wget would follow links, and save each order as a page.

use std::cmp::Ordering;
use std::io::Write;

use crate::http::exchange::{FileKind, Listed};
use crate::http::message::uri::{self, Escape};
use crate::http::message::{date, utf8};
use crate::os::time::LocalTime;

/// The column in which times begin, counted from the names: longer names are cut.
const NAME_LEN: usize = 50;

/// The charset is what names have nearly everywhere; a `charset` of the conf counts before it.
const STYLE: &[u8] = b"<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
    <style>:root{color-scheme:light dark}h1{font-size:1.3em;overflow-wrap:anywhere}\
    button{font:inherit;padding:.4em .9em;margin-right:.4em}\
    @media(max-width:50em){pre{white-space:pre-line;overflow-wrap:anywhere;font-size:.9em}\
    pre a{display:block;font-size:1.2em;padding-top:.7em}}</style>";

/// How a page shows its entries.
pub(super) struct Look {
    /// Sizes are in bytes, not rounded.
    pub exact_size: bool,
    /// Times are those of this machine's time zone, not UTC.
    pub local_time: bool,
    /// Names are counted in characters of UTF-8, not in bytes.
    pub utf8: bool,
    pub order: Order,
}

/// The property that entries are sorted by; directories come first in each order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Name,
    Time,
    Size,
}

/// The order of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub key: Key,
    /// The last name, the newest, the largest first.
    pub falls: bool,
}

impl Order {
    /// The order that `?sort=...` asks for; by name for everything that is none.
    pub(super) fn of(wanted: Option<&[u8]>) -> Order {
        let wanted = wanted.unwrap_or_default();
        let (key, falls) = wanted.strip_prefix(b"-").map_or((wanted, false), |key| (key, true));
        match key {
            b"time" => Order { key: Key::Time, falls },
            b"size" => Order { key: Key::Size, falls },
            b"name" => Order { key: Key::Name, falls },
            _ => Order { key: Key::Name, falls: false },
        }
    }

    /// The query of links to other directories, which keep the order.
    fn query(self) -> &'static str {
        match (self.key, self.falls) {
            (Key::Name, false) => "",
            (Key::Name, true) => "?sort=-name",
            (Key::Time, false) => "?sort=time",
            (Key::Time, true) => "?sort=-time",
            (Key::Size, false) => "?sort=size",
            (Key::Size, true) => "?sort=-size",
        }
    }

    pub(super) fn compare(self, a: &Listed, b: &Listed) -> Ordering {
        let by_key = match self.key {
            Key::Name => Ordering::Equal,
            Key::Time => a.mtime.cmp(&b.mtime),
            // The size of a directory is not shown, and says nothing.
            Key::Size if a.kind == FileKind::Dir => Ordering::Equal,
            Key::Size => a.len.cmp(&b.len),
        };
        let order = by_key.then_with(|| a.name.cmp(&b.name));
        (b.kind == FileKind::Dir).cmp(&(a.kind == FileKind::Dir)).then(if self.falls { order.reverse() } else { order })
    }
}

/// Appends the page of a directory.
pub(super) fn page(out: &mut Vec<u8>, uri: &[u8], entries: &mut [Listed], look: &Look) {
    entries.sort_unstable_by(|a, b| look.order.compare(a, b));
    out.extend_from_slice(b"<html>\r\n<head>");
    out.extend_from_slice(STYLE);
    out.extend_from_slice(b"<title>Index of ");
    uri::escape_html(out, uri);
    out.extend_from_slice(b"</title></head>\r\n<body>\r\n<h1>Index of ");
    uri::escape_html(out, uri);
    out.extend_from_slice(b"</h1>");
    put_buttons(out, look.order);
    out.extend_from_slice(b"<hr><pre><a href=\"../");
    out.extend_from_slice(look.order.query().as_bytes());
    out.extend_from_slice(b"\">../</a>\r\n");
    for entry in entries {
        put_name(out, entry, look);
        out.push(b' ');
        put_time(out, entry.mtime, look.local_time);
        put_size(out, entry, look.exact_size);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"</pre><hr></body>\r\n</html>\r\n");
}

/// A button for each order; that of the page's own turns it round.
fn put_buttons(out: &mut Vec<u8>, order: Order) {
    out.extend_from_slice(b"<form>");
    for (key, word, label) in [(Key::Name, "name", "Name"), (Key::Time, "time", "Time"), (Key::Size, "size", "Size")] {
        let is_own = order.key == key;
        // The newest and the largest are what somebody looks for.
        let falls = if is_own { !order.falls } else { key != Key::Name };
        let sign = if falls { "-" } else { "" };
        let arrow = match (is_own, order.falls) {
            (false, _) => "",
            (true, false) => " &uarr;",
            (true, true) => " &darr;",
        };
        // Writing to a Vec does not fail.
        let _ = write!(out, "<button name=\"sort\" value=\"{sign}{word}\">{label}{arrow}</button>");
    }
    out.extend_from_slice(b"</form>");
}

/// The link, and the space up to the column of times.
fn put_name(out: &mut Vec<u8>, entry: &Listed, look: &Look) {
    let (name, is_dir) = (&entry.name, entry.kind == FileKind::Dir);
    out.extend_from_slice(b"<a href=\"");
    uri::escape(out, name, Escape::Component);
    if is_dir {
        out.push(b'/');
        out.extend_from_slice(look.order.query().as_bytes());
    }
    out.extend_from_slice(b"\">");
    let characters = if look.utf8 { utf8::count(name) } else { None };
    let mut len = characters.unwrap_or(name.len());
    if len > NAME_LEN {
        let cut = match characters {
            Some(_) => utf8::first(name, NAME_LEN - 3),
            None => &name[..NAME_LEN - 3],
        };
        uri::escape_html(out, cut);
        out.extend_from_slice(b"..&gt;</a>");
        return;
    }
    uri::escape_html(out, name);
    if is_dir && len < NAME_LEN {
        out.push(b'/');
        len += 1;
    }
    out.extend_from_slice(b"</a>");
    out.resize(out.len() + NAME_LEN - len, b' ');
}

/// `06-Nov-1994 08:49 `
fn put_time(out: &mut Vec<u8>, mtime: i64, local: bool) {
    // Local time is the time of UTC that reads the same.
    let shift = if local { i64::from(LocalTime::at(mtime).offset_minutes) * 60 } else { 0 };
    let text = date::format(mtime.saturating_add(shift));
    let (day, month, year, time) = (&text[5..7], &text[8..11], &text[12..16], &text[17..22]);
    out.extend_from_slice(&[day, month, year].join(&b"-"[..]));
    out.push(b' ');
    out.extend_from_slice(time);
    out.push(b' ');
}

fn put_size(out: &mut Vec<u8>, entry: &Listed, exact: bool) {
    let is_dir = entry.kind == FileKind::Dir;
    let _ = match (exact, is_dir, rounded(entry.len)) {
        (true, true, _) => write!(out, "{:>19}", '-'),
        (true, false, _) => write!(out, "{:>19}", entry.len),
        (false, true, _) => write!(out, "{:>7}", '-'),
        (false, false, (size, Some(unit))) => write!(out, "{size:>6}{unit}"),
        (false, false, (size, None)) => write!(out, "{size:>7}"),
    };
}

/// A size in the unit that keeps it short; rounded up from half a unit on.
fn rounded(len: u64) -> (u64, Option<char>) {
    const K: u64 = 1 << 10;
    let (unit, letter) = match len {
        0..10_000 => return (len, None),
        10_000..0x10_0000 => (K, 'K'),
        0x10_0000..0x4000_0000 => (K * K, 'M'),
        _ => (K * K * K, 'G'),
    };
    (len / unit + u64::from(len % unit >= unit / 2), Some(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_as_in_nginx() {
        let shown = |len| rounded(len);
        assert_eq!([0, 9_999, 10_000, 10_239, 10_240].map(shown).map(|(n, _)| n), [0, 9_999, 10, 10, 10]);
        assert_eq!(shown(10_751), (10, Some('K')));
        assert_eq!(shown(10_752), (11, Some('K')));
        assert_eq!(
            [(1 << 20) - 1, 1 << 20, (3 << 20) / 2].map(shown),
            [(1024, Some('K')), (1, Some('M')), (2, Some('M'))]
        );
        assert_eq!(
            [(1 << 30) - 1, 1 << 30, u64::MAX].map(shown),
            [(1024, Some('M')), (1, Some('G')), (1 << 34, Some('G'))]
        );
    }

    fn names(order: &str) -> String {
        let entry = |name: &str, kind, len, mtime| Listed { name: name.into(), kind, len, mtime };
        let mut entries = [
            entry("c", FileKind::File, 3, 10),
            entry("a", FileKind::File, 9, 30),
            entry("b", FileKind::File, 9, 20),
            entry("e", FileKind::Dir, 1, 1),
            entry("d", FileKind::Dir, 2, 99),
        ];
        let order = Order::of(Some(order.as_bytes()));
        entries.sort_by(|a, b| order.compare(a, b));
        entries.iter().map(|entry| String::from_utf8_lossy(&entry.name).into_owned()).collect()
    }

    #[test]
    fn directories_come_first_in_each_order() {
        assert_eq!(["", "name", "nonsense", "--time"].map(names), ["deabc"; 4]);
        assert_eq!(
            ["-name", "time", "-time", "size", "-size"].map(names),
            ["edcba", "edcba", "deabc", "decab", "edbac"]
        );
    }

    #[test]
    fn the_button_of_the_page_s_own_order_turns_it_round() {
        let values = |order: &str| {
            let mut out = Vec::new();
            put_buttons(&mut out, Order::of(Some(order.as_bytes())));
            let text = String::from_utf8(out).unwrap();
            let values = text.split("value=\"").skip(1).filter_map(|rest| rest.split('"').next());
            (values.collect::<Vec<_>>().join(" "), text.contains("&uarr;"), text.contains("&darr;"))
        };
        assert_eq!(values(""), ("-name -time -size".to_owned(), true, false));
        assert_eq!(values("-time"), ("name time -size".to_owned(), false, true));
        assert_eq!(values("size"), ("name -time -size".to_owned(), true, false));
    }

    #[test]
    fn long_names_are_cut_at_characters_only_where_the_page_is_utf8() {
        let cut = |name: &str, utf8| {
            let mut out = Vec::new();
            let look = Look { exact_size: true, local_time: false, utf8, order: Order::of(None) };
            put_name(&mut out, &Listed { name: name.into(), kind: FileKind::File, len: 0, mtime: 0 }, &look);
            String::from_utf8_lossy(&out).split_once("\">").map(|(_, text)| text.trim_end().to_owned())
        };
        let name = "é".repeat(50);
        assert_eq!(cut(&name, true), Some(format!("{name}</a>")));
        assert_eq!(cut(&format!("{name}é"), true), Some(format!("{}..&gt;</a>", "é".repeat(47))));
        assert_eq!(cut(&name, false).map(|text| text.ends_with("é\u{fffd}..&gt;</a>")), Some(true));
    }
}

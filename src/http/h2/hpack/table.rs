//! The table of fields that the index of a header block points into: 61 that never change, and behind them those that
//! the client has added, the newest first (RFC 7541, section 2.3).

use std::collections::VecDeque;

/// Names and values (RFC 7541, appendix A); the first has index 1.
pub(super) const STATIC_TABLE: [(&[u8], &[u8]); 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

/// Bytes that each entry counts for besides its own (RFC 7541, section 4.1).
const OVERHEAD: usize = 32;

/// The entries that the client has added.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    /// Bytes of all entries, overhead included.
    size: usize,
    max_size: usize,
}

#[derive(Debug)]
struct Entry {
    /// The name, and behind it the value.
    text: Box<[u8]>,
    name_len: u32,
}

impl Table {
    pub(super) fn new(max_size: usize) -> Table {
        Table { entries: VecDeque::new(), size: 0, max_size }
    }

    /// Name and value at an index, of which the first is 1.
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let index = index.checked_sub(1)?;
        if let Some(field) = STATIC_TABLE.get(index) {
            return Some(*field);
        }
        let entry = self.entries.get(index - STATIC_TABLE.len())?;
        entry.text.split_at_checked(entry.name_len as usize)
    }

    /// Adds an entry, for which others may have to go; one that is larger than the whole table empties it.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + OVERHEAD;
        self.shrink_to(self.max_size.saturating_sub(size));
        if size <= self.max_size {
            let text = [name, value].concat().into_boxed_slice();
            self.entries.push_front(Entry { text, name_len: name.len() as u32 });
            self.size += size;
        }
    }

    /// Changes how large the table may grow.
    pub(super) fn set_max_size(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.shrink_to(max_size);
    }

    fn shrink_to(&mut self, most: usize) {
        while self.size > most
            && let Some(entry) = self.entries.pop_back()
        {
            self.size -= entry.text.len() + OVERHEAD;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_is_no_room() {
        let mut table = Table::new(100);
        table.insert(b"a", b"1");
        table.insert(b"b", b"2");
        assert_eq!(table.get(62), Some((&b"b"[..], &b"2"[..])));
        assert_eq!(table.get(63), Some((&b"a"[..], &b"1"[..])));
        table.insert(b"c", b"3");
        assert_eq!((table.get(62), table.get(63), table.get(64)), (Some((&b"c"[..], &b"3"[..])), table.get(63), None));
        assert_eq!(table.size, 68);
        table.set_max_size(67);
        assert_eq!((table.entries.len(), table.size), (1, 34));
        table.insert(b"large", &[b'x'; 67]);
        assert_eq!((table.entries.len(), table.size), (0, 0), "an entry larger than the table empties it");
        assert_eq!((table.get(0), table.get(62)), (None, None));
        assert_eq!(table.get(1), Some((&b":authority"[..], &b""[..])));
        assert_eq!(table.get(61), Some((&b"www-authenticate"[..], &b""[..])));
    }
}

//! PCRE2: patterns compiled and matched with the options that nginx uses, within limits.
//!
//! Built on pcre2-sys: the pcre2 crate sets no limits, and keeps the memory for backtracking once a pattern and thread;
//! here a thread has one block for all patterns.

use pcre2_sys::{
    PCRE2_ANCHORED, PCRE2_CASELESS, PCRE2_ERROR_NOMATCH, PCRE2_ERROR_NOMEMORY, PCRE2_INFO_ALLOPTIONS,
    PCRE2_INFO_CAPTURECOUNT, PCRE2_INFO_NAMECOUNT, PCRE2_INFO_NAMEENTRYSIZE, PCRE2_INFO_NAMETABLE, PCRE2_UNSET,
    pcre2_code_8, pcre2_code_free_8, pcre2_compile_8, pcre2_get_error_message_8, pcre2_get_ovector_count_8,
    pcre2_get_ovector_pointer_8, pcre2_match_8, pcre2_match_context_8, pcre2_match_context_create_8,
    pcre2_match_context_free_8, pcre2_match_data_8, pcre2_match_data_create_8, pcre2_match_data_free_8,
    pcre2_pattern_info_8, pcre2_set_heap_limit_8, pcre2_set_match_limit_8,
};
use std::cell::RefCell;
use std::ptr::{self, NonNull};
use std::slice;

/// Memory of a match for its backtracking points, in KiB. A thread keeps the most that a match has needed.
const HEAP_LIMIT_KIB: u32 = 8 << 10;

/// The offsets where a group begins and ends; `None`: the group took no part.
pub type Group = Option<(usize, usize)>;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    code: NonNull<pcre2_code_8>,
    groups: usize,
    is_anchored: bool,
}

// SAFETY: PCRE2 only reads a compiled pattern while it matches (pcre2api, "Multithreading"), and no JIT code is made.
unsafe impl Send for Pattern {}
// SAFETY: as above.
unsafe impl Sync for Pattern {}

/// The error in a pattern that does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// PCRE2's own words.
    pub message: String,
    /// The offset where PCRE2 noticed the error, in bytes.
    pub offset: usize,
}

impl CompileError {
    /// The error in nginx's words (`ngx_regex_compile`).
    pub fn in_pattern(&self, pattern: &str) -> String {
        let rest = pattern.get(self.offset..).filter(|rest| !rest.is_empty());
        let at = rest.map_or(String::new(), |rest| format!(" at \"{rest}\""));
        format!("pcre2_compile() failed: {} in \"{pattern}\"{at}", self.message)
    }
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// PCRE2's message.
    pub fn new(pattern: &str, ignore_case: bool) -> Result<Self, CompileError> {
        let options = if ignore_case { PCRE2_CASELESS } else { 0 };
        let (mut code, mut offset) = (0, 0);
        // SAFETY: the pattern is read within its length, and both results are this function's own.
        let compiled = unsafe {
            pcre2_compile_8(pattern.as_ptr(), pattern.len(), options, &mut code, &mut offset, ptr::null_mut())
        };
        let Some(compiled) = NonNull::new(compiled) else {
            return Err(CompileError { message: message(code), offset: offset.min(pattern.len()) });
        };
        let mut pattern = Self { code: compiled, groups: 0, is_anchored: false };
        pattern.groups = pattern.number(PCRE2_INFO_CAPTURECOUNT) as usize;
        pattern.is_anchored = pattern.number(PCRE2_INFO_ALLOPTIONS) & PCRE2_ANCHORED != 0;
        Ok(pattern)
    }

    /// The number of groups, not counting the whole match.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Whether a match can begin at the start of the text only.
    pub fn is_anchored(&self) -> bool {
        self.is_anchored
    }

    /// The named groups with their numbers, by name.
    pub fn names(&self) -> Vec<(Box<str>, usize)> {
        let [count, size] = [PCRE2_INFO_NAMECOUNT, PCRE2_INFO_NAMEENTRYSIZE].map(|what| self.number(what) as usize);
        let mut table: *const u8 = ptr::null();
        // SAFETY: PCRE2_INFO_NAMETABLE writes a pointer.
        unsafe { pcre2_pattern_info_8(self.code.as_ptr(), PCRE2_INFO_NAMETABLE, (&raw mut table).cast()) };
        if count == 0 || size == 0 || table.is_null() {
            return Vec::new();
        }
        // SAFETY: the table has `count` entries of `size` bytes, and lives as long as the pattern.
        let table = unsafe { slice::from_raw_parts(table, count * size) };
        // In an entry stand the group's number in two bytes, the name, a NUL.
        let entry = |entry: &[u8]| {
            let (number, name) = entry.split_first_chunk::<2>()?;
            let name = name.split(|byte| *byte == 0).next()?;
            Some((String::from_utf8_lossy(name).into(), usize::from(u16::from_be_bytes(*number))))
        };
        table.chunks(size).filter_map(entry).collect()
    }

    fn number(&self, what: u32) -> u32 {
        let mut number: u32 = 0;
        // SAFETY: all that is asked for here is a uint32_t.
        unsafe { pcre2_pattern_info_8(self.code.as_ptr(), what, (&raw mut number).cast()) };
        number
    }

    /// Finds the first match, with at most `limit` steps at each offset where a match can begin. A match fills
    /// `groups`, the whole match first; otherwise `groups` stays as it was.
    ///
    /// # Errors
    /// PCRE2's number: -47: too many steps; -63: too much memory; -3 to -23: after `(*UTF)`, text that is not UTF-8.
    pub fn find(&self, text: &[u8], limit: u32, groups: Option<&mut Vec<Group>>) -> Result<bool, i32> {
        let wanted = if groups.is_some() { 1 + self.groups } else { 0 };
        BLOCK.with_borrow_mut(|block| {
            let block = Block::with_room_for(block, wanted).ok_or(PCRE2_ERROR_NOMEMORY)?;
            // The pointer of an empty slice need not be valid for PCRE2.
            let subject = if text.is_empty() { b"\0" } else { text };
            let (data, context) = (block.data.as_ptr(), block.context.as_ptr());
            // SAFETY: pattern, block and context are alive; the block is this thread's; the text is read within its
            // length.
            let result = unsafe {
                pcre2_set_match_limit_8(context, limit);
                pcre2_match_8(self.code.as_ptr(), subject.as_ptr(), text.len(), 0, 0, data, context)
            };
            if result == PCRE2_ERROR_NOMATCH {
                return Ok(false);
            }
            if result < 0 {
                return Err(result);
            }
            if let Some(groups) = groups {
                // SAFETY: the block has room for `wanted` pairs, and a match sets one for each group of its pattern.
                let offsets = unsafe { slice::from_raw_parts(pcre2_get_ovector_pointer_8(data), 2 * wanted) };
                groups.clear();
                let pairs = offsets.chunks_exact(2).map(|pair| (pair[0], pair[1]));
                groups.extend(pairs.map(|pair| (pair.0 != PCRE2_UNSET).then_some(pair)));
            }
            Ok(true)
        })
    }
}

impl Drop for Pattern {
    fn drop(&mut self) {
        // SAFETY: made by pcre2_compile(), and freed once.
        unsafe { pcre2_code_free_8(self.code.as_ptr()) };
    }
}

/// PCRE2's words for an error.
fn message(code: i32) -> String {
    // 128 are enough for all (pcre2api).
    let mut text = [0; 256];
    // SAFETY: the text is written within its length.
    let length = unsafe { pcre2_get_error_message_8(code, text.as_mut_ptr(), text.len()) };
    let length = usize::try_from(length).unwrap_or_default().min(text.len());
    String::from_utf8_lossy(&text[..length]).into_owned()
}

thread_local! {
    static BLOCK: RefCell<Option<Block>> = const { RefCell::new(None) };
}

/// PCRE2's memory of a match.
struct Block {
    data: NonNull<pcre2_match_data_8>,
    context: NonNull<pcre2_match_context_8>,
}

impl Block {
    /// The thread's block, replaced by a larger one if it lacks room for `groups` groups; `None`: no memory.
    fn with_room_for(slot: &mut Option<Block>, groups: usize) -> Option<&mut Block> {
        if slot.as_ref().is_none_or(|block| block.room() < groups) {
            *slot = Some(Block::new(groups.max(10))?);
        }
        slot.as_mut()
    }

    fn new(groups: usize) -> Option<Block> {
        // SAFETY: no general context: malloc() is used.
        let context = NonNull::new(unsafe { pcre2_match_context_create_8(ptr::null_mut()) })?;
        // SAFETY: as above; PCRE2 allows 65,535 groups.
        let data = unsafe { pcre2_match_data_create_8(u32::try_from(groups).ok()?, ptr::null_mut()) };
        let Some(data) = NonNull::new(data) else {
            // SAFETY: made above, used nowhere.
            unsafe { pcre2_match_context_free_8(context.as_ptr()) };
            return None;
        };
        // SAFETY: the context is alive.
        unsafe { pcre2_set_heap_limit_8(context.as_ptr(), HEAP_LIMIT_KIB) };
        Some(Block { data, context })
    }

    fn room(&self) -> usize {
        // SAFETY: the block is alive.
        unsafe { pcre2_get_ovector_count_8(self.data.as_ptr()) as usize }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: made in new(), and freed once.
        unsafe {
            pcre2_match_data_free_8(self.data.as_ptr());
            pcre2_match_context_free_8(self.context.as_ptr());
        }
    }
}

//! `charset_map`: tables between charsets (`src/http/modules/ngx_http_charset_filter_module.c`).

use std::sync::Arc;

use crate::conf::{self, Contexts, Item, Setting};
use crate::http::message::charset::Table;
use crate::http::message::utf8::{Decoded, decode};

/// A note ([`conf::Args::notes`]): the charsets of a conf, and the tables between them.
#[derive(Debug, Default, Clone)]
pub struct Charsets {
    /// The names that the conf says, each as it is spelled first.
    names: Vec<Arc<str>>,
    pairs: Vec<Pair>,
}

/// Two charsets, and the tables there and back.
#[derive(Debug, Clone)]
struct Pair {
    names: [Arc<str>; 2],
    there: Arc<Table>,
    back: Arc<Table>,
}

impl Pair {
    fn is_between(&self, from: &[u8], to: &[u8]) -> bool {
        self.names[0].as_bytes().eq_ignore_ascii_case(from) && self.names[1].as_bytes().eq_ignore_ascii_case(to)
    }
}

impl Charsets {
    /// The name of a charset, as the conf has spelled it first (`ngx_http_add_charset`).
    pub(in crate::http) fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            return known.clone();
        }
        self.names.push(name.into());
        name.into()
    }

    /// Whether the conf says this name.
    pub(in crate::http) fn knows(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether there are no tables.
    pub(in crate::http) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The table that converts one charset into the other.
    pub(in crate::http) fn table(&self, from: &[u8], to: &[u8]) -> Option<&Arc<Table>> {
        self.pairs.iter().find_map(|pair| {
            let there = pair.is_between(from, to).then_some(&pair.there);
            there.or_else(|| pair.is_between(to, from).then_some(&pair.back))
        })
    }
}

/// `charset_map`: a table between two charsets.
pub static CHARSET_MAP: Setting<()> = Setting::many(&["charset_map"], |args, (): &mut ()| {
    let [from, to] = [args.str(0)?, args.str(1)?];
    let names = [from, to].map(|name| args.notes::<Charsets>().name(name));
    if from.eq_ignore_ascii_case(to) {
        return Err(args.bad(1, format!("\"charset_map\" between the same charsets \"{from}\" and \"{to}\"")));
    }
    if args.notes::<Charsets>().table(from.as_bytes(), to.as_bytes()).is_some() {
        return Err(args.bad(0, format!("duplicate \"charset_map\" between \"{from}\" and \"{to}\"")));
    }
    if from.eq_ignore_ascii_case("utf-8") {
        let error = args.bad(0, "\"charset_map\" from \"utf-8\"");
        return Err(error.help(format!("a table works both ways: \"charset_map {to} utf-8\"")));
    }
    let is_utf8 = to.eq_ignore_ascii_case("utf-8");
    let (mut there, mut back) =
        if is_utf8 { (Table::to_utf8(), Table::from_utf8()) } else { (Table::bytes(), Table::bytes()) };
    for item in args.block() {
        let (byte, character, number) = entry(item, is_utf8)?;
        there.set(byte.into(), &character);
        back.set(number, &[byte]);
    }
    let pair = Pair { names, there: Arc::new(there), back: Arc::new(back) };
    args.notes::<Charsets>().pairs.push(pair);
    Ok(())
})
.contexts(Contexts::HTTP)
.args(2, 2)
.takes_block()
.syntax("CHARSET1 CHARSET2 { HEX HEX; ... }")
.about(
    "A table between two charsets, for both directions: bytes in hex; in utf-8, which comes second, those of a \
     character. Bytes from 80 on that it does not name become `?`, characters that have no byte become `&#NUMBER;`. An \
     answer whose length changes so is sent without Content-Length, and has no ranges.",
);

/// The directive of this file: `charset_map`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&CHARSET_MAP];

const BYTE: &str = "a byte in hex: 0 to ff";

/// A line of a table: the byte, the bytes that it becomes, and their number.
fn entry(item: &Item, is_utf8: bool) -> Result<(u8, Vec<u8>, u16), conf::Error> {
    let [from, to] = item.words.as_slice() else {
        let error = conf::Error::at(item.span, "invalid parameters number");
        return Err(error.help("two numbers in hex: is a \";\" missing?"));
    };
    let bad = |word: &conf::Arg, help: &str| {
        conf::Error::at(word.span, format!("invalid value \"{}\"", word.text)).help(help)
    };
    let byte = hex(&from.text).ok_or_else(|| bad(from, BYTE))?;
    if !is_utf8 {
        let becomes = hex(&to.text).ok_or_else(|| bad(to, BYTE))?;
        return Ok((byte, vec![becomes], becomes.into()));
    }
    let help = "the bytes of a character in hex, 2 or 3 of them: d0bf";
    let digits = to.text.as_bytes();
    let pairs =
        digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2).and_then(hex));
    let bytes: Vec<u8> =
        pairs.collect::<Option<_>>().filter(|bytes: &Vec<u8>| bytes.len() <= 3).ok_or_else(|| bad(to, help))?;
    match decode(&bytes) {
        Decoded::Character(number @ 0..=0xffff, _) => Ok((byte, bytes, number as u16)),
        _ => Err(bad(to, help)),
    }
}

/// A byte in hex, of any number of digits (ngx_hextoi).
fn hex(text: &str) -> Option<u8> {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| is_hex).and_then(|number| u8::try_from(number).ok())
}

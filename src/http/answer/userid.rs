//! Cookies that tell clients apart: `userid` and its kin, as nginx's `ngx_http_userid_filter_module.c`.

use super::fields::Fields;
use crate::conf::{self, Contexts, Scope, Setting};
use crate::http::exchange::{Cx, Embedded, Exchange, error_lines, variables};
use crate::http::message::date;
use crate::http::message::uid::{Form, LETTERS, Uid, cookie_time};
use crate::http::site::template::Template;
use crate::os::Addr;
use std::net::IpAddr;

/// Whether clients are marked, and how.
#[derive(Debug, Default)]
pub enum UserId {
    /// Nothing is looked at.
    #[default]
    Off,
    /// The cookies of clients are read, and none are given.
    Log,
    /// Clients without a cookie get one, whose words have their low bytes first if `is_v1`.
    On {
        /// The form of the first version.
        is_v1: bool,
        /// `$uid_reset`: whether a client that has a cookie gets another.
        reset: Template,
    },
}

/// `userid`: whether clients are marked.
pub static USERID: Setting<UserId> = Setting::one("userid", |args| {
    let mode = args.one_of(0, &[("off", 0), ("log", 1), ("v1", 2), ("on", 3)])?;
    Ok(match mode {
        0 => UserId::Off,
        1 => UserId::Log,
        _ => UserId::On { is_v1: mode == 2, reset: Template::parse_text(args, 0, "$uid_reset")? },
    })
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("on | v1 | log | off")
.default("off")
.about(
    "Gives each client a cookie that no other has (`on`; `v1`: in the form of the first version), or reads the cookies \
     of clients for the log only (`log`). `$uid_got` is the mark that came, `$uid_set` the one that is given.",
);

/// `userid_name`: the name of the cookie.
pub static USERID_NAME: Setting<String> =
    text("userid_name").syntax("NAME").default("uid").about("The name of the cookie of `userid`.");

/// `userid_domain`: the domain of the cookie; empty: none.
pub static USERID_DOMAIN: Setting<String> = text_or_none("userid_domain")
    .syntax("NAME | none")
    .default("none")
    .about("The domain for which the cookie of `userid` is; `none`: the host that sets it.");

/// `userid_path`: the path of the cookie.
pub static USERID_PATH: Setting<String> =
    text("userid_path").syntax("PATH").default("/").about("The path for which the cookie of `userid` is.");

/// `userid_p3p`: the field P3P that goes with the cookie; empty: none.
pub static USERID_P3P: Setting<String> = text_or_none("userid_p3p")
    .syntax("TEXT | none")
    .default("none")
    .about("The field P3P that goes out with the cookie of `userid`, if any.");

/// `userid_service`: the first word of the marks; `None`: the address of the server.
pub static USERID_SERVICE: Setting<Option<u32>> =
    Setting::one("userid_service", |args| args.count(0).map(|number| Some(number as u32)))
        .contexts(Contexts::HTTP_ALL)
        .args(1, 1)
        .syntax("NUMBER")
        .about(
            "The first word of the marks of `userid`, for several servers that mark clients. By default the last four \
             bytes of the server's address, with `userid v1` zero.",
        );

/// The end of a cookie's life.
#[derive(Debug, Default, Clone, Copy)]
pub enum Expires {
    /// With the browser.
    #[default]
    Off,
    /// The last day of 2037.
    Max,
    /// Seconds from now.
    In(i64),
}

/// `userid_expires`: how long browsers keep the cookie.
pub static USERID_EXPIRES: Setting<Expires> = Setting::one("userid_expires", |args| match args.str(0)? {
    "max" => Ok(Expires::Max),
    "off" => Ok(Expires::Off),
    _ => Ok(match i64::try_from(args.time_s(0)?).unwrap_or(i64::MAX) {
        0 => Expires::Off,
        seconds => Expires::In(seconds),
    }),
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("TIME | max | off")
.default("off")
.about("How long browsers keep the cookie of `userid`; `max`: to the end of 2037; `off`: until they end.");

/// `userid_mark`: the letter in the place of the cookie's padding; 0: none.
pub static USERID_MARK: Setting<u8> = Setting::one("userid_mark", |args| match args.str(0)? {
    "off" => Ok(0),
    said => match said.as_bytes() {
        [mark @ (b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'=')] => Ok(*mark),
        _ => Err(args.directive("value must be \"off\" or a single letter, digit or \"=\"")),
    },
})
.contexts(Contexts::HTTP_ALL)
.args(1, 1)
.syntax("LETTER | DIGIT | = | off")
.default("off")
.about(
    "A letter in the cookie of `userid` that takes the place of the padding. A client whose cookie has another gets \
     its cookie again, with this letter, this domain and this time to live.",
);

bitflags::bitflags! {
    /// Attributes of the cookie.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct Flags: u8 {
        /// `off`
        const OFF = 1;
        /// `secure`
        const SECURE = 1 << 1;
        /// `httponly`
        const HTTP_ONLY = 1 << 2;
        /// Any of those below: a cookie has one.
        const SAME_SITE = 1 << 3;
        /// `samesite=strict`
        const STRICT = 1 << 4;
        /// `samesite=lax`
        const LAX = 1 << 5;
        /// `samesite=none`
        const NONE = 1 << 6;
    }
}

const FLAGS: &[(&str, Flags)] = &[
    ("off", Flags::OFF),
    ("secure", Flags::SECURE),
    ("httponly", Flags::HTTP_ONLY),
    ("samesite=strict", Flags::SAME_SITE.union(Flags::STRICT)),
    ("samesite=lax", Flags::SAME_SITE.union(Flags::LAX)),
    ("samesite=none", Flags::SAME_SITE.union(Flags::NONE)),
];

/// `userid_flags`: attributes of the cookie.
pub static USERID_FLAGS: Setting<Flags> = Setting::many(&["userid_flags"], |args, flags: &mut Flags| {
    for i in 0..args.len() {
        let flag = args.one_of(i, FLAGS)?;
        if flags.intersects(flag) {
            args.warn(i, format!("duplicate value \"{}\"", args.str(i)?));
        } else {
            *flags |= flag;
        }
    }
    Ok(())
})
.contexts(Contexts::HTTP_ALL)
.args(1, 3)
.syntax("off | secure | httponly | samesite=strict | samesite=lax | samesite=none ...")
.default("off")
.about("Attributes of the cookie of `userid`.");

const fn text(name: &'static str) -> Setting<String> {
    Setting::one(name, |args| args.str(0).map(str::to_owned)).contexts(Contexts::HTTP_ALL).args(1, 1)
}

const fn text_or_none(name: &'static str) -> Setting<String> {
    Setting::one(name, |args| args.str(0).map(|said| if said == "none" { String::new() } else { said.to_owned() }))
        .contexts(Contexts::HTTP_ALL)
        .args(1, 1)
}

/// Whether a scope makes marks that begin with the server's address.
pub(in crate::http) fn uses_address(scope: &Scope) -> bool {
    matches!(scope.get(&USERID), UserId::On { is_v1: false, .. }) && scope.get(&USERID_SERVICE).is_none()
}

/// The mark that the client has sent, if any; the first look finds it (`ngx_http_userid_get_uid`).
fn got(ex: &Exchange, cx: &Cx) -> Uid {
    if let Some(known) = ex.mark.got.get() {
        return known;
    }
    let read = || {
        let (line, letters) = cookie(ex, cx)?;
        if letters.len() < LETTERS {
            error_lines::bad_mark(ex, cx, "too short", line);
            return None;
        }
        let uid = Uid::decode(letters);
        if uid.is_none() {
            error_lines::bad_mark(ex, cx, "invalid", line);
        }
        uid
    };
    let uid = read().unwrap_or_default();
    ex.mark.got.set(Some(uid));
    uid
}

/// The cookie of the client, and the line in which it stands.
fn cookie<'a>(ex: &'a Exchange, cx: &Cx<'a>) -> Option<(&'a [u8], &'a [u8])> {
    variables::cookie(ex, cx, ex.location_of(cx).scope.get(&USERID_NAME).as_bytes())
}

/// The mark that the client gets, if any; the first to ask decides (`ngx_http_userid_create_uid`).
fn given(ex: &Exchange, cx: &Cx, is_v1: bool, reset: &Template) -> Uid {
    let mark = &ex.mark;
    let got = got(ex, cx);
    if mark.set.get().is_some() {
        return mark.set.get();
    }
    if got.is_some() {
        let mut said = Vec::new();
        reset.eval(ex, cx, &mut said);
        if matches!(said[..], [] | [b'0']) {
            if !has_mark(ex, cx) {
                mark.set.set(got);
            }
            return mark.set.get();
        }
        mark.is_new.set(true);
        if said == b"log" {
            let name = ex.location_of(cx).scope.get(&USERID_NAME);
            error_lines::mark_reset(ex, cx, name, got);
        }
    }
    mark.is_new.set(true);
    mark.set.set(Uid::new(form(ex, cx, is_v1), cx.clock.unix_ms()));
    mark.set.get()
}

/// Whether the cookie that has come has the letter of `userid_mark`.
fn has_mark(ex: &Exchange, cx: &Cx) -> bool {
    match *ex.location_of(cx).scope.get(&USERID_MARK) {
        0 => true,
        wanted => cookie(ex, cx)
            .is_some_and(|(_, letters)| letters.len() > LETTERS + 1 && letters[LETTERS..LETTERS + 2] == [wanted, b'=']),
    }
}

fn form(ex: &Exchange, cx: &Cx, is_v1: bool) -> Form {
    let service = *ex.location_of(cx).scope.get(&USERID_SERVICE);
    match (is_v1, service) {
        (true, service) => Form::V1(service.unwrap_or(0)),
        (false, Some(number)) => Form::V2(number.to_be_bytes()),
        (false, None) => {
            let local = cx.conn.local.as_deref().unwrap_or(cx.conf.bound_addr(cx.conn.bound));
            Form::V2(end_of(local))
        }
    }
}

/// The last four bytes of an address.
fn end_of(addr: &Addr) -> [u8; 4] {
    match addr.ip() {
        Some(IpAddr::V4(ip)) => ip.octets(),
        Some(IpAddr::V6(ip)) => {
            let [.., a, b, c, d] = ip.octets();
            [a, b, c, d]
        }
        None => [0; 4],
    }
}

/// Whether clients get no cookie in this scope.
pub(super) fn is_none(scope: &Scope) -> bool {
    !matches!(scope.get(&USERID), UserId::On { .. })
}

/// Header filter: the cookie, and P3P (`ngx_http_userid_set_uid`).
pub(super) fn filter_header(ex: &mut Exchange, cx: &Cx, _: &Fields, out: &mut Vec<u8>, _: usize) {
    let scope = &ex.location_of(cx).scope;
    let UserId::On { is_v1, reset } = scope.get(&USERID) else { return };
    let uid = given(ex, cx, *is_v1, reset);
    if !uid.is_some() {
        return;
    }
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    let mut letters = Vec::new();
    match cookie(ex, cx).filter(|_| !ex.mark.is_new.get()) {
        Some((_, sent)) => letters.extend_from_slice(&sent[..LETTERS]),
        None => uid.encode(&mut letters),
    }
    let mark = Some(*scope.get(&USERID_MARK)).filter(|mark| *mark != 0).unwrap_or(b'=');
    put(&[b"Set-Cookie: ", scope.get(&USERID_NAME).as_bytes(), b"=", &letters, &[mark], b"="]);
    match scope.get(&USERID_EXPIRES) {
        Expires::Off => {}
        Expires::Max => put(&[b"; expires=Thu, 31-Dec-37 23:55:55 GMT"]),
        Expires::In(seconds) => {
            let time = date::format((cx.clock.unix_s() as i64).saturating_add(*seconds));
            put(&[b"; expires=", &cookie_time(&time)]);
        }
    }
    let domain = scope.get(&USERID_DOMAIN);
    if !domain.is_empty() {
        put(&[b"; domain=", domain.as_bytes()]);
    }
    put(&[b"; path=", scope.get(&USERID_PATH).as_bytes()]);
    let flags = *scope.get(&USERID_FLAGS);
    let words = FLAGS.iter().filter(|(_, flag)| *flag != Flags::OFF && flags.contains(*flag));
    words.for_each(|(word, _)| put(&[b"; ", word.as_bytes()]));
    put(&[b"\r\n"]);
    let p3p = scope.get(&USERID_P3P);
    if !p3p.is_empty() {
        put(&[b"P3P: ", p3p.as_bytes(), b"\r\n"]);
    }
}

fn put_named(ex: &Exchange, cx: &Cx, uid: Uid, out: &mut Vec<u8>) -> bool {
    if !uid.is_some() {
        return false;
    }
    out.extend_from_slice(ex.location_of(cx).scope.get(&USERID_NAME).as_bytes());
    out.push(b'=');
    out.extend_from_slice(uid.hex().as_bytes());
    true
}

/// The variables that this file computes.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours("uid_got", "the mark in the client's cookie of `userid`", |ex, cx, out| {
        let is_off = matches!(ex.location_of(cx).scope.get(&USERID), UserId::Off);
        !is_off && put_named(ex, cx, got(ex, cx), out)
    }),
    Embedded::ours("uid_set", "the mark that `userid` gives the client", |ex, cx, out| {
        match ex.location_of(cx).scope.get(&USERID) {
            UserId::On { is_v1, reset } => put_named(ex, cx, given(ex, cx, *is_v1, reset), out),
            _ => false,
        }
    }),
    Embedded::ours("uid_reset", "empty; `set` or `map` may say that a client gets another mark", |_, _, _| false),
];

/// The directives of this module.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[
    &USERID,
    &USERID_NAME,
    &USERID_DOMAIN,
    &USERID_PATH,
    &USERID_EXPIRES,
    &USERID_FLAGS,
    &USERID_MARK,
    &USERID_P3P,
    &USERID_SERVICE,
];

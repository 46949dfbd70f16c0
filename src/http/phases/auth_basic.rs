//! `auth_basic`: names and passwords, as in nginx's `ngx_http_auth_basic_module.c`.
//!
//! The file is read for each request, so that a change of it holds at once. A hash that is slow to compare is given to
//! the driver, which lets other clients go on meanwhile (`Flow::Check`).

use super::satisfy;
use crate::conf::{self, Contexts, Setting};
use crate::http::exchange::{Answer, Check, Credentials, Cx, Exchange, Flow, Lookup, error_lines};
use crate::http::message::{htpasswd, password};
use crate::http::site::location::Location;
use crate::http::site::template::Template;

const PLACES: Contexts = Contexts::HTTP_ALL.union(Contexts::LIMIT_EXCEPT);

/// `auth_basic`: the realm that a client needs a password for.
pub static AUTH_BASIC: Setting<Option<Template>> =
    Setting::one("auth_basic", |args| Template::parse(args, 0).map(Some))
        .contexts(PLACES)
        .args(1, 1)
        .syntax("REALM | off")
        .default("off")
        .about(
            "Asks clients for a name and a password of `auth_basic_user_file`, with HTTP's Basic authentication. The \
             realm, a text with variables, is what browsers show.",
        );

/// The name of a file, a text with variables.
#[derive(Debug)]
pub struct UserFile {
    name: Template,
    /// The directory of the conf, in front of a name whose variables give no absolute one.
    dir: Vec<u8>,
}

impl UserFile {
    fn parse(args: &mut conf::Args) -> Result<UserFile, conf::Error> {
        let dir = args.conf_dir().as_bytes().to_owned();
        let name = match args.str(0)? {
            text if text.starts_with('$') => Template::parse(args, 0)?,
            _ => {
                let path = args.conf_path(0)?;
                Template::parse_text(args, 0, &path)?
            }
        };
        Ok(UserFile { name, dir })
    }

    /// The path, when it holds no variable.
    pub(in crate::http) fn literal(&self) -> Option<&str> {
        std::str::from_utf8(self.name.as_text()?).ok()
    }

    /// The path, or what of it lies before the first variable.
    pub(in crate::http) fn fixed_path(&self) -> &[u8] {
        self.name.fixed_path()
    }

    /// Puts the path into `out`, in the place of what it holds (`ngx_http_script_full_name_code`).
    fn path(&self, ex: &Exchange, cx: &Cx, out: &mut Vec<u8>) {
        out.clear();
        self.name.eval(ex, cx, out);
        if out.first() != Some(&b'/') {
            out.splice(0..0, self.dir.iter().copied().chain(std::iter::once(b'/')));
        }
    }
}

/// `auth_basic_user_file`: the file of names and hashes.
pub static AUTH_BASIC_USER_FILE: Setting<Option<UserFile>> = Setting::one("auth_basic_user_file", |args| {
    UserFile::parse(args).map(Some)
})
.contexts(PLACES)
.args(1, 1)
.syntax("FILE")
.about(
    "The file of those who may enter, a line each: `NAME:HASH`, and whatever follows another colon is a comment, as is \
     a line that begins with `#`. Hashes: those of crypt(3) (`$2y$`, `$6$`, `$5$`, `$1$`, DES), Apache's `$apr1$`, \
     `{SSHA}`, `{SHA}`, `{PLAIN}`. A relative path starts at the directory of the configuration file. It is a text \
     with variables, and the file is read anew for each request.",
);

/// Whether the location may ask for a password.
pub(super) fn is_needed(location: &Location) -> bool {
    location.scope.get(&AUTH_BASIC).is_some() && location.scope.get(&AUTH_BASIC_USER_FILE).is_some()
}

/// Phase: looks for the credentials of the request in the file.
pub(super) fn begin(ex: &mut Exchange, cx: &Cx) -> Flow {
    // nginx: ngx_http_core_access_phase.
    if ex.is_aside() {
        return Flow::Next;
    }
    let scope = &ex.location_of(cx).scope;
    let (Some(realm), Some(file)) = (scope.get(&AUTH_BASIC), scope.get(&AUTH_BASIC_USER_FILE)) else {
        return Flow::Next;
    };
    if let Some(refused) = satisfy::take_delayed(ex) {
        return refused;
    }
    let mut text = Vec::new();
    realm.eval(ex, cx, &mut text);
    if ex.access.is_open || text == b"off" {
        return Flow::Next;
    }
    if Credentials::of(ex, cx).is_none() {
        error_lines::no_credentials(ex, cx);
        return challenge(ex, cx);
    }
    let mut path = std::mem::take(&mut ex.target.path);
    file.path(ex, cx, &mut path);
    ex.target.path = path;
    Lookup::contents()
}

/// The file has been read: compares the hash of the user's line.
pub(super) fn read(ex: &mut Exchange, cx: &Cx, _: usize, result: Result<Vec<u8>, i32>) -> Flow {
    let Some(credentials) = Credentials::of(ex, cx) else { return challenge(ex, cx) };
    let file = match result {
        Ok(file) => file,
        Err(errno) => {
            error_lines::user_file_failed(ex, cx, errno);
            return match errno {
                libc::ENOENT => satisfy::refuse(ex, cx, 403),
                _ => Flow::Answer(Answer::Error(500)),
            };
        }
    };
    let Some(hash) = htpasswd::find(&file, credentials.user()) else {
        error_lines::user_not_found(ex, cx, credentials.user());
        return challenge(ex, cx);
    };
    let check = Check { password: credentials.password().to_vec(), hash: hash.to_vec() };
    if password::is_slow(hash) {
        return Flow::Check(check);
    }
    let fits = check.run();
    checked(ex, cx, fits)
}

/// The password has been compared.
pub(super) fn checked(ex: &mut Exchange, cx: &Cx, fits: bool) -> Flow {
    if fits {
        return satisfy::allow(ex, cx);
    }
    let credentials = Credentials::of(ex, cx);
    error_lines::wrong_password(ex, cx, credentials.as_ref().map_or(b"", Credentials::user));
    challenge(ex, cx)
}

/// A 401 that names the realm.
fn challenge(ex: &mut Exchange, cx: &Cx) -> Flow {
    let mut value = b"Basic realm=\"".to_vec();
    if let Some(realm) = ex.location_of(cx).scope.get(&AUTH_BASIC) {
        realm.eval(ex, cx, &mut value);
    }
    value.push(b'"');
    ex.access.challenges.push(value);
    satisfy::refuse(ex, cx, 401)
}

/// The directives of this module: `auth_basic` and `auth_basic_user_file`.
pub static DIRECTIVES: &[&dyn conf::Entry] = &[&AUTH_BASIC, &AUTH_BASIC_USER_FILE];

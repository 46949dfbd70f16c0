//! Files beside the certificates: passwords of keys, OCSP responses.

use super::certificate::Remark;
use super::key::Passwords;
use super::ocsp::{self, Response};
use super::server_config::Stapled;
use super::settings;
use super::x509::{Certificate, date_text};
use crate::conf::{self, Scope, Span};
use crate::os::{ErrnoText, Failure};
use std::fs;
use std::path::Path;
use zeroize::Zeroizing;

/// The longest line of a file of passwords (NGX_SSL_PASSWORD_BUFFER_SIZE).
const LONGEST: usize = 4096;

/// The passwords of a server's keys (`ngx_ssl_read_password_file`).
pub(super) fn passwords(scope: &Scope) -> Result<Passwords, conf::Error> {
    let Some(named) = scope.get(&settings::PASSWORD_FILE) else { return Ok(Vec::new()) };
    let text = fs::read(&named.path).map(Zeroizing::new);
    let text =
        text.map_err(|e| conf::Error::failed(named.span, Failure::on_path("open", Path::new(&named.path), e)))?;
    let mut passwords = Passwords::new();
    for line in text.split(|byte| *byte == b'\n') {
        if line.len() >= LONGEST {
            return Err(conf::Error::at(named.span, format!("too long line in \"{}\"", named.path)));
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            passwords.push(Zeroizing::new(line.to_vec()));
        }
    }
    if passwords.is_empty() {
        // nginx tries the empty password.
        passwords.push(Zeroizing::new(Vec::new()));
    }
    Ok(passwords)
}

/// Adds the response of `ssl_stapling_file` to the certificate that it is about.
pub(super) fn staple(
    scope: &Scope,
    pairs: &mut [Stapled],
    now: i64,
    remarks: &mut Vec<(Span, Remark)>,
) -> Result<(), conf::Error> {
    if !*scope.get(&settings::STAPLING) {
        return Ok(());
    }
    let Some(named) = scope.get(&settings::STAPLING_FILE) else {
        let span = scope.span_of(&settings::STAPLING).unwrap_or(Span::NOWHERE);
        let text = "\"ssl_stapling\" has no effect without \"ssl_stapling_file\": no responder is asked";
        remarks.push((span, Remark::Notice(text.to_owned())));
        return Ok(());
    };
    let bytes = fs::read(&named.path).map_err(|error| {
        conf::Error::at(named.span, format!("BIO_new_file(\"{}\") failed ({})", named.path, ErrnoText(&error)))
    })?;
    let bad = |why: &str| {
        let why = if bytes.is_empty() { String::new() } else { format!(" ({why})") };
        let what = format!("d2i_OCSP_RESPONSE_bio(\"{}\") failed{why}", named.path);
        conf::Error::at(named.span, what).help("a file as \"openssl ocsp -respout FILE\" writes it is wanted")
    };
    let response = Response::read(&bytes).map_err(bad)?;
    let mut warn = |text: String| remarks.push((named.span, Remark::Warning(text)));
    let path = &named.path;
    for pair in pairs {
        let Some(read) = pair.plain.cert.first().and_then(|der| Certificate::read(der)) else { continue };
        let Some(status) = response.about(read.serial) else { continue };
        match status.state {
            ocsp::State::Good if status.until.is_some_and(|until| until <= now) => {
                let until = status.until.map(date_text).unwrap_or_default();
                warn(format!("the OCSP response \"{path}\" was valid until {until}, and is not sent"));
            }
            ocsp::State::Good if status.from > now => {
                warn(format!(
                    "the OCSP response \"{path}\" is valid from {} on, and is not sent",
                    date_text(status.from)
                ));
            }
            ocsp::State::Good => pair.staple(&bytes, status.until.unwrap_or(i64::MAX)),
            ocsp::State::Revoked => {
                warn(format!("the OCSP response \"{path}\" says that the certificate is revoked, and is not sent"));
            }
            ocsp::State::Unknown => {
                warn(format!("the OCSP response \"{path}\" does not know the certificate, and is not sent"));
            }
        }
        return Ok(());
    }
    warn(format!("the OCSP response \"{path}\" is about another certificate, and is not sent"));
    Ok(())
}

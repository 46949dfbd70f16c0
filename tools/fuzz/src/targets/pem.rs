//! Certificates, keys and what stands beside them.

use drover::conf;
use drover::http::HttpConf;
use drover::tls::Endpoints;
use std::path::Path;

/// A certificate of `CN=fuzz` and its key.
const PAIR: &str = include_str!("../../pair.pem");

/// The first byte of the input says which directive names a file with the rest. A file is accepted, or refused with an
/// error that has a text and shows no part of a key.
pub(super) fn pem() -> impl FnMut(&[u8]) {
    let registry = drover::cli::registry();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let place = |name: &str| dir.path().join(name);
    std::fs::write(place("pair"), PAIR).expect("a file");
    std::fs::write(place("passwords"), "secret\n").expect("a file");
    move |input| {
        let Some((kind, text)) = input.split_first() else { return };
        std::fs::write(dir.path().join("file"), text).expect("a file");
        let directives = directives(*kind, text, dir.path());
        let text = format!("events {{ }} http {{ server {{ listen 80 ssl; {directives} }} }}");
        let options = conf::Options { prefix: "/nowhere".to_owned(), ..conf::Options::default() };
        let Ok((conf, mut mistakes)) = conf::read(&registry, conf::Input::text("fuzz", &text), &options) else {
            return;
        };
        let site = HttpConf::compile(&conf, &mut mistakes);
        let mut endpoints = Endpoints::build(&site, &mut mistakes);
        let (warnings, notices) = endpoints.take_remarks();
        let mut said: Vec<String> = warnings.iter().chain(&notices).map(|remark| remark.message().to_owned()).collect();
        said.extend(conf.judge(mistakes).err().map(|error| error.to_string()));
        assert!(said.iter().all(|text| !text.is_empty()));
        check_secret(input, &said);
    }
}

fn directives(kind: u8, text: &[u8], dir: &Path) -> String {
    let dir = dir.display();
    let pair = format!("ssl_certificate {dir}/pair; ssl_certificate_key {dir}/pair;");
    let file = format!("{dir}/file");
    match kind {
        b'p' => format!("ssl_certificate {file}; ssl_certificate_key {file};"),
        b'd' => {
            let text = String::from_utf8_lossy(text).replace('\\', r"\\").replace('"', "\\\"").replace('$', "");
            format!("ssl_certificate \"data:{text}\"; ssl_certificate_key \"data:{text}\";")
        }
        b'k' => format!("ssl_certificate {dir}/pair; ssl_certificate_key {file}; ssl_password_file {dir}/passwords;"),
        b'c' => format!("{pair} ssl_client_certificate {file}; ssl_verify_client on;"),
        b'r' => format!("{pair} ssl_client_certificate {dir}/pair; ssl_verify_client on; ssl_crl {file};"),
        b's' => format!("{pair} ssl_stapling on; ssl_stapling_file {file};"),
        b'h' => format!("{pair} ssl_dhparam {file};"),
        b't' => format!("{pair} ssl_session_ticket_key {file};"),
        _ => format!("ssl_certificate {dir}/pair; ssl_certificate_key {file};"),
    }
}

/// No line of the key is in what is said: the error log is no place for one. A line counts where all of the key before
/// it is whole, and where mutation has copied it nowhere else, as into the certificate.
fn check_secret(input: &[u8], said: &[String]) {
    let text = String::from_utf8_lossy(input);
    let key = &PAIR[PAIR.find("-----BEGIN PRIVATE KEY").unwrap_or(PAIR.len())..];
    let mut end = 0;
    for line in key.lines() {
        end += line.len() + 1;
        let is_secret = !line.contains("-----") && text.contains(&key[..end - 1]) && text.matches(line).count() == 1;
        assert!(!is_secret || !said.iter().any(|said| said.contains(line)), "{said:?}");
    }
}

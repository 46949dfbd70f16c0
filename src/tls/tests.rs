//! Certificates and keys from files, by the directives that name them.

use super::Endpoints;
use crate::conf::{self, Conf, Mistakes, Problems, Registry};
use crate::http::exchange::HttpConf;
use rcgen::{CertificateParams, KeyPair};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A directory with certificates and keys.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Makes `NAME.pem` and `NAME.key`, valid from 2026 until the end of a year.
    fn pair(&self, name: &str, last_year: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([format!("{name}.example")]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 12, 31);
        self.write(&format!("{name}.pem"), params.self_signed(&key).unwrap().pem());
        self.write(&format!("{name}.key"), key.serialize_pem());
    }

    fn openssl(&self, args: &str) {
        let made = Command::new("openssl").args(args.split(' ')).current_dir(self.path()).output().unwrap();
        assert!(made.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&made.stderr));
    }

    fn conf(&self, directives: &str) -> Result<Conf, conf::Error> {
        let lists = [crate::http::DIRECTIVES, super::DIRECTIVES].concat();
        let dir = self.path().display().to_string();
        conf::parse(&Registry::new(&lists), &format!("http {{ server {{ {} }} }}", directives.replace("%", &dir)))
    }

    fn build(&self, directives: &str) -> Result<Endpoints, conf::Error> {
        let conf = self.conf(directives)?;
        let site = HttpConf::new(&conf)?;
        let mut mistakes = Mistakes::default();
        let endpoints = Endpoints::build(&site, &mut mistakes);
        conf.judge(mistakes).map(|()| endpoints).map_err(Problems::into_first)
    }

    /// The sentence and the help for directives that can't be used.
    fn complaint(&self, directives: &str) -> (String, String) {
        let error = self.build(directives).err().unwrap_or_else(|| panic!("no error: {directives}"));
        let message = error.message().replace(&self.path().display().to_string(), "%");
        (message, error.help_text().unwrap_or_default().to_owned())
    }

    fn assert_complaint(&self, directives: &str, sentence: &str, help: &str) {
        let (said, advice) = self.complaint(directives);
        assert_eq!(said, sentence, "{directives}");
        assert!(advice.contains(help), "{directives}: {advice}");
    }

    fn remarks(&self, directives: &str) -> Vec<String> {
        let (warnings, notices) = self.build(directives).unwrap().take_remarks();
        let dir = self.path().display().to_string();
        warnings.iter().chain(&notices).map(|error| error.message().replace(&dir, "%")).collect()
    }
}

const A: &str = "ssl_certificate %/a.pem; ssl_certificate_key %/a.key;";

#[test]
fn a_pair_makes_an_endpoint_and_no_pair_makes_none() {
    let files = Files::new();
    files.pair("a", 2050);
    let endpoints = files.build(A).unwrap();
    assert!(endpoints.of_server(0).unwrap().config(None, false).is_ok());
    assert!(!endpoints.is_empty() && endpoints.of_server(1).is_none());
    assert!(files.build("ssl_certificate_key %/none;").unwrap().is_empty());
    assert!(files.build("ssl_reject_handshake on;").unwrap().of_server(0).unwrap().config(None, false).is_err());
    let data = |name: &str| fs::read_to_string(files.path().join(name)).unwrap();
    let inline = format!("ssl_certificate \"data:{}\"; ssl_certificate_key \"data:{}\";", data("a.pem"), data("a.key"));
    assert!(!files.build(&inline).unwrap().is_empty());
    let wrong = inline.replace("BEGIN PRIVATE KEY", "BEGIN PRIVATE CAT");
    let (sentence, _) = files.complaint(&wrong);
    assert!(sentence.starts_with("cannot load certificate key \"data:...\": PEM_read_bio_PrivateKey() failed"));
}

#[test]
fn files_that_cannot_be_used_are_called_what_nginx_calls_them_with_advice() {
    let files = Files::new();
    files.pair("a", 2050);
    files.pair("b", 2050);
    let read = |name: &str| fs::read_to_string(files.path().join(name)).unwrap();
    files.write("empty", "");
    files.write("utf16", [b"\xff\xfe".as_slice(), read("a.pem").as_bytes()].concat());
    files.write("cut.pem", &read("a.pem")[..200]);
    files.write("damaged.pem", read("a.pem").replace("MII", "M(I"));
    files.write("glued.pem", format!("{}{}", read("a.pem").trim_end(), read("b.pem")));
    files.write("swapped.pem", read("b.pem") + &read("a.pem"));
    files.openssl("x509 -in a.pem -outform DER -out a.der");
    files.openssl("pkey -in a.key -outform DER -out a.key.der");
    files.openssl("pkey -in a.key -pubout -out a.pub");
    let certificate = |name: &str| format!("ssl_certificate %/{name}; ssl_certificate_key %/a.key;");
    let key = |name: &str| format!("ssl_certificate %/a.pem; ssl_certificate_key %/{name};");
    let no_certificate = "PEM_read_bio_X509_AUX() failed (no start line, expecting: CERTIFICATE)";
    for (name, help) in [
        ("empty", "is empty"),
        ("utf16", "UTF-16"),
        ("a.key", "swapped"),
        ("a.der", "openssl x509 -inform DER"),
        ("a.pub", "no CERTIFICATE is in it, but: PUBLIC KEY"),
    ] {
        files.assert_complaint(
            &certificate(name),
            &format!("cannot load certificate \"%/{name}\": {no_certificate}"),
            help,
        );
    }
    for (name, why, help) in [
        ("cut.pem", "bad end line", "cut off"),
        ("glued.pem", "bad end line", "last line feed"),
        ("damaged.pem", "bad base64 decode", "damaged"),
    ] {
        let sentence = format!("cannot load certificate \"%/{name}\": PEM_read_bio_X509_AUX() failed ({why})");
        files.assert_complaint(&certificate(name), &sentence, help);
    }
    let no_key = "PEM_read_bio_PrivateKey() failed (no start line, expecting: ANY PRIVATE KEY)";
    for (name, help) in [
        ("empty", "is empty"),
        ("a.pem", "swapped"),
        ("a.key.der", "openssl pkey -inform DER"),
        ("a.pub", "the private one is wanted"),
    ] {
        files.assert_complaint(&key(name), &format!("cannot load certificate key \"%/{name}\": {no_key}"), help);
    }
    let gone = "BIO_new_file() failed (2: No such file or directory)";
    files.assert_complaint(&certificate("no"), &format!("cannot load certificate \"%/no\": {gone}"), "no such file");
    files.assert_complaint(&key("no"), &format!("cannot load certificate key \"%/no\": {gone}"), "no such file");
    let mismatch = |name: &str| format!("SSL_CTX_use_PrivateKey(\"%/{name}\") failed (key values mismatch)");
    files.assert_complaint(&key("b.key"), &mismatch("b.key"), "does not belong");
    files.assert_complaint(&certificate("swapped.pem"), &mismatch("a.key"), "is that of certificate 2");
    let missing = "no \"ssl_certificate_key\" is defined for certificate \"%/b.pem\"";
    files.assert_complaint(&format!("ssl_certificate %/b.pem; {A} ssl_certificate %/b.pem;"), missing, "each");
}

#[test]
fn what_openssl_reads_is_read() {
    let files = Files::new();
    files.pair("a", 2050);
    files.pair("b", 2050);
    let read = |name: &str| fs::read_to_string(files.path().join(name)).unwrap();
    files.write("bom.pem", format!("\u{feff}{}", read("a.pem")));
    files.write("both.pem", read("a.key") + &read("a.pem") + &read("b.pem"));
    files.write("old.pem", read("a.pem").replace("CERTIFICATE", "X509 CERTIFICATE").replace('\n', "\r\n"));
    files.openssl("x509 -in a.pem -trustout -addtrust serverAuth -out trusted.pem");
    for name in ["bom.pem", "both.pem", "old.pem", "trusted.pem"] {
        let built = files.build(&format!("ssl_certificate %/{name}; ssl_certificate_key %/a.key;"));
        assert!(built.is_ok(), "{name}: {built:?}");
    }
    assert!(files.build("ssl_certificate %/both.pem; ssl_certificate_key %/both.pem;").is_ok());
}

#[test]
fn keys_of_every_kind_and_encryption_are_read() {
    let files = Files::new();
    files.write("passwords", "wrong\r\n\nsecret\n");
    files.openssl("genrsa -out rsa.key 2048");
    files.openssl("rsa -in rsa.key -traditional -out rsa1.key");
    files.openssl("ecparam -name prime256v1 -genkey -out ec.key");
    files.openssl("ecparam -name secp521r1 -genkey -noout -out p521.key");
    files.openssl("genpkey -algorithm ed25519 -out ed.key");
    for cipher in ["aes128", "aes192", "aes256", "des3"] {
        files.openssl(&format!("rsa -in rsa.key -traditional -{cipher} -passout pass:secret -out old-{cipher}.key"));
        files.openssl(&format!("pkcs8 -topk8 -in ec.key -v2 {cipher} -passout pass:secret -out new-{cipher}.key"));
    }
    files.openssl("pkcs8 -topk8 -in ec.key -v2 aes256 -v2prf hmacWithSHA512 -passout pass:secret -out prf.key");
    files.openssl("pkcs8 -topk8 -in ec.key -scrypt -passout pass:secret -out scrypt.key");
    let mut names: Vec<String> = fs::read_dir(files.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".key"))
        .collect();
    names.sort();
    for name in &names {
        files.openssl(&format!("req -x509 -key {name} -passin pass:secret -subj /CN=a -days 900 -out {name}.pem"));
        let pair = format!("ssl_certificate %/{name}.pem; ssl_certificate_key %/{name};");
        let with = files.build(&format!("{pair} ssl_password_file %/passwords;"));
        if name == "scrypt.key" {
            assert!(with.unwrap_err().help_text().unwrap().contains("scrypt"));
            continue;
        }
        assert!(with.is_ok(), "{name}: {with:?}");
        let is_encrypted = name.starts_with("old-") || name.starts_with("new-") || name == "prf.key";
        match files.build(&pair) {
            Ok(_) => assert!(!is_encrypted, "{name}"),
            Err(error) => assert!(error.help_text().unwrap().contains("ssl_password_file"), "{name}: {error}"),
        }
        if is_encrypted {
            files.write("other", "wrong\n");
            let (sentence, help) = files.complaint(&format!("{pair} ssl_password_file %/other;"));
            assert!(sentence.ends_with("failed (bad decrypt)") && help.contains("no password"), "{sentence}: {help}");
        }
    }
    assert_eq!(names.len(), 15);
}

#[test]
fn the_end_of_a_certificate_is_told() {
    let files = Files::new();
    files.pair("a", 2050);
    files.pair("b", 2025);
    let [notice] = &files.remarks(&format!("{A} }} server {{ {A}"))[..] else { panic!("{:?}", files.remarks(A)) };
    assert!(notice.starts_with("certificate \"%/a.pem\" of a.example is valid until 2050-12-31"), "{notice}");
    assert_eq!(
        files.remarks("ssl_certificate %/b.pem; ssl_certificate_key %/b.key;"),
        ["certificate \"%/b.pem\" of b.example has expired on 2025-12-31: clients will refuse it"]
    );
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["a", "b", "c", "d", "e"].map(str::to_owned)).unwrap();
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    let now = std::time::SystemTime::now();
    params.not_after = (now + std::time::Duration::from_secs(13 * 86400 + 7200)).into();
    files.write("c.pem", params.self_signed(&key).unwrap().pem());
    files.write("c.key", key.serialize_pem());
    let [warning] = &files.remarks("ssl_certificate %/c.pem; ssl_certificate_key %/c.key;")[..] else { panic!() };
    assert!(warning.starts_with("certificate \"%/c.pem\" of a, b, c and 2 more expires on "), "{warning}");
    assert!(warning.ends_with(", in 13 days"), "{warning}");
}

/// An authority that issues certificates to clients.
struct Authority {
    issuer: rcgen::CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let issuer = rcgen::CertifiedIssuer::self_signed(ca(name), KeyPair::generate().unwrap()).unwrap();
        Authority { issuer }
    }

    fn intermediate(&self, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        Authority { issuer: rcgen::CertifiedIssuer::signed_by(ca(name), key, &self.issuer).unwrap() }
    }

    fn issue(&self, change: impl Fn(&mut CertificateParams)) -> rcgen::Certificate {
        let mut params = named("client");
        params.serial_number = Some(rcgen::SerialNumber::from(7_u64));
        change(&mut params);
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap()
    }

    fn crl(&self, serial: u64, last_year: i32) -> String {
        let params = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2025, 1, 1),
            next_update: rcgen::date_time_ymd(last_year, 1, 1),
            crl_number: rcgen::SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: vec![rcgen::RevokedCertParams {
                serial_number: rcgen::SerialNumber::from(serial),
                revocation_time: rcgen::date_time_ymd(2025, 1, 2),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params
}

fn ca(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    params
}

#[test]
fn clients_certificates_are_checked_in_openssl_s_words() {
    use crate::http::exchange::secure::Checked;
    const NOW: u64 = 1_795_894_711;
    let files = Files::new();
    files.pair("a", 2050);
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let (first, second) = (root.intermediate("first"), root.intermediate("first").intermediate("second"));
    files.write("ca.pem", root.issuer.pem());
    files.write("crl.pem", root.crl(9, 2050));
    files.write("old-crl.pem", root.crl(9, 2026));
    let verdict = |directives: &str, chain: &[&rcgen::Certificate]| {
        let endpoints = files.build(&format!("{A} ssl_client_certificate %/ca.pem; {directives}")).unwrap();
        let chain: Vec<_> = chain.iter().map(|certificate| certificate.der().clone()).collect();
        match endpoints.of_server(0).unwrap().check_client(&chain, NOW) {
            Checked::None => "none".to_owned(),
            Checked::Success => "ok".to_owned(),
            Checked::Failed { number, reason } => format!("{number} {reason}"),
        }
    };
    let on = "ssl_verify_client on;";
    let good = root.issue(|_| {});
    assert_eq!(verdict(on, &[]), "none");
    assert_eq!(verdict(on, &[&good]), "ok");
    assert_eq!(verdict(on, &[&other.issue(|_| {})]), "21 unable to verify the first certificate");
    assert_eq!(verdict(on, &[other.issuer.as_ref()]), "18 self-signed certificate");
    let theirs = other.issue(|_| {});
    assert_eq!(verdict(on, &[&theirs, other.issuer.as_ref()]), "19 self-signed certificate in certificate chain");
    let of_first = first.issue(|_| {});
    assert_eq!(verdict(on, &[&of_first, first.issuer.as_ref()]), "ok");
    assert_eq!(
        verdict("ssl_verify_client on; ssl_verify_depth 0;", &[&of_first, first.issuer.as_ref()]),
        "20 unable to get local issuer certificate"
    );
    files.write("both.pem", root.issuer.pem() + &first.issuer.pem());
    let both = "ssl_verify_client on; ssl_verify_depth 0; ssl_trusted_certificate %/both.pem;";
    assert_eq!(verdict(both, &[&of_first]), "2 unable to get issuer certificate");
    let below = first.intermediate("below");
    let long = [&below.issue(|_| {}), below.issuer.as_ref(), first.issuer.as_ref()];
    assert_eq!(verdict("ssl_verify_client on; ssl_verify_depth 2;", &long), "ok");
    assert_eq!(verdict(on, &long), "20 unable to get local issuer certificate");
    assert_eq!(
        verdict(on, &[&second.issue(|_| {}), second.issuer.as_ref()]),
        "20 unable to get local issuer certificate"
    );
    let year = |params: &mut CertificateParams, from: i32, to: i32| {
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(to, 1, 1));
    };
    assert_eq!(verdict(on, &[&root.issue(|params| year(params, 2020, 2021))]), "10 certificate has expired");
    assert_eq!(verdict(on, &[&root.issue(|params| year(params, 2040, 2041))]), "9 certificate is not yet valid");
    let for_servers = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    };
    assert_eq!(verdict(on, &[&root.issue(for_servers)]), "26 unsuitable certificate purpose");
    let theirs = other.issue(for_servers);
    assert_eq!(verdict(on, &[&theirs]), "21 unable to verify the first certificate");
    assert_eq!(verdict(on, &[&theirs, root.issuer.as_ref()]), "21 unable to verify the first certificate");
    assert_eq!(verdict(on, &[&theirs, other.issuer.as_ref()]), "26 unsuitable certificate purpose");
    assert_eq!(verdict(on, &[second.issuer.as_ref()]), "21 unable to verify the first certificate");
    let expired = other.issue(|params| year(params, 2020, 2021));
    assert_eq!(verdict(on, &[&expired]), "10 certificate has expired");
    let revoked = root.issue(|params| params.serial_number = Some(rcgen::SerialNumber::from(9_u64)));
    let with_crl = "ssl_verify_client on; ssl_crl %/crl.pem;";
    assert_eq!(verdict(on, &[&revoked]), "ok");
    assert_eq!(verdict(with_crl, &[&revoked]), "23 certificate revoked");
    assert_eq!(verdict(with_crl, &[&good]), "ok");
    assert_eq!(verdict(with_crl, &[&of_first, first.issuer.as_ref()]), "3 unable to get certificate CRL");
    assert_eq!(verdict("ssl_verify_client on; ssl_crl %/old-crl.pem;", &[&good]), "12 CRL has expired");
    let endpoints = files.build(&format!("{A} ssl_verify_client optional_no_ca;")).unwrap();
    let words = endpoints.of_server(0).unwrap().client_certificate(good.der());
    assert_eq!(
        (words.subject.as_str(), words.legacy_issuer.as_str(), words.serial.as_str()),
        ("CN=client", "/CN=root", "07")
    );
    assert_eq!(words.pem, good.pem().replace("\r\n", "\n"));
    assert_eq!(words.fingerprint.len(), 40);
}

#[test]
fn an_ocsp_response_is_sent_while_it_is_valid_and_about_the_certificate() {
    let files = Files::new();
    files.pair("a", 2050);
    files.pair("b", 2050);
    files.openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -keyout ca.key -out ca.pem -days 90");
    let respond = |serial: &str, state: &str, out: &str| {
        files.write(
            "index",
            format!(
                "{state}\t500101000000Z\t{}\t{serial}\tunknown\t/CN=x\n",
                match state {
                    "R" => "250101000000Z",
                    _ => "",
                }
            ),
        );
        let request = format!("ocsp -issuer ca.pem -serial 0x{serial} -reqout request.der");
        files.openssl(&request);
        files.openssl(&format!(
            "ocsp -index index -CA ca.pem -rsigner ca.pem -rkey ca.key -reqin request.der -ndays 7 -respout {out}"
        ));
    };
    let mut read = Command::new("openssl");
    read.args(["x509", "-noout", "-serial", "-in"]).arg(files.path().join("a.pem"));
    let serial = String::from_utf8(read.output().unwrap().stdout).unwrap();
    let serial = serial.trim().trim_start_matches("serial=");
    respond(serial, "V", "good.der");
    respond(serial, "R", "revoked.der");
    respond("77", "V", "other.der");
    let remarks = |file: &str| {
        let all = files.remarks(&format!("{A} ssl_stapling on; ssl_stapling_file %/{file};"));
        all.into_iter().filter(|remark| !remark.starts_with("certificate ")).collect::<Vec<_>>()
    };
    assert_eq!(remarks("good.der"), Vec::<String>::new());
    assert_eq!(
        remarks("revoked.der"),
        ["the OCSP response \"%/revoked.der\" says that the certificate is revoked, and is not sent"]
    );
    assert_eq!(
        remarks("other.der"),
        ["the OCSP response \"%/other.der\" is about another certificate, and is not sent"]
    );
    let bad = format!("{A} ssl_stapling on; ssl_stapling_file %/a.pem;");
    files.assert_complaint(&bad, "d2i_OCSP_RESPONSE_bio(\"%/a.pem\") failed (wrong tag)", "respout");
    let response = fs::read(files.path().join("good.der")).unwrap();
    let status = super::ocsp::Response::read(&response).unwrap();
    for end in 0..response.len() {
        let _ = super::ocsp::Response::read(&response[..end]).err();
    }
    assert!(status.about(&[0x77]).is_none());
}

#[test]
fn files_are_watched_where_the_conf_says_so() {
    let files = Files::new();
    files.pair("a", 2050);
    let watched = |directives: &str| files.build(&format!("{A} }} certificate_watch {directives}; server {{")).unwrap();
    assert!(watched("off").watch().is_empty());
    let endpoints = watched("on");
    let watch = endpoints.watch();
    assert_eq!(watch.look(), *watch.as_read());
    files.pair("a", 2051);
    assert_ne!(watch.look(), *watch.as_read());
    let again = |endpoints: &Endpoints| {
        let mut mistakes = Mistakes::default();
        (endpoints.again(&mut mistakes), mistakes.is_empty())
    };
    let (again_read, is_whole) = again(&endpoints);
    assert!(is_whole);
    assert_eq!(again_read.watch().look(), *again_read.watch().as_read());
    fs::remove_file(files.path().join("a.key")).unwrap();
    assert!(!again(&again_read).1);
}

#[test]
fn no_valid_certificate_is_replaced_by_one_that_clients_refuse() {
    let files = Files::new();
    let pairs = [("a", 2050), ("b", 2051), ("old", 2001), ("older", 2000)];
    pairs.into_iter().for_each(|(name, last_year)| files.pair(name, last_year));
    let pair = |name: &str| format!("ssl_certificate %/{name}.pem; ssl_certificate_key %/{name}.key;");
    let server = |name: &str, pairs: &[&str]| {
        let all: String = pairs.iter().map(|name| pair(name)).collect();
        format!("server_name {name}; {all} }} server {{ ")
    };
    let refused = |old: &str, new: &str| {
        let mut mistakes = Mistakes::default();
        files.build(new).unwrap().check_renewal(&files.build(old).unwrap(), &mut mistakes);
        !mistakes.is_empty()
    };
    let of = |pairs: &[&str]| server("x", pairs);
    assert!(refused(&of(&["a"]), &of(&["old"])));
    assert!(refused(&of(&["a", "b"]), &of(&["a", "old"])), "one of two");
    assert!(refused(&(of(&["a"]) + &server("y", &["old"])), &of(&["old"])), "it is in use at another name");
    for (old, new, why) in [
        (of(&["a"]), of(&["b"]), "both are valid"),
        (of(&["old"]), of(&["old"]), "it is in use"),
        (of(&["old"]), of(&["older"]), "that in use has run out as well"),
        (of(&["a"]), of(&["a", "old"]), "it takes no place"),
        (of(&["a", "old"]), of(&["b", "old"]), "it is in use, and the other is renewed"),
        (of(&["a"]), of(&["b"]) + &server("y", &["old"]), "the server is new"),
        (String::new(), of(&["old"]), "there was no TLS"),
    ] {
        assert!(!refused(&old, &new), "{why}");
    }
}

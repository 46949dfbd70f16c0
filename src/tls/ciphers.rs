//! `ssl_ciphers`: OpenSSL's language of cipher lists (openssl-ciphers(1)), over the suites that rustls has.

use super::provider::suite;
use rustls::{ProtocolVersion, SupportedCipherSuite};

/// The suites that a list leaves, and the names in it that can't be had.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The suites of TLSv1.3, which the list says nothing of, and then those of TLSv1.2 in the list's order.
    pub(super) suites: Vec<SupportedCipherSuite>,
    /// Suites that OpenSSL has, and that the list names.
    pub(super) missing: Vec<String>,
}

/// OpenSSL's name of a suite, the suite, and the words of the language that mean it among others, but for `ALL` and the
/// like.
type Known = (&'static str, SupportedCipherSuite, &'static [&'static str]);

/// Words that mean every suite here.
const ALWAYS: &[&str] = &[
    "ALL",
    "COMPLEMENTOFDEFAULT",
    "DEFAULT",
    "HIGH",
    "ECDHE",
    "EECDH",
    "kECDHE",
    "kEECDH",
    "ECDH",
    "TLSv1.2",
    "FIPS",
    "AEAD",
];

/// The suites of TLSv1.2, in OpenSSL's order of `DEFAULT`.
const KNOWN: [Known; 6] = [
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        &["aECDSA", "ECDSA", "AES", "AES256", "AESGCM", "SHA384", "SUITEB192"],
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        &["aRSA", "AES", "AES256", "AESGCM", "SHA384"],
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        &["aECDSA", "ECDSA", "CHACHA20"],
    ),
    ("ECDHE-RSA-CHACHA20-POLY1305", suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, &["aRSA", "CHACHA20"]),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        &["aECDSA", "ECDSA", "AES", "AES128", "AESGCM", "SHA256", "SUITEB128"],
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        &["aRSA", "AES", "AES128", "AESGCM", "SHA256"],
    ),
];

/// Words of the language that mean none of the suites here; all else that is not a name above is a suite's name.
const OTHER_WORDS: &[&str] = &[
    "3DES",
    "AESCCM",
    "AESCCM8",
    "ARIA",
    "ARIA128",
    "ARIA256",
    "ARIAGCM",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "CBC",
    "COMPLEMENTOFALL",
    "DES",
    "DH",
    "DHE",
    "DSS",
    "EDH",
    "EXP",
    "EXPORT",
    "EXPORT40",
    "EXPORT56",
    "GOST89MAC",
    "GOST94",
    "IDEA",
    "LOW",
    "MD5",
    "MEDIUM",
    "NULL",
    "PSK",
    "RC2",
    "RC4",
    "RSA",
    "SEED",
    "SHA",
    "SHA1",
    "SRP",
    "SSLv2",
    "SSLv3",
    "TLSv1",
    "TLSv1.0",
    "aDH",
    "aDSS",
    "aECDH",
    "aGOST",
    "aNULL",
    "aPSK",
    "aSRP",
    "ADH",
    "AECDH",
    "eNULL",
    "kDH",
    "kDHE",
    "kDHEPSK",
    "kDHd",
    "kDHr",
    "kECDH",
    "kECDHEPSK",
    "kECDHe",
    "kECDHr",
    "kEDH",
    "kGOST",
    "kPSK",
    "kRSA",
    "kRSAPSK",
    "kSRP",
];

/// Reads a list. `None`: it leaves no suite.
pub(super) fn choose(text: &str) -> Option<Chosen> {
    let mut list = List { on: Vec::new(), dead: Vec::new(), missing: Vec::new() };
    let mut words = text.split([':', ',', ';', ' ']).filter(|word| !word.is_empty()).peekable();
    // OpenSSL puts its own list in the place of a DEFAULT in front.
    words.peek()?;
    for word in words {
        list.take(word);
    }
    if list.on.is_empty() {
        return None;
    }
    let of_13 = super::provider::provider().cipher_suites.into_iter();
    let of_13 = of_13.filter(|suite| suite.version().version == ProtocolVersion::TLSv1_3);
    let of_12 = list.on.iter().filter_map(|at| KNOWN.get(*at)).map(|(_, suite, _)| *suite);
    Some(Chosen { suites: of_13.chain(of_12).collect(), missing: list.missing })
}

/// A list while it is read: the suites by their places in [`KNOWN`].
struct List {
    on: Vec<usize>,
    /// Removed for good by `!`.
    dead: Vec<usize>,
    missing: Vec<String>,
}

impl List {
    fn take(&mut self, word: &str) {
        let (rule, name) = match word.split_at_checked(1) {
            Some((rule @ ("!" | "-" | "+" | "@"), name)) => (rule, name),
            _ => ("", word),
        };
        let meant: Vec<usize> = (0..KNOWN.len()).filter(|at| is_meant(*at, name)).collect();
        match rule {
            "!" => {
                self.on.retain(|at| !meant.contains(at));
                self.dead.extend(meant);
            }
            "-" => self.on.retain(|at| !meant.contains(at)),
            "+" => {
                let moved: Vec<usize> = self.on.extract_if(.., |at| meant.contains(at)).collect();
                self.on.extend(moved);
            }
            // @STRENGTH sorts by the length of keys; the suites have 256 and 128 bits.
            "@" if name == "STRENGTH" => {
                self.on.sort_by_key(|at| KNOWN.get(*at).is_some_and(|known| is_short(known.0)))
            }
            "@" => {}
            _ if meant.is_empty() && is_suite(name) => self.missing.push(name.to_owned()),
            _ => {
                let fresh = |at: &usize| !self.on.contains(at) && !self.dead.contains(at);
                let added: Vec<usize> = meant.into_iter().filter(fresh).collect();
                self.on.extend(added);
            }
        }
    }
}

fn is_short(name: &str) -> bool {
    name.contains("AES128")
}

/// Whether a word means the suite: its name in either spelling, or words of the language joined by `+`.
fn is_meant(at: usize, word: &str) -> bool {
    let Some((name, suite, words)) = KNOWN.get(at) else { return false };
    let standard = || suite.suite().as_str().is_some_and(|standard| standard == word);
    let means = |part: &str| ALWAYS.contains(&part) || words.contains(&part);
    word == *name || standard() || word.split('+').all(means)
}

/// Whether a word that means nothing here looks like the name of a suite, and not like a class of them.
fn is_suite(word: &str) -> bool {
    let is_class = |part: &str| {
        OTHER_WORDS.contains(&part) || ALWAYS.contains(&part) || KNOWN.iter().any(|(_, _, words)| words.contains(&part))
    };
    !word.split('+').all(is_class) && (word.contains('-') || word.starts_with("TLS_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The suites of TLSv1.2 that a list leaves, by the words in which they differ: `E-256 R-CHACHA`.
    fn chosen(text: &str) -> String {
        let Some(chosen) = choose(text) else { return "none".to_owned() };
        let name = |suite: &SupportedCipherSuite| {
            let (name, ..) = KNOWN.iter().find(|(_, known, _)| known == suite)?;
            let kind = if name.contains("ECDSA") { "E" } else { "R" };
            let bits = ["AES256", "AES128", "CHACHA"].into_iter().find(|bits| name.contains(bits))?;
            Some(format!("{kind}{}", bits.trim_start_matches("AES")))
        };
        chosen.suites.iter().filter_map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_leave_what_openssl_leaves() {
        const ALL: &str = "E256 R256 ECHACHA RCHACHA E128 R128";
        for (text, left) in [
            ("HIGH:!aNULL:!MD5", ALL),
            ("DEFAULT", ALL),
            ("ALL:!EXPORT:!LOW:!aNULL:!eNULL:!SSLv2", ALL),
            ("EECDH+AESGCM:EDH+AESGCM", "E256 R256 E128 R128"),
            ("ECDHE+AESGCM:ECDHE+CHACHA20", "E256 R256 E128 R128 ECHACHA RCHACHA"),
            ("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384", "R128 R256"),
            ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256:!aRSA", "E128"),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "R128"),
            ("AESGCM:+AES256:-aECDSA", "R128 R256"),
            ("AES128:AES256:@STRENGTH", "E256 R256 E128 R128"),
            ("!AES:ALL", "ECHACHA RCHACHA"),
            ("HIGH, !AES256", "ECHACHA RCHACHA E128 R128"),
            ("kRSA:AES128-SHA", "none"),
            ("ALL:!ECDHE", "none"),
            ("foo", "none"),
            ("", "none"),
        ] {
            assert_eq!(chosen(text), left, "{text}");
        }
        assert_eq!(choose("HIGH").unwrap().suites.len(), 9);
    }

    #[test]
    fn suites_that_cannot_be_had_are_named() {
        let missing = |text| choose(text).unwrap().missing;
        assert_eq!(missing("HIGH:!aNULL:!MD5:!kEDH+RC4:EDH+AESGCM:kRSA"), Vec::<String>::new());
        let text = "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA384:!DSS-X:ECDHE+SHA1";
        assert_eq!(missing(text), ["DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384"]);
    }
}

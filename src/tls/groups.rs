//! `ssl_ecdh_curve`: the groups of the key exchange, by OpenSSL's names.

use super::provider::{self, group};
use rustls::crypto::SupportedKxGroup;

/// Groups, and the names that OpenSSL has for other ones.
pub(super) struct Chosen {
    pub(super) groups: Vec<&'static dyn SupportedKxGroup>,
    pub(super) missing: Vec<String>,
}

/// The names of the groups that there are.
const KNOWN: [(&[&str], &dyn SupportedKxGroup); 5] = [
    (&["X25519MLKEM768"], group::X25519MLKEM768),
    (&["SecP256r1MLKEM768"], group::SECP256R1MLKEM768),
    (&["X25519"], group::X25519),
    (&["prime256v1", "P-256", "secp256r1"], group::SECP256R1),
    (&["secp384r1", "P-384"], group::SECP384R1),
];

/// Groups that OpenSSL has, and that can't be had here.
const OTHERS: &[&str] = &[
    "secp521r1",
    "P-521",
    "X448",
    "SecP384r1MLKEM1024",
    "MLKEM512",
    "MLKEM768",
    "MLKEM1024",
    "X25519Kyber768Draft00",
    "ffdhe2048",
    "ffdhe3072",
    "ffdhe4096",
    "ffdhe6144",
    "ffdhe8192",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
    "secp256k1",
    "secp224r1",
    "prime192v1",
    "sect571r1",
    "sect571k1",
    "sect409k1",
    "sect409r1",
    "sect283k1",
    "sect283r1",
    "P-224",
];

/// The reason why a list can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// A name that is no group's.
    Unknown(String),
    /// The same group twice.
    Twice(String),
    /// All of the groups are missing here.
    NoneLeft,
}

/// Reads a list of groups; `auto`: those of rustls.
pub(super) fn choose(text: &str) -> Result<Chosen, Unusable> {
    let mut chosen = Chosen { groups: Vec::new(), missing: Vec::new() };
    if text == "auto" {
        chosen.groups = provider::provider().kx_groups;
        return Ok(chosen);
    }
    for name in text.split(':') {
        let is_it = |known: &&str| known.eq_ignore_ascii_case(name);
        if let Some((_, group)) = KNOWN.iter().find(|(names, _)| names.iter().any(&is_it)) {
            if chosen.groups.iter().any(|other| other.name() == group.name()) {
                return Err(Unusable::Twice(name.to_owned()));
            }
            chosen.groups.push(*group);
        } else if OTHERS.iter().any(is_it) {
            chosen.missing.push(name.to_owned());
        } else {
            return Err(Unusable::Unknown(name.to_owned()));
        }
    }
    if chosen.groups.is_empty() { Err(Unusable::NoneLeft) } else { Ok(chosen) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::NamedGroup;

    #[test]
    fn names_are_openssl_s() {
        let names =
            |text| choose(text).map(|chosen| chosen.groups.iter().map(|group| group.name()).collect::<Vec<_>>());
        use NamedGroup::{X25519, X25519MLKEM768, secp256r1, secp384r1};
        assert_eq!(names("auto"), Ok(vec![X25519MLKEM768, X25519, secp256r1, secp384r1]));
        assert_eq!(names("X25519:P-256:secp384r1:secp521r1"), Ok(vec![X25519, secp256r1, secp384r1]));
        assert_eq!(names("prime256v1"), Ok(vec![secp256r1]));
        assert_eq!(names("P-256:prime256v1"), Err(Unusable::Twice("prime256v1".to_owned())));
        assert_eq!(names("X25519:foo"), Err(Unusable::Unknown("foo".to_owned())));
        assert_eq!(names(""), Err(Unusable::Unknown(String::new())));
        assert_eq!(names("secp521r1:X448"), Err(Unusable::NoneLeft));
        assert_eq!(choose("P-521:X25519").map(|chosen| chosen.missing).unwrap_or_default(), ["P-521"]);
    }
}

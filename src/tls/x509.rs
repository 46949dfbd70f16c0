//! The parts of a certificate that people are told: names, serial number, dates (RFC 5280).

use super::der::{self, Element, Reader, tag};

/// A certificate, read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certificate<'a> {
    /// The serial number, two's complement.
    pub(super) serial: &'a [u8],
    pub(super) issuer: Name<'a>,
    pub(super) subject: Name<'a>,
    /// Seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// The SubjectPublicKeyInfo.
    pub(super) key: &'a [u8],
    /// Whether it is of version 1 or 2, which have no extensions that say what it is good for.
    pub(super) is_old: bool,
    /// The elements behind the public key.
    extensions: Option<Reader<'a>>,
}

/// A distinguished name: a sequence of sets of attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    parts: Reader<'a>,
    /// The name as it stands in the certificate, tag and length included.
    pub(super) der: &'a [u8],
}

/// The signature of a certificate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature<'a> {
    /// The bytes that are signed.
    pub(super) of: &'a [u8],
    /// The content of the AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Signature<'a> {
    /// The signature of the certificate in `der`; `None`: it is not whole, or is called one thing inside of what it
    /// signs and another outside (RFC 5280 4.1.1.2).
    pub(super) fn read(der: &'a [u8]) -> Option<Signature<'a>> {
        let mut parts = Reader::new(der).open(tag::SEQUENCE)?;
        let body = parts.next_of(tag::SEQUENCE)?;
        let algorithm = parts.next_of(tag::SEQUENCE)?.value;
        let value = parts.next_of(tag::BIT_STRING)?.value.strip_prefix(&[0])?;
        let mut fields = body.inner();
        fields.optional(tag::context(0));
        fields.next_of(tag::INTEGER)?;
        let is_same = fields.next_of(tag::SEQUENCE)?.value == algorithm;
        (is_same && parts.is_empty()).then_some(Signature { of: body.whole, algorithm, value })
    }
}

/// keyUsage and extendedKeyUsage.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// subjectAltName (RFC 5280 4.2.1.6).
const ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// The tag of a DNS name in it.
const DNS_NAME: u8 = 0x82;
/// commonName.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

impl<'a> Certificate<'a> {
    /// Reads the certificate at the start of `der`; `None`: there is none.
    pub(super) fn read(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut body = Reader::new(der).open(tag::SEQUENCE)?.open(tag::SEQUENCE)?;
        let version = body.optional(tag::context(0)).and_then(|version| version.inner().next_of(tag::INTEGER));
        let is_old = version.is_none_or(|version| version.value != [2]);
        let serial = body.next_of(tag::INTEGER)?.value;
        body.next_of(tag::SEQUENCE)?;
        let issuer = Name::new(body.next_of(tag::SEQUENCE)?);
        let mut validity = body.open(tag::SEQUENCE)?;
        let (not_before, not_after) = (validity.next()?.time()?, validity.next()?.time()?);
        let subject = Name::new(body.next_of(tag::SEQUENCE)?);
        let key = body.next_of(tag::SEQUENCE)?.whole;
        let mut extensions = None;
        while let Some(element) = body.next() {
            if element.tag == tag::context(3) {
                extensions = element.inner().open(tag::SEQUENCE);
            }
        }
        Some(Certificate { serial, issuer, subject, not_before, not_after, key, is_old, extensions })
    }

    /// The DNS names that the certificate is for; its common name where it has none.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.alt_names().unwrap_or_default();
        if !names.is_empty() { names } else { self.subject.common_name().into_iter().collect() }
    }

    /// Whether an extension says what the key may be used for (RFC 5280 4.2.1.3, 4.2.1.12).
    pub(super) fn limits_usage(&self) -> bool {
        let Some(mut extensions) = self.extensions else { return false };
        std::iter::from_fn(|| extensions.next()).any(|one| {
            one.inner().next_of(tag::OID).is_some_and(|oid| matches!(oid.value, KEY_USAGE | EXTENDED_KEY_USAGE))
        })
    }

    fn alt_names(&self) -> Option<Vec<String>> {
        let mut extensions = self.extensions?;
        while let Some(extension) = extensions.next() {
            let mut parts = extension.inner();
            if parts.next_of(tag::OID)?.value != ALT_NAME {
                continue;
            }
            // The flag `critical` may stand between.
            let value = std::iter::from_fn(|| parts.next()).find(|part| part.tag == tag::OCTET_STRING)?;
            let mut names = value.inner().open(tag::SEQUENCE)?;
            let dns = std::iter::from_fn(|| names.next()).filter(|name| name.tag == DNS_NAME);
            return Some(dns.map(|name| String::from_utf8_lossy(name.value).into_owned()).collect());
        }
        None
    }
}

/// The attributes of names that OpenSSL has short names for, by the bytes of their identifiers.
const SHORT_NAMES: &[(&[u8], &str)] = &[
    (COMMON_NAME, "CN"),
    (&[0x55, 0x04, 0x04], "SN"),
    (&[0x55, 0x04, 0x05], "serialNumber"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x09], "street"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (&[0x55, 0x04, 0x0c], "title"),
    (&[0x55, 0x04, 0x0d], "description"),
    (&[0x55, 0x04, 0x0f], "businessCategory"),
    (&[0x55, 0x04, 0x11], "postalCode"),
    (&[0x55, 0x04, 0x29], "name"),
    (&[0x55, 0x04, 0x2a], "GN"),
    (&[0x55, 0x04, 0x2b], "initials"),
    (&[0x55, 0x04, 0x2c], "generationQualifier"),
    (&[0x55, 0x04, 0x2d], "x500UniqueIdentifier"),
    (&[0x55, 0x04, 0x2e], "dnQualifier"),
    (&[0x55, 0x04, 0x41], "pseudonym"),
    (&[0x55, 0x04, 0x61], "organizationIdentifier"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01], "emailAddress"),
    (&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3c, 0x02, 0x01, 0x01], "jurisdictionL"),
    (&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3c, 0x02, 0x01, 0x02], "jurisdictionST"),
    (&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3c, 0x02, 0x01, 0x03], "jurisdictionC"),
];

impl<'a> Name<'a> {
    fn new(element: Element<'a>) -> Name<'a> {
        Name { parts: element.inner(), der: element.whole }
    }

    /// The name without its tag and length.
    pub(super) fn content(&self) -> &'a [u8] {
        self.parts.rest()
    }

    fn common_name(&self) -> Option<String> {
        let all = self.sets().into_iter().flatten();
        let mut named = all.filter(|(oid, _)| *oid == COMMON_NAME);
        named.next().map(|(_, value)| String::from_utf8_lossy(&utf8(&value)).into_owned())
    }

    /// The attributes, set by set.
    fn sets(&self) -> Vec<Vec<(&'a [u8], Element<'a>)>> {
        let attribute = |element: Element<'a>| {
            let mut parts = element.inner();
            Some((parts.next_of(tag::OID)?.value, parts.next()?))
        };
        let mut parts = self.parts;
        let sets = std::iter::from_fn(|| parts.next());
        let of_set = |set: Element<'a>| {
            let mut inner = set.inner();
            std::iter::from_fn(|| inner.next()).filter_map(attribute).collect()
        };
        sets.map(of_set).collect()
    }

    /// The name as RFC 2253 writes it, the last part first (`X509_NAME_print_ex` with XN_FLAG_RFC2253).
    pub(super) fn rfc2253(&self) -> String {
        let of_set = |set: &Vec<(&[u8], Element)>| {
            let attributes = set.iter().rev().map(|(oid, value)| {
                let known = short_name(oid);
                let text = match known {
                    Some(_) if is_text(value.tag) => escaped(&utf8(value)),
                    _ => format!("#{}", hex(value.whole, true)),
                };
                format!("{}={text}", known.map_or_else(|| dotted(oid), str::to_owned))
            });
            attributes.collect::<Vec<_>>().join("+")
        };
        self.sets().iter().rev().map(of_set).collect::<Vec<_>>().join(",")
    }

    /// The name in OpenSSL's old way, `/C=DE/CN=example` (`X509_NAME_oneline`).
    pub(super) fn oneline(&self) -> String {
        let mut out = String::new();
        for (oid, value) in self.sets().iter().flatten() {
            out += &format!("/{}=", short_name(oid).map_or_else(|| dotted(oid), str::to_owned));
            for byte in value.value {
                match byte {
                    b' '..=b'~' => out.push(char::from(*byte)),
                    _ => out += &format!("\\x{byte:02X}"),
                }
            }
        }
        out
    }
}

fn short_name(oid: &[u8]) -> Option<&'static str> {
    SHORT_NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

/// An identifier with dots between its numbers (X.690 8.19).
fn dotted(oid: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number: u64 = 0;
    for byte in oid {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= first * 40;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    numbers.join(".")
}

fn is_text(tag: u8) -> bool {
    matches!(tag, tag::UTF8_STRING | 0x12..=0x16 | 0x1a | tag::UNIVERSAL_STRING | tag::BMP_STRING)
}

/// The text of a string element, in UTF-8.
fn utf8(value: &Element) -> Vec<u8> {
    let wide = |units: Vec<u32>| units.into_iter().filter_map(char::from_u32).collect::<String>().into_bytes();
    match value.tag {
        tag::BMP_STRING => {
            wide(value.value.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair).into()).collect())
        }
        tag::UNIVERSAL_STRING => {
            wide(value.value.as_chunks::<4>().0.iter().map(|four| u32::from_be_bytes(*four)).collect())
        }
        tag::T61_STRING => wide(value.value.iter().map(|byte| u32::from(*byte)).collect()),
        _ => value.value.to_vec(),
    }
}

/// A value as RFC 2253 escapes it; control characters and all that is not ASCII in hex.
fn escaped(text: &[u8]) -> String {
    let mut out = String::new();
    for (at, byte) in text.iter().enumerate() {
        let is_edge = at == 0 || at + 1 == text.len();
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => out.extend(['\\', char::from(*byte)]),
            b' ' if is_edge => out += "\\ ",
            b'#' if at == 0 => out += "\\#",
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out += &format!("\\{byte:02X}"),
        }
    }
    out
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8], is_upper: bool) -> String {
    bytes.iter().map(|byte| if is_upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
}

/// A serial number as `i2a_ASN1_INTEGER` writes it: the magnitude in hex, without leading zeros, by whole bytes.
pub(super) fn serial_text(serial: &[u8]) -> String {
    let is_negative = serial.first().is_some_and(|first| first & 0x80 != 0);
    let mut magnitude = serial.to_vec();
    if is_negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (sum, overflows) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (sum, overflows);
        }
    }
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count().min(magnitude.len().saturating_sub(1));
    format!("{}{}", if is_negative { "-" } else { "" }, hex(&magnitude[zeros..], true))
}

/// A time as `ASN1_TIME_print` writes it: `Nov 28 19:38:31 2026 GMT`.
pub(super) fn time_text(unix_s: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let ((year, month, day), second) = (der::date(unix_s.div_euclid(86400)), unix_s.rem_euclid(86400));
    let name = MONTHS[(month - 1) as usize % 12];
    format!("{name} {day:2} {:02}:{:02}:{:02} {year} GMT", second / 3600, second / 60 % 60, second % 60)
}

/// The date of a time: `2026-11-28`.
pub(super) fn date_text(unix_s: i64) -> String {
    let (year, month, day) = der::date(unix_s.div_euclid(86400));
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SerialNumber, string::BmpString};

    #[test]
    fn a_certificate_says_what_openssl_says() {
        let mut params = CertificateParams::new(["example.org".to_owned(), "*.example.org".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&[0x01, 0xab]));
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2027, 11, 28);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "DE");
        params.distinguished_name.push(DnType::OrganizationName, " A, B+C;\"x\" \u{e4}#");
        params
            .distinguished_name
            .push(DnType::CommonName, rcgen::DnValue::BmpString(BmpString::try_from("ex").unwrap()));
        params.distinguished_name.push(DnType::CustomDnType(vec![1, 2, 840, 113556, 1]), "y");
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let read = Certificate::read(der.der()).unwrap();
        assert_eq!(read.names(), ["example.org", "*.example.org"]);
        assert_eq!(serial_text(read.serial), "01AB");
        assert_eq!(time_text(read.not_before), "Jan  2 00:00:00 2026 GMT");
        assert_eq!(date_text(read.not_after), "2027-11-28");
        // Printed so by `openssl x509 -noout -subject -nameopt RFC2253` of the same certificate.
        assert_eq!(read.subject.rfc2253(), "1.2.840.113556.1=#0C0179,CN=ex,O=\\ A\\, B\\+C\\;\\\"x\\\" \\C3\\A4#,C=DE");
        assert_eq!(read.subject.oneline(), "/C=DE/O= A, B+C;\"x\" \\xC3\\xA4#/CN=\\x00e\\x00x/1.2.840.113556.1=y");
        assert_eq!(read.issuer.der, read.subject.der);
    }

    #[test]
    fn serials_are_whole_bytes_without_zeros_in_front() {
        for (bytes, text) in
            [(&[0_u8][..], "00"), (&[0x00, 0x80], "80"), (&[0x7f], "7F"), (&[0xff], "-01"), (&[0x80, 0], "-8000")]
        {
            assert_eq!(serial_text(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn damaged_certificates_are_read_or_refused(at in 0_usize..400, byte in any::<u8>()) {
            let mut der = TEST.with(Clone::clone);
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            if let Some(read) = Certificate::read(&der) {
                let _ = (read.names(), read.subject.rfc2253(), read.issuer.oneline(), serial_text(read.serial));
            }
        }
    }

    thread_local! {
        static TEST: Vec<u8> = rcgen::generate_simple_self_signed(["a.b".to_owned()]).unwrap().cert.der().to_vec();
    }
}

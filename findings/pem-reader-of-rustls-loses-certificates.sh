#!/usr/bin/env bash
# rustls-pki-types reads a chain whose files were joined without a line feed as one certificate, and three kinds of good files as none, all with Ok.
#
# Guess:    what OpenSSL reads, it reads; anything else is an error, as a web server wants to refuse a broken chain when it starts.
# Seen:     `cat leaf chain` where leaf has no line feed at its end: Ok, one certificate, the rest is dropped (OpenSSL: an error). A byte order
#           mark, `BEGIN TRUSTED CERTIFICATE` and `BEGIN X509 CERTIFICATE`, which OpenSSL takes: Ok, none. An encrypted PKCS #8 key: "no items
#           found"; an encrypted key of the older form: a base64 error at a hyphen.
# Versions: rustls-pki-types 1.16.0, OpenSSL 3.0.
# Matters:  a server that trusts the Ok serves a leaf without its chain: browsers that know the intermediate work, everybody else fails.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
rustls-pki-types = { version = "=1.16.0", features = ["std"] }
TOML
cat > src/main.rs <<'RUST'
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

fn main() {
    for file in std::env::args().skip(1) {
        let certificates = CertificateDer::pem_file_iter(&file).unwrap().collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_file(&file).map(|_| "a key");
        println!("{file}: {:?}, {key:?}", certificates.map(|list| list.len()));
    }
}
RUST
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out plain -subj /CN=a -days 30 2>openssl.log
cat plain plain > chain
(printf %s "$(cat plain)"; cat plain) > glued
(printf '\xef\xbb\xbf'; cat plain) > marked
openssl x509 -in plain -trustout -out trusted
sed 's/ CERTIFICATE/ X509 CERTIFICATE/' plain > x509
openssl pkcs8 -topk8 -in key -passout pass:x -out encrypted8
openssl ec -in key -aes128 -passout pass:x -out encrypted1 2>>openssl.log
for file in plain marked trusted x509; do
    openssl x509 -in "$file" -noout -subject | grep -q 'CN = a'
done
if openssl x509 -in glued -noout 2>>openssl.log; then echo "OpenSSL reads the glued chain"; exit 1; fi
CARGO_TARGET_DIR="$work/target" cargo build -q
target/debug/probe plain chain glued marked trusted x509 key encrypted8 encrypted1 | tee seen
diff - seen <<'END'
plain: Ok(1), Err(NoItemsFound)
chain: Ok(2), Err(NoItemsFound)
glued: Ok(1), Err(NoItemsFound)
marked: Ok(0), Err(NoItemsFound)
trusted: Ok(0), Err(NoItemsFound)
x509: Ok(0), Err(NoItemsFound)
key: Ok(0), Ok("a key")
encrypted8: Ok(0), Err(NoItemsFound)
encrypted1: Err(Base64Decode("InvalidCharacter(45)")), Err(Base64Decode("InvalidCharacter(45)"))
END

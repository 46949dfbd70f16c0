#!/usr/bin/env bash
# rustls: a server that is given a ticketer no longer takes early data, though max_early_data_size says so; nothing tells it.
#
# Guess:    `max_early_data_size = 1000` means early data with any kind of resumption; what cannot be is an error when the configuration is built.
# Seen:     with rustls' own store of sessions the second connection's first bytes arrive with its hello. With `ticketer` set to the ring
#           provider's own Ticketer it resumes just as well, but its tickets allow no early data, and the client does not send any.
# Versions: rustls 0.23.46 with ring, rcgen 0.14.10.
# Matters:  a store in memory belongs to one process, tickets are the way to resume across workers: the two cannot be had together.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init -q --vcs none --name probe .
cat >> Cargo.toml <<'TOML'
rustls = { version = "=0.23.46", default-features = false, features = ["std", "ring"] }
rcgen = { version = "=0.14.10", default-features = false, features = ["ring"] }
TOML
cat > src/main.rs <<'RUST'
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::sync::Arc;

/// Carries bytes both ways until nobody has more to say; the early data that the server has read.
fn shake_hands(client: &mut ClientConnection, server: &mut ServerConnection) -> Vec<u8> {
    let mut early = Vec::new();
    while client.wants_write() || server.wants_write() {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut up).unwrap();
        }
        let mut up = &up[..];
        while !up.is_empty() {
            server.read_tls(&mut up).unwrap();
            server.process_new_packets().unwrap();
            if let Some(mut data) = server.early_data() {
                data.read_to_end(&mut early).unwrap();
            }
        }
        while server.wants_write() {
            server.write_tls(&mut down).unwrap();
        }
        let mut down = &down[..];
        while !down.is_empty() {
            client.read_tls(&mut down).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    early
}

fn main() {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["a.test".into()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    for has_ticketer in [false, true] {
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let chain = vec![cert.der().clone()];
        let mut server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        server.max_early_data_size = 1000;
        if has_ticketer {
            server.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
        }
        let mut client = ClientConfig::builder().with_root_certificates(roots.clone()).with_no_client_auth();
        client.enable_early_data = true;
        let (server, client) = (Arc::new(server), Arc::new(client));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut theirs = ClientConnection::new(client.clone(), "a.test".try_into().unwrap()).unwrap();
            let mut ours = ServerConnection::new(server.clone()).unwrap();
            let offered = theirs.early_data().map(|mut data| data.write(b"GET /").unwrap());
            let early = shake_hands(&mut theirs, &mut ours);
            println!("ticketer: {has_ticketer}, {:?}: {offered:?} bytes offered, {} read", ours.handshake_kind(), early.len());
            assert_eq!(ours.handshake_kind(), Some(kind));
            let expected = if kind == HandshakeKind::Resumed && !has_ticketer { 5 } else { 0 };
            assert_eq!((offered.unwrap_or(0), early.len()), (expected, expected));
        }
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run -q

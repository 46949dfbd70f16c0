//! The compression of header fields, beside Python's hpack.

use std::io::Write;
use std::process::{Command, Stdio};

use drover::http::h2::hpack::{Decoder, Encoder, Error};

use crate::{installed, run};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/fields.py");

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn python(args: &[&str]) -> Command {
    let mut command = Command::new(installed("python/bin/python3"));
    command.arg(SCRIPT).args(args);
    command
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A block and its fields; `None`: Python can't unpack it.
fn blocks(text: &str) -> Vec<(Vec<u8>, Option<Fields>)> {
    let block = |line: &str| {
        let (block, fields) = line.split_once(' ').expect("a block and its fields");
        let field = |text: &str| {
            let (name, value) = text.split_once('=').expect("name and value");
            (bytes(name), bytes(value))
        };
        let fields = (fields != "!").then(|| fields.split(',').filter(|text| !text.is_empty()).map(field).collect());
        (bytes(block), fields)
    };
    text.lines().map(block).collect()
}

fn unpack(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Error> {
    let mut fields = Fields::new();
    decoder.decode(block, &mut Vec::new(), |name, value| fields.push((name.to_vec(), value.to_vec())))?;
    Ok(fields)
}

#[test]
fn blocks_that_python_packs_are_unpacked() {
    for seed in 0..4 {
        let packed = blocks(&run(&mut python(&["pack", &seed.to_string(), "1500"])));
        assert_eq!(packed.len(), 1500);
        let mut decoder = Decoder::default();
        for (block, fields) in packed {
            assert_eq!(unpack(&mut decoder, &block).as_ref().ok(), fields.as_ref(), "{}", hex(&block));
        }
    }
}

#[test]
fn blocks_that_were_changed_are_unpacked_as_by_python_or_by_neither() {
    let changed = blocks(&run(&mut python(&["mutate", "7", "4000"])));
    let broken = changed.iter().filter(|(_, fields)| fields.is_none()).count();
    assert!(broken > 200 && broken < 3800, "{broken} of 4000 are broken");
    for (block, fields) in changed {
        match unpack(&mut Decoder::default(), &block) {
            // Python has no limit for a number.
            Err(Error::Integer) => {}
            ours => assert_eq!(ours.ok(), fields, "{}", hex(&block)),
        }
    }
}

#[test]
fn blocks_that_drover_packs_are_unpacked_by_python() {
    let fields = |seed: u64| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let text = |rng: &mut fastrand::Rng, most| (0..rng.usize(..most)).map(|_| rng.u8(..)).collect::<Vec<u8>>();
        let mut fields: Fields = vec![(b":status".to_vec(), rng.u16(100..600).to_string().into())];
        for _ in 0..rng.usize(..8) {
            let name = match rng.usize(..3) {
                0 => b"content-type".to_vec(),
                1 => b"etag".to_vec(),
                _ => [b"x", &*text(&mut rng, 200).to_ascii_lowercase()].concat(),
            };
            fields.push((name, text(&mut rng, 300)));
        }
        fields
    };
    let all: Vec<Fields> = (0..2000).map(fields).collect();
    let pack = |fields: &Fields| {
        let (mut encoder, mut block) = (Encoder::default(), Vec::new());
        let status = String::from_utf8_lossy(&fields[0].1).parse().expect("a status");
        encoder.begin(status, &mut block);
        fields[1..].iter().for_each(|(name, value)| encoder.field(name, value, &mut block));
        hex(&block) + "\n"
    };
    let input: String = all.iter().map(pack).collect();
    let mut child = python(&["unpack"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python");
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("its output");
    writer.join().expect("a thread").expect("all is written");
    let unpacked = blocks(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(unpacked.into_iter().map(|(_, fields)| fields.unwrap_or_default()).collect::<Vec<_>>(), all);
}

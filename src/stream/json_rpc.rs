//! `json_rpc`: frames of a 4-byte little-endian length and that many bytes of JSON.
//!
//! A call `{"in": "ping", "params": P}` is answered `{"out": "pong", "result": P}` in the same framing. A frame that is
//! no such call gets `{"error": {"code": ..., "message": ...}}` and is the last.
//!
//! `params` is checked to be JSON and sent back as it was written, without being taken apart: numbers of any size keep
//! all their digits, and serde_json skips over nested values without recursion, so that no depth can exhaust the stack.

use super::step::{Fault, Step};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Bytes of the length field in front of a frame.
pub const PREFIX: usize = 4;

/// Characters of an unknown call's name that its error repeats.
const NAME_SHOWN: usize = 64;

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, rename = "in")]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// Answers the whole frames of `input`. A frame that is still arriving costs reading its length, no more.
pub fn answer(input: &[u8], out: &mut Vec<u8>, enough: usize, max_frame: usize) -> Step {
    let mut step = Step::default();
    while out.len() < enough
        && let Some((prefix, rest)) = input.get(step.used..).and_then(|rest| rest.split_first_chunk::<PREFIX>())
    {
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > max_frame {
            step.fault = Some(Fault::TooLarge { length, max: max_frame });
            step.used = input.len();
        } else {
            let Some(frame) = rest.get(..length) else { break };
            step.used += PREFIX + length;
            step.fault = reply(frame, out).err();
        }
        step.answered += 1;
        if let Some(fault) = &step.fault {
            write_error(fault, out);
            break;
        }
    }
    step
}

/// Answers one call.
fn reply(frame: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    // Serde would read the struct from an array as well.
    if frame.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fault::Malformed(None));
    }
    let call: Call = serde_json::from_slice(frame).map_err(|error| Fault::Malformed(Some(error)))?;
    if call.name != "ping" {
        return Err(Fault::Unknown(call.name.chars().take(NAME_SHOWN).collect()));
    }
    framed(out, |out| {
        out.extend_from_slice(b"{\"out\":\"pong\",\"result\":");
        out.extend_from_slice(call.params.map_or("null", RawValue::get).as_bytes());
        out.push(b'}');
    });
    Ok(())
}

fn write_error(fault: &Fault, out: &mut Vec<u8>) {
    let error = serde_json::json!({ "error": { "code": fault.code(), "message": fault.to_string() } });
    framed(out, |out| out.extend_from_slice(error.to_string().as_bytes()));
}

/// Appends what `write` writes, with its length in front.
fn framed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    write(out);
    // An answer is a call and some 30 bytes, and `rpc_max_frame` is far from 4g.
    let length = u32::try_from(out.len() - start - PREFIX).unwrap_or(u32::MAX);
    if let Some(prefix) = out.get_mut(start..start + PREFIX) {
        prefix.copy_from_slice(&length.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const MAX: usize = 64 << 10;

    fn frame(json: impl AsRef<[u8]>) -> Vec<u8> {
        let json = json.as_ref();
        [&(json.len() as u32).to_le_bytes()[..], json].concat()
    }

    /// The frames of an answer, as text.
    fn frames(mut bytes: &[u8]) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some((prefix, rest)) = bytes.split_first_chunk() {
            let (frame, rest) = rest.split_at(u32::from_le_bytes(*prefix) as usize);
            frames.push(String::from_utf8(frame.to_vec()).unwrap());
            bytes = rest;
        }
        assert_eq!(bytes, b"");
        frames
    }

    fn call(json: impl AsRef<[u8]>) -> (String, Option<Fault>) {
        let (mut out, input) = (Vec::new(), frame(json));
        let step = answer(&input, &mut out, MAX, MAX);
        assert_eq!((step.used, step.answered), (input.len(), 1));
        let [only] = &frames(&out)[..] else { panic!() };
        (only.clone(), step.fault)
    }

    fn error_code(json: impl AsRef<[u8]>) -> String {
        let (text, fault) = call(json);
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(error["error"]["message"], fault.unwrap().to_string());
        error["error"]["code"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_ping_is_answered_with_its_params_as_they_were_written() {
        let params = r#"{ "a":[1e999999, 0.10, 123456789012345678901234567890], "ä\ud800": "\u0000" }"#;
        let (text, fault) = call(format!(r#" {{"id": [[]], "params":{params} , "in":"p\u0069ng"}} "#));
        assert!(fault.is_none());
        assert_eq!(text, format!(r#"{{"out":"pong","result":{params}}}"#));
        assert_eq!(call(r#"{"in":"ping"}"#).0, r#"{"out":"pong","result":null}"#);
        assert_eq!(call(r#"{"in":"ping","params":null}"#).0, r#"{"out":"pong","result":null}"#);
    }

    #[test]
    fn what_is_no_call_is_told_so() {
        let malformed: [&[u8]; 14] = [
            b"",
            b" ",
            b"null",
            b"[\"ping\", 1]",
            b"{}",
            b"{\"in\":1}",
            b"{\"in\":\"ping\"",
            b"{\"in\":\"ping\"}}",
            b"{\"in\":\"ping\",\"in\":\"ping\"}",
            b"{\"in\":\"ping\",\"params\":}",
            b"{\"in\":\"ping\",\"params\":01}",
            b"{\"in\":\"ping\",\"params\":\"\xff\"}",
            b"{\"in\":\"ping\",\"params\":\"\n\"}",
            b"\xef\xbb\xbf{\"in\":\"ping\"}",
        ];
        for json in malformed {
            assert_eq!(error_code(json), "malformed_call", "{}", json.escape_ascii());
        }
        assert_eq!(error_code(r#"{"in":"pong"}"#), "unknown_call");
        let (text, _) = call(format!(r#"{{"in":"{}\n\""}}"#, "x".repeat(60_000)));
        assert!(text.len() < 200, "{text}");
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = |open: &str, close: &str| {
            let levels = (MAX - 40) / (open.len() + close.len());
            format!("{}1{}", open.repeat(levels), close.repeat(levels))
        };
        for params in [deep("[", "]"), deep("{\"\":", "}")] {
            let json = format!(r#"{{"in":"ping","params":{params}}}"#);
            let ignored = format!(r#"{{"in":"ping","id":{params}}}"#);
            // On this stack a few bytes for each level would overflow.
            let thread = std::thread::Builder::new().stack_size(48 << 10);
            let [(text, fault), (_, other)] = thread.spawn(move || [json, ignored].map(call)).unwrap().join().unwrap();
            assert!(fault.is_none() && text.contains(&params) && other.is_none());
        }
        assert_eq!(error_code(format!(r#"{{"in":"ping","params":{}"#, "[".repeat(60_000))), "malformed_call");
        assert_eq!(error_code("{\"in\":".repeat(10_000)), "malformed_call");
    }

    #[test]
    fn an_oversized_frame_is_refused_by_its_length_alone() {
        let mut out = Vec::new();
        let input = 101_u32.to_le_bytes();
        assert_eq!(answer(&input[..3], &mut out, MAX, 100).answered, 0);
        let step = answer(&input, &mut out, MAX, 100);
        assert!(matches!(step.fault, Some(Fault::TooLarge { length: 101, max: 100 })));
        assert!(frames(&out)[0].contains("frame_too_large"));
        assert!(answer(&u32::MAX.to_le_bytes(), &mut out, MAX, 100).fault.is_some());
        let step = answer(&100_u32.to_le_bytes(), &mut Vec::new(), MAX, 100);
        assert_eq!((step.used, step.answered, step.fault.is_none()), (0, 0, true));
    }

    #[test]
    fn a_full_output_stops_the_answers_and_a_fault_ends_them() {
        let ping = frame(r#"{"in":"ping","params":1}"#);
        let input = ping.repeat(10);
        let mut out = Vec::new();
        let step = answer(&input, &mut out, 40, MAX);
        assert_eq!((step.answered, step.used), (2, 2 * ping.len()));
        assert_eq!(answer(&input, &mut out, 40, MAX).used, 0);
        let bad = [ping.clone(), frame("x"), ping].concat();
        out.clear();
        let step = answer(&bad, &mut out, MAX, MAX);
        assert_eq!((step.answered, step.fault.is_some(), frames(&out).len()), (2, true, 2));
    }

    /// Feeds pieces as a connection does: input that is not used yet stays in front of what comes.
    fn feed(pieces: &[&[u8]], enough: usize) -> (Vec<u8>, u32, bool) {
        let (mut input, mut all, mut answered) = (Vec::new(), Vec::new(), 0);
        for piece in pieces {
            input.extend_from_slice(piece);
            loop {
                let mut out = Vec::new();
                let step = answer(&input, &mut out, enough, 200);
                assert!(step.used <= input.len() && (step.used > 0) == (step.answered > 0));
                input.drain(..step.used);
                all.extend_from_slice(&out);
                answered += step.answered;
                if step.fault.is_some() {
                    return (all, answered, true);
                }
                if step.used == 0 {
                    break;
                }
            }
        }
        (all, answered, false)
    }

    fn json() -> impl Strategy<Value = String> {
        let call = |params: String| format!(r#"{{"in":"ping","params":{params}}}"#);
        prop_oneof![
            6 => "[0-9]{1,30}|\"[ a-z]{0,30}\"|\\[\\]|true".prop_map(call),
            1 => "[\\PC]{0,40}",
            1 => "\\{\"in\":\"[a-z]{0,4}\"[,}\\]]{0,2}",
        ]
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_answers(
            calls in prop::collection::vec(json(), 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            enough in 1_usize..300,
        ) {
            let bytes: Vec<u8> = calls.iter().flat_map(frame).collect();
            let whole = feed(&[&bytes], MAX);
            let cuts = cuts.iter().map(|cut| cut.index(bytes.len() + 1));
            let mut cuts: Vec<usize> = cuts.chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(&feed(&pieces, enough), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&feed(&single, MAX), &whole);
            prop_assert_eq!(frames(&whole.0).len(), whole.1 as usize);
        }

        #[test]
        fn any_bytes_are_answered_in_frames(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            json in any::<Vec<u8>>(),
        ) {
            let (all, answered, _) = feed(&[&bytes], MAX);
            prop_assert_eq!(frames(&all).len(), answered as usize);
            call(json);
        }
    }
}

//! The frames of JSON calls.

use drover::stream::json_rpc::{PREFIX, answer};
use serde::de::IgnoredAny;
use serde_json::Value;

/// The longest frame.
const MOST: usize = 300;

/// Bytes of an answer besides the parameters of its call, and besides the name that an error repeats.
const AROUND: usize = 700;

/// Calls get the same answers at once, in two pieces and byte by byte; each answer is JSON in a frame, and says `pong`
/// to what a reader of any JSON takes for a call of `ping`; answers are no longer than calls, but for what is around.
pub(super) fn json(input: &[u8]) {
    let (whole, count, is_refused) = feed([input].into_iter());
    let cut = crate::target::place_in(input, input.len() + 1);
    assert_eq!(feed([&input[..cut], &input[cut..]].into_iter()), (whole.clone(), count, is_refused));
    assert_eq!(feed(input.chunks(1)), (whole.clone(), count, is_refused));
    assert!(whole.len() <= input.len() + count * AROUND);
    let answers = frames(&whole);
    assert_eq!(answers.len(), count);
    for (n, (call, answer)) in frames(input).into_iter().zip(&answers).enumerate() {
        let is_fault = is_refused && n + 1 == count;
        serde_json::from_slice::<IgnoredAny>(answer).expect("JSON");
        // Parameters come back as they were: half of a surrogate pair, for example, is no `Value`.
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
            assert!(!is_fault);
            continue;
        };
        assert_eq!(answer.get("error").is_some(), is_fault);
        assert_eq!(answer.get("out").is_some_and(|out| out == "pong"), !is_fault);
        // Names that stand twice, and numbers and depths that no `Value` holds, are not read by both.
        if let Ok(call) = serde_json::from_slice::<Value>(call) {
            assert!(is_fault || call.get("in").is_some_and(|name| name == "ping"));
            assert!(is_fault || call.get("params").unwrap_or(&Value::Null) == answer.get("result").expect("a result"));
        }
    }
}

/// The frames that are whole.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>()
        && let Some((frame, rest)) = rest.split_at_checked(u32::from_le_bytes(*prefix) as usize)
    {
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// The answers, their number, and whether the last is an error.
fn feed<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> (Vec<u8>, usize, bool) {
    let (mut input, mut all, mut answered) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let mut out = Vec::new();
            let step = answer(&input, &mut out, 64, MOST);
            assert!(step.used <= input.len() && (step.used > 0) == (step.answered > 0));
            input.drain(..step.used);
            all.extend_from_slice(&out);
            answered += step.answered as usize;
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

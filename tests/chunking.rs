//! Translators do not care how a stream is cut, and no bytes whatever make one panic.

#[path = "support/golden.rs"]
mod support;

#[test]
fn streams_are_the_same_wherever_they_are_cut() {
    let mut seen = 0;
    for case in support::cases().iter().filter(|case| case.kind == "stream") {
        let whole = case.run(&[&case.input]);
        for cut in 0..=case.input.len() {
            let (head, tail) = case.input.split_at(cut);
            let output = case.run(&[head, tail]);
            assert!(output == whole, "{} cut at {cut}", case.output.display());
        }
        let single: Vec<&[u8]> = case.input.chunks(1).collect();
        assert!(case.run(&single) == whole, "{} byte by byte", case.output.display());
        seen += 1;
    }
    assert!(seen >= 10, "{seen} streams");
}

/// Truncations and changed bytes of all fixtures, each through the translator it is meant for.
#[test]
fn damaged_input_never_panics() {
    // xorshift64: the same damage in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for case in support::cases() {
        // Every length of the short ones, some of the long ones.
        for length in (0..case.input.len()).step_by(1 + case.input.len() / 600) {
            case.run(&[&case.input[..length]]);
        }
        for _ in 0..300 {
            let mut bytes = case.input.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match (bytes.get_mut(at), random(4)) {
                    (Some(byte), 0) => *byte = b"{}[]\",:\\\n0"[random(10)],
                    (Some(byte), 1) => *byte ^= 1 << random(8),
                    (Some(_), 2) => drop(bytes.remove(at)),
                    (Some(byte), _) => *byte = random(256) as u8,
                    (None, _) => {}
                }
            }
            let output = case.run(&[&bytes]);
            if case.kind == "error" {
                let value: serde_json::Value = serde_json::from_slice(&output).unwrap();
                assert!(value["error"]["message"].is_string());
            }
        }
    }
}

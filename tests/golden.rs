//! Every fixture gives the bytes that its `.out` file holds.
//!
//! `GOLDEN=update cargo test --test golden` rewrites those files; read the difference.

#[path = "support/golden.rs"]
mod support;

use std::fs;

/// What the providers could not be told, one line a request that lost something.
const DROPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/dropped.txt");

fn updates() -> bool {
    std::env::var_os("GOLDEN").is_some_and(|value| value == "update")
}

#[test]
fn fixtures_give_their_golden_files() {
    let mut failures = Vec::new();
    for case in support::cases() {
        let chunks = [case.input.as_slice()];
        let mut actual = case.run(&chunks);
        assert_eq!(actual, case.run(&chunks), "{} differs from run to run", case.output.display());
        if !actual.ends_with(b"\n") && !actual.is_empty() {
            actual.push(b'\n');
        }
        if updates() {
            fs::write(&case.output, &actual).unwrap();
            continue;
        }
        let expected = fs::read(&case.output).unwrap_or_default();
        if actual != expected {
            let [expected, actual] = [&expected, &actual].map(|text| String::from_utf8_lossy(text));
            let path = case.output.display();
            failures.push(format!("{path}\n  expected {expected}\n  actual   {actual}"));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn what_is_dropped_is_named() {
    let mut actual = String::new();
    for case in support::cases() {
        if case.kind == "request"
            && let Ok(outgoing) = case.request(&case.input)
            && let Some(fields) = outgoing.dropped.list()
        {
            actual += &format!("{:?} {}: {fields}\n", case.dialect, case.name);
        }
    }
    if updates() {
        fs::write(DROPPED, &actual).unwrap();
    }
    assert_eq!(actual, fs::read_to_string(DROPPED).unwrap_or_default());
}

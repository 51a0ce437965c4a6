//! Every fixture gives the bytes that its `.out` file holds.
//!
//! `GOLDEN=update cargo test --test golden` rewrites those files; read the difference.

#[path = "support/golden.rs"]
mod support;

use std::fs;

#[test]
fn fixtures_give_their_golden_files() {
    let update = std::env::var_os("GOLDEN").is_some_and(|value| value == "update");
    let mut failures = Vec::new();
    for case in support::cases() {
        let chunks = [case.input.as_slice()];
        let mut actual = case.run(&chunks);
        assert_eq!(actual, case.run(&chunks), "{} differs from run to run", case.output.display());
        if !actual.ends_with(b"\n") && !actual.is_empty() {
            actual.push(b'\n');
        }
        if update {
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

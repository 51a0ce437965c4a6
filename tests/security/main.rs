//! What an attacker on either side can send, and what must become of it: the release module in a
//! real Envoy, real requests, by raw sockets where a client would tidy them up.
//!
//! A theme is a gateway and its cases, which run one after the other. `docs/security-tests.md` is
//! the list of them all, written by `GOLDEN=update cargo test --test security`.
//!
//! Nothing here leaves loopback, even when a defence fails: hosts that must not be reached are
//! loopback addresses that the gateway does not allow, and names are asked of a server of the
//! test's own. Which ranges are private is tested where that is decided, without a network.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]
#![allow(clippy::string_slice)]
// The support is shared with another binary, which uses all of it.
#![allow(dead_code)]

#[path = "../envoy/support/mod.rs"]
mod support;

mod bench;
mod bodies;
mod hosts;
mod http2;
mod injection;
mod internals;
mod module;
mod paths;
mod providers;
mod repeated;
mod smuggling;
mod tenants;
mod wire;

use bench::Theme;
use std::collections::HashSet;
use std::path::Path;

const THEMES: [&Theme; 10] = [
    &internals::THEME,
    &repeated::THEME,
    &smuggling::THEME,
    &http2::THEME,
    &paths::THEME,
    &injection::THEME,
    &hosts::THEME,
    &bodies::THEME,
    &providers::THEME,
    &tenants::THEME,
];

#[test]
fn the_list_of_cases_is_what_the_suite_runs() {
    let mut text = String::from(
        "# What the attack suite sends, and what must become of it\n\n\
         Written by `GOLDEN=update cargo test --test security`; run by `cargo test --test security`. \
         Each case is a request to a real Envoy with the release module.\n",
    );
    let count = THEMES.iter().map(|theme| theme.cases.len()).sum::<usize>();
    text.push_str(&format!("There are {count} cases.\n"));
    println!("{count} cases");
    let mut names = HashSet::new();
    for theme in THEMES {
        text.push_str(&format!(
            "\n## {}\n\n| case | what must happen |\n| --- | --- |\n",
            theme.name
        ));
        for case in theme.cases {
            assert!(names.insert(case.name), "{} is there twice", case.name);
            text.push_str(&format!("| {} | {} |\n", case.name, case.must));
        }
    }
    assert!(names.len() >= 60, "{} cases", names.len());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security-tests.md");
    if std::env::var("GOLDEN").is_ok_and(|value| value == "update") {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{} is out of date: GOLDEN=update", path.display());
}

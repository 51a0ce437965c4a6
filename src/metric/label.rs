//! Labels, as a part of the name by which Envoy knows a metric: `;model=gpt-4o;provider=openai`.
//! Envoy's tag extraction takes them out again: [`extractors`].

use std::fmt::Write;

/// What stands for every value that is one too many, or not known.
pub const OTHER: &str = "other";
/// What the name of a tag's label begins with.
pub const TAG: &str = "tag_";
/// Longest value.
const MAX_CHARS: usize = 64;
/// Envoy's namespace for metrics of modules, which Prometheus does not get to see.
pub const NAMESPACE: &str = "wasmcustom";

/// Appends a label. What could end it, or is no printable ASCII, becomes `_`.
pub fn append(out: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    out.extend([";", name, "="]);
    let safe = |c: char| if c.is_ascii_graphic() && !";\"\\".contains(c) { c } else { '_' };
    out.extend(value.chars().take(MAX_CHARS).map(safe));
}

/// Appends a label whose value is a number.
pub fn append_number(out: &mut String, name: &str, value: u16) {
    // A string takes anything.
    let _ = write!(out, ";{name}={value}");
}

/// Name and regular expression of Envoy's extractor for a label: the first group goes out of the
/// name, the second is the value. The beginning spares all other metrics the search.
pub fn extractor(label: &str) -> (String, String) {
    (label.to_owned(), format!("^{NAMESPACE}\\.[a-z_]+(?:;[^;]*)*?(;{label}=([^;]*))"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_label() {
        let mut labels = String::new();
        append(&mut labels, "model", "a;provider=x\"\\ \né");
        append(&mut labels, "caller", "");
        append_number(&mut labels, "status", 200);
        append(&mut labels, "tag_t", &"x".repeat(100));
        let long = "x".repeat(64);
        assert_eq!(labels, format!(";model=a_provider=x_____;status=200;tag_t={long}"));
    }
}

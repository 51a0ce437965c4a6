//! Single values: slugs, numbers, sizes, times, URLs, headers.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::Checker;
use crate::http::is_header_value;
use crate::provider::{BaseUrl, Scheme};
use crate::tool::field::Field;
use crate::tool::yaml::Node;

/// Longest slug.
const MAX_SLUG: usize = 64;
/// Longest time: a day.
const MAX_MILLISECONDS: u64 = 86_400_000;
/// Largest body: what the memory of a wasm VM can hold.
const MAX_BODY: u64 = 1 << 30;
/// Headers that the gateway or Envoy sets itself.
const RESERVED: [&str; 5] =
    ["host", "content-length", "transfer-encoding", "connection", "x-request-id"];

impl Checker<'_> {
    /// Slugs name clusters, files and header values.
    pub(super) fn slug(&mut self, path: &str, slug: &str) {
        let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let starts = slug.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !(starts && slug.len() <= MAX_SLUG && slug.bytes().all(valid)) {
            let message = "a slug is 1 to 64 letters, digits, \".\", \"_\" and \"-\", \
                           and begins with a letter or digit";
            self.problems.add(path, message);
        }
    }

    pub(super) fn number(
        &mut self,
        field: Option<&Field<'_>>,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let field = field?;
        let number = match field.node {
            Node::Integer(number) => u64::try_from(*number).ok(),
            other => {
                field.mismatch("a whole number", other, &mut self.problems);
                return None;
            }
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (start, end) = (range.start(), range.end());
            self.problems.add(&field.path, format_args!("must be from {start} to {end}"));
        }
        number
    }

    /// From 0 to 1.
    pub(super) fn share(&mut self, field: Option<&Field<'_>>) -> Option<f64> {
        let field = field?;
        let number = match field.node {
            #[allow(clippy::cast_precision_loss)]
            Node::Integer(number) => Some(*number as f64),
            Node::Float(number) => Some(*number),
            _ => None,
        };
        let number = number.filter(|number| (0.0..=1.0).contains(number));
        if number.is_none() {
            self.problems.add(&field.path, "must be a number from 0 to 1");
        }
        number
    }

    pub(super) fn flag(&mut self, field: Option<&Field<'_>>) -> Option<bool> {
        let field = field?;
        match field.node {
            Node::Bool(value) => Some(*value),
            other => {
                field.mismatch("true or false", other, &mut self.problems);
                None
            }
        }
    }

    pub(super) fn milliseconds(&mut self, field: Option<&Field<'_>>) -> Option<u64> {
        self.number(field, 1..=MAX_MILLISECONDS)
    }

    /// Bytes, or text such as `64KiB`.
    pub(super) fn size(&mut self, field: Option<&Field<'_>>) -> Option<u64> {
        self.size_within(field, 1..=MAX_BODY)
    }

    pub(super) fn size_within(
        &mut self,
        field: Option<&Field<'_>>,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let field = field?;
        let Node::Text(text) = field.node else {
            return self.number(Some(field), range);
        };
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let bytes = units.iter().find_map(|(unit, shift)| {
            let count: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
            count.checked_mul(1 << shift)
        });
        let bytes = bytes.filter(|bytes| range.contains(bytes));
        if bytes.is_none() {
            let most = match range.end() >> 30 {
                0 => format!("{}MiB", range.end() >> 20),
                most => format!("{most}GiB"),
            };
            self.problems.add(
                &field.path,
                format_args!(
                    "must be a number of bytes or such as \"64KiB\", {}at most \"{most}\"",
                    match range.start() >> 20 {
                        0 => String::new(),
                        least => format!("at least \"{least}MiB\", "),
                    }
                ),
            );
        }
        bytes
    }

    pub(super) fn url(&mut self, field: &Field<'_>) -> Option<String> {
        let text = field.text(&mut self.problems)?;
        match BaseUrl::parse(text) {
            // Listeners inside Envoy are for the table of providers alone.
            Ok(parts) if parts.scheme == Scheme::Envoy => {
                self.problems.add(&field.path, "must begin with http:// or https://");
                None
            }
            Ok(_) => Some(text.to_owned()),
            Err(error) => {
                self.problems.add(&field.path, error);
                None
            }
        }
    }

    pub(super) fn headers(&mut self, field: &Field<'_>) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        for (name, entry) in field.entries(&mut self.problems) {
            let value = match entry.node {
                Node::Text(text) => text.clone(),
                Node::Integer(number) => number.to_string(),
                other => {
                    entry.mismatch("text", other, &mut self.problems);
                    continue;
                }
            };
            let name = name.to_ascii_lowercase();
            if !is_header_value(value.as_bytes()) {
                self.problems.add(&entry.path, "a header value holds no control characters");
            }
            if !is_token(&name) {
                self.problems.add(&entry.path, "this is no header name");
            } else if is_reserved(&name) {
                self.problems.add(&entry.path, "the gateway sets this header itself");
            } else if headers.insert(name, value).is_some() {
                self.problems.add(&entry.path, "this header is there twice");
            }
        }
        headers
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("x-portkey-") || name.starts_with("x-envoy-")
}

/// A token of RFC 9110, section 5.6.2.
pub(super) fn is_token(name: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(valid)
}

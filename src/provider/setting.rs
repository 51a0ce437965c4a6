//! Settings: what some vendors need to know beside a key, such as the name of an account that is
//! part of their host name. A row of the table names them; URLs, paths and headers of the row hold
//! them as placeholders, `{name}`.

use super::BaseUrl;
use crate::error::Error;
use crate::http::is_header_value;
use crate::service_account::ServiceAccount;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// One setting of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Portkey's name in a target of a config object, ours in gateway.yaml, and the placeholder.
    pub name: &'static str,
    /// Portkey's header for it, without `x-portkey-`.
    pub header: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it is when nothing says otherwise. `{model}` and `{user}` stand for these fields of the
    /// body, `{base_model}` and `{adapter}` for what is before and behind a colon of the model.
    pub default: Option<&'static str>,
}

impl Setting {
    /// A setting without a default.
    pub const fn new(name: &'static str, header: &'static str, kind: Kind) -> Self {
        Self { name, header, kind, default: None }
    }

    /// The same with a default.
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

/// What a setting may hold. What becomes part of a URL must not be able to change its other parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One part of a host name: up to 63 letters, digits and inner `-`.
    Label,
    /// Parts of a host name, with dots between them.
    Host,
    /// One segment of a path, or the value of a query: letters, digits, `.`, `_` and `-`.
    Segment,
    /// A base URL. At a host with one of these endings, which are the vendor's, or else at one
    /// that gateway.yaml's `custom_hosts` allows.
    Url(&'static [&'static str]),
    /// Any header value.
    Text,
    /// The same, never shown.
    Secret,
    /// Nothing: a setting of Portkey's that cannot be followed, and why.
    Refused(&'static str),
    /// The JSON of a Google service account's key file, never shown.
    ServiceAccount,
}

/// Longest value in bytes.
const MAX_VALUE: usize = 64 << 10;
/// Longest part of a host name, and longest part of a URL otherwise.
const MAX_LABEL: usize = 63;
const MAX_SEGMENT: usize = 255;

impl Kind {
    /// Whether a value must not be shown.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::ServiceAccount)
    }

    /// Checks a value.
    ///
    /// # Errors
    /// What it must be, without the value itself.
    pub fn check(self, value: &str) -> Result<(), &'static str> {
        let (fits, wanted) = match self {
            Self::Label => (is_label(value), "must be letters, digits and inner \"-\", at most 63"),
            Self::Host => (is_host(value), "must be a part of a host name"),
            Self::Segment => (
                is_segment(value),
                "must be letters, digits, \".\", \"_\" and \"-\", at most 255, and not only dots",
            ),
            Self::Text | Self::Secret => (
                !value.is_empty() && value.len() <= MAX_VALUE && is_header_value(value.as_bytes()),
                "must be text of up to 64 KiB without control characters",
            ),
            Self::Url(_) => {
                (BaseUrl::parse_public(value).is_ok(), "must be a URL without query and fragment")
            }
            Self::Refused(why) => (false, why),
            Self::ServiceAccount => return ServiceAccount::parse(value).map(|_| ()),
        };
        if fits { Ok(()) } else { Err(wanted) }
    }

    /// Whether a host is one of those of a URL's vendor.
    pub fn names_host(self, host: &str) -> bool {
        let Self::Url(endings) = self else { return false };
        let host = host.to_ascii_lowercase();
        endings.iter().any(|ending| host.strip_suffix(ending).is_some_and(is_host))
    }
}

fn is_host(text: &str) -> bool {
    text.len() <= MAX_SEGMENT && text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !text.is_empty()
        && text.len() <= MAX_LABEL
        && text.bytes().all(valid)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_segment(text: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    text.len() <= MAX_SEGMENT && text.bytes().all(valid) && text.bytes().any(|b| b != b'.')
}

/// Values of settings by name. They may be secrets: `Debug` shows the names alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets a value.
    pub fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A text with its placeholders filled in.
    ///
    /// # Errors
    /// The first setting that is missing.
    pub fn expand<'t>(&self, template: &'t str) -> Result<Cow<'t, str>, Missing> {
        if !template.contains('{') {
            return Ok(Cow::Borrowed(template));
        }
        let mut out = String::with_capacity(template.len() * 2);
        for (before, name) in pieces(template) {
            out.push_str(before);
            if let Some(name) = name {
                out.push_str(self.get(name).ok_or_else(|| Missing(name.to_owned()))?);
            }
        }
        Ok(Cow::Owned(out))
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The name of a setting that a placeholder wants and that has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(pub String);

impl Missing {
    /// The error for the caller; `provider` is a slug.
    pub fn error(&self, provider: &str) -> Error {
        let name = &self.0;
        let error = Error::invalid("missing_setting", format!("{provider} needs {name}"));
        let header = super::setting(name).map(|setting| setting.header).unwrap_or_default();
        error
            .with_hint(format!(
                "give it as {name} in the config's target, as the header x-portkey-{header}, or \
                 in gateway.yaml"
            ))
            .with_param(name)
    }
}

/// The names of a text's placeholders.
pub fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    pieces(template).filter_map(|(_, name)| name)
}

/// Texts, each with the placeholder after it.
fn pieces(template: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(template);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let found = text.split_once('{').and_then(|(before, after)| {
            let (name, after) = after.split_once('}')?;
            Some((before, name, after))
        });
        match found {
            Some((before, name, after)) => {
                rest = Some(after);
                Some((before, Some(name)))
            }
            None => Some((text, None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        let mut values = Values::default();
        pairs.iter().for_each(|(name, value)| values.set(name, (*value).to_owned()));
        values
    }

    #[test]
    fn nothing_of_a_url_can_be_changed_by_a_part_of_it() {
        let long = "a".repeat(64);
        for (kind, good, bad) in [
            (
                Kind::Label,
                &["a", "My-resource1"][..],
                &["", "a.b", "a/b", "a_b", "-a", "a-", "a:1", "a@b", "a#", "ä", &long][..],
            ),
            (Kind::Host, &["a.b-c.d"], &["", ".", "a..b", ".a", "a.", "a/b", "a:1", "a_b"]),
            (
                Kind::Segment,
                &["2024-10-21", "gpt_4.1", "..a"],
                &["", ".", "..", "a/b", "a%2f", "a?b", "a#b", "a&b", "a b", "a\\", "é"],
            ),
            (Kind::Text, &["a b/?&é"], &["", "a\nb", "a\0"]),
        ] {
            assert!(good.iter().all(|value| kind.check(value).is_ok()), "{kind:?}");
            for value in bad {
                assert!(kind.check(value).is_err(), "{kind:?} {value:?}");
            }
        }
    }

    #[test]
    fn placeholders_are_filled_in() {
        let values = values(&[("a", "1"), ("b", "{a}")]);
        for (template, expanded) in [
            ("", Ok("")),
            ("x", Ok("x")),
            ("{a}", Ok("1")),
            ("x{a}/{b}y", Ok("x1/{a}y")),
            ("{c}", Err("c")),
            ("x{a", Ok("x{a")),
        ] {
            let got = values.expand(template);
            let expected = expanded.map(Cow::from).map_err(|name| Missing(name.to_owned()));
            assert_eq!(got, expected, "{template}");
        }
        assert_eq!(placeholders("x{a}/{b}y").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn no_value_is_shown() {
        let shown = format!("{:?}", values(&[("azure_ad_token", "eyJ")]));
        assert_eq!(shown, "{\"azure_ad_token\"}");
    }
}

//! Portkey's config object: <https://portkey.ai/docs/api-reference/inference-api/config-object>.
//! This version knows the strategy `single`, nested, with Portkey's inheritance.

use super::request::custom_host;
use crate::error::Error;
use crate::json::Object;
use crate::plan::Retry;
use serde_json::value::RawValue;

/// Strategies within strategies, at most.
const MAX_DEPTH: usize = 16;
/// Statuses that are retried when the config asks for attempts and names no statuses.
const RETRIED: [u16; 5] = [429, 500, 502, 503, 504];
/// Attempts after the first, at most.
const MAX_ATTEMPTS: u64 = 5;

/// The one target that a config leads to, with what it inherited.
#[derive(Debug, Default)]
pub struct Target {
    /// Where it stands, such as `config.targets[0]`: `x-portkey-last-used-option-index`.
    pub path: String,
    /// Slug of a provider, or `@` and the slug of a virtual key.
    pub provider: Option<String>,
    /// Slug of a virtual key.
    pub virtual_key: Option<String>,
    /// The caller's own credential for the provider.
    pub api_key: Option<String>,
    /// Body fields that replace the client's, as a JSON object.
    pub override_params: Option<Box<RawValue>>,
    /// What is tried again.
    pub retry: Retry,
    /// Milliseconds until the response headers.
    pub request_timeout: Option<u64>,
    /// `strict_open_ai_compliance` is `false`.
    pub relaxed: bool,
}

/// Follows a config object to its target.
///
/// # Errors
/// The first field that is wrong, by its path.
pub fn parse(json: &str) -> Result<Target, Error> {
    let mut target = Target { path: "config".to_owned(), ..Target::default() };
    let mut text = json.to_owned();
    for _ in 0..MAX_DEPTH {
        let object = Object::parse(text.as_bytes())
            .map_err(|error| invalid(&target.path, &error.to_string()))?;
        let path = target.path.clone();
        let node = Node { object: &object, path: &path };
        node.inherited()?.apply(&mut target);
        let Some(first) = node.first_target()? else {
            let (provider, virtual_key) = (node.string("provider")?, node.string("virtual_key")?);
            let api_key = node.string("api_key")?;
            return Ok(Target { provider, virtual_key, api_key, ..target });
        };
        target.path.push_str(".targets[0]");
        text = first;
    }
    Err(invalid(&target.path, "strategies are nested too deeply"))
}

/// One object of the tree, and where it stands.
struct Node<'a> {
    object: &'a Object<'a>,
    path: &'a str,
}

/// The settings of a node that its targets inherit.
struct Inherited {
    override_params: Option<Box<RawValue>>,
    retry: Option<Retry>,
    request_timeout: Option<u64>,
    relaxed: Option<bool>,
}

impl Inherited {
    fn apply(self, target: &mut Target) {
        target.override_params = merge(target.override_params.take(), self.override_params);
        target.request_timeout = self.request_timeout.or(target.request_timeout);
        target.relaxed = self.relaxed.unwrap_or(target.relaxed);
        if let Some(retry) = self.retry {
            target.retry = retry;
        }
    }
}

impl<'a> Node<'a> {
    /// The raw member of a snake_case name, also in camelCase; `null` counts as absent.
    fn get(&self, name: &str) -> Option<&'a str> {
        let value = self.object.get(name).or_else(|| self.object.get(&camel_case(name)));
        value.filter(|raw| *raw != "null")
    }

    fn invalid(&self, name: &str, reason: &str) -> Error {
        invalid(&format!("{}.{name}", self.path), reason)
    }

    fn string(&self, name: &str) -> Result<Option<String>, Error> {
        let parse =
            |raw| serde_json::from_str(raw).map_err(|_| self.invalid(name, "must be a string"));
        self.get(name).map(parse).transpose()
    }

    fn inherited(&self) -> Result<Inherited, Error> {
        if self.object.get("options").is_some() {
            let message = "This version of config is not supported in this route. Please migrate \
                           to the latest version";
            return Err(Error::invalid("invalid_config", message));
        }
        if self.get("custom_host").is_some() {
            return Err(custom_host().with_param(format!("{}.custom_host", self.path)));
        }
        let relaxed = match self.get("strict_open_ai_compliance") {
            None => None,
            Some("true") => Some(false),
            Some("false") => Some(true),
            Some(_) => return Err(self.invalid("strict_open_ai_compliance", "must be a boolean")),
        };
        let request_timeout = match self.get("request_timeout").map(str::parse) {
            None => None,
            Some(Ok(milliseconds)) if milliseconds > 0 => Some(milliseconds),
            Some(_) => {
                let reason = "must be a whole number of milliseconds, at least 1";
                return Err(self.invalid("request_timeout", reason));
            }
        };
        let (override_params, retry) = (self.override_params()?, self.retry()?);
        Ok(Inherited { override_params, retry, request_timeout, relaxed })
    }

    fn override_params(&self) -> Result<Option<Box<RawValue>>, Error> {
        let Some(raw) = self.get("override_params") else {
            return Ok(None);
        };
        Object::parse(raw.as_bytes())
            .map_err(|error| self.invalid("override_params", &error.to_string()))?;
        Ok(RawValue::from_string(raw.to_owned()).ok())
    }

    fn retry(&self) -> Result<Option<Retry>, Error> {
        let Some(raw) = self.get("retry") else {
            return Ok(None);
        };
        let object = Object::parse(raw.as_bytes())
            .map_err(|error| self.invalid("retry", &error.to_string()))?;
        let path = format!("{}.retry", self.path);
        let retry = Node { object: &object, path: &path };
        let attempts: u64 = match retry.get("attempts").map(str::parse) {
            Some(Ok(attempts)) => attempts,
            Some(Err(_)) => return Err(retry.invalid("attempts", "must be a whole number")),
            None => return Err(retry.invalid("attempts", "'retry.attempts' must be defined")),
        };
        let on_status_codes = match retry.get("on_status_codes").map(serde_json::from_str) {
            None => RETRIED.to_vec(),
            Some(Ok(codes)) => codes,
            Some(Err(_)) => {
                return Err(retry.invalid("on_status_codes", "must be a list of numbers"));
            }
        };
        let attempts = u32::try_from(attempts.min(MAX_ATTEMPTS)).unwrap_or_default();
        Ok(Some(Retry { attempts, on_status_codes }))
    }

    /// The raw first target, `None` for a leaf.
    fn first_target(&self) -> Result<Option<String>, Error> {
        self.check_mode()?;
        let Some(raw) = self.get("targets") else {
            return Ok(None);
        };
        let targets: Vec<&RawValue> =
            serde_json::from_str(raw).map_err(|_| self.invalid("targets", "must be a list"))?;
        match targets.first() {
            Some(first) => Ok(Some(first.get().to_owned())),
            None => Err(self.invalid("targets", "must not be empty")),
        }
    }

    fn check_mode(&self) -> Result<(), Error> {
        let Some(raw) = self.get("strategy") else {
            return Ok(());
        };
        let object = Object::parse(raw.as_bytes())
            .map_err(|error| self.invalid("strategy", &error.to_string()))?;
        let path = format!("{}.strategy", self.path);
        let strategy = Node { object: &object, path: &path };
        match strategy.string("mode")?.as_deref() {
            Some("single") => Ok(()),
            Some(mode @ ("loadbalance" | "fallback" | "conditional")) => {
                Err(strategy.invalid("mode", &format!("{mode} is not supported by this version")))
            }
            _ => {
                let reason = "Invalid 'mode' value. Must be one of: single, loadbalance, fallback, \
                              conditional";
                Err(strategy.invalid("mode", reason))
            }
        }
    }
}

/// Both objects' members; the child's win.
fn merge(parent: Option<Box<RawValue>>, child: Option<Box<RawValue>>) -> Option<Box<RawValue>> {
    let (Some(parent), Some(child)) = (&parent, &child) else {
        return child.or(parent);
    };
    let mut merged = Object::parse(parent.get().as_bytes()).ok()?;
    for (key, value) in Object::parse(child.get().as_bytes()).ok()?.iter() {
        merged.set(key, value.to_owned());
    }
    RawValue::from_string(String::from_utf8(merged.to_vec()).ok()?).ok()
}

fn invalid(path: &str, reason: &str) -> Error {
    Error::invalid("invalid_config", "Invalid config passed")
        .with_hint(format!("{path}: {reason}"))
        .with_param(path)
}

fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, word) in name.split('_').enumerate() {
        let mut chars = word.chars();
        match chars.next().filter(|_| at > 0) {
            Some(first) => out.extend(first.to_uppercase().chain(chars)),
            None => out.push_str(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_single_inherits_and_overrides() {
        let target = parse(
            r#"{"strategy":{"mode":"single"},"request_timeout":100,"retry":{"attempts":9},
            "override_params":{"a":1,"b":2.50},"targets":[
              {"targets":[{"virtualKey":"vk","overrideParams":{"b":3},"strictOpenAiCompliance":false}]},
              {"provider":"never looked at"}]}"#,
        )
        .unwrap();
        assert_eq!(target.path, "config.targets[0].targets[0]");
        assert_eq!(target.virtual_key.as_deref(), Some("vk"));
        assert_eq!(target.override_params.unwrap().get(), r#"{"a":1,"b":3}"#);
        assert_eq!((target.request_timeout, target.relaxed), (Some(100), true));
        assert_eq!(target.retry, Retry { attempts: 5, on_status_codes: RETRIED.to_vec() });
    }

    #[test]
    fn errors_name_the_field() {
        let deep = format!("{}{{}}{}", r#"{"targets":["#.repeat(20), "]}".repeat(20));
        for (json, path, reason) in [
            ("[]", "config", "must be a JSON object"),
            (r#"{"provider":1}"#, "config.provider", "must be a string"),
            (r#"{"strategy":{"mode":"best"}}"#, "config.strategy.mode", "Invalid 'mode'"),
            (r#"{"strategy":{}}"#, "config.strategy.mode", "Invalid 'mode'"),
            (r#"{"strategy":{"mode":"fallback"}}"#, "config.strategy.mode", "not supported"),
            (r#"{"strategy":7}"#, "config.strategy", "must be a JSON object"),
            (r#"{"targets":{}}"#, "config.targets", "must be a list"),
            (r#"{"targets":[]}"#, "config.targets", "must not be empty"),
            (r#"{"targets":[7]}"#, "config.targets[0]", "must be a JSON object"),
            (r#"{"targets":[{"api_key":7}]}"#, "config.targets[0].api_key", "must be a string"),
            (r#"{"retry":{}}"#, "config.retry.attempts", "'retry.attempts' must be defined"),
            (r#"{"retry":{"attempts":-1}}"#, "config.retry.attempts", "a whole number"),
            (
                r#"{"retry":{"attempts":1,"on_status_codes":["x"]}}"#,
                "config.retry.on_status_codes",
                "numbers",
            ),
            (r#"{"request_timeout":0}"#, "config.request_timeout", "at least 1"),
            (r#"{"override_params":[]}"#, "config.override_params", "must be a JSON object"),
            (
                r#"{"strict_open_ai_compliance":"no"}"#,
                "config.strict_open_ai_compliance",
                "boolean",
            ),
            (&deep, "config.targets[0].targets[0]", "nested too deeply"),
        ] {
            let error = parse(json).unwrap_err();
            assert_eq!(error.message, "Invalid config passed");
            let hint = error.hint.unwrap();
            assert!(
                hint.contains(reason) && error.param.unwrap().starts_with(path),
                "{json}: {hint}"
            );
        }
    }

    #[test]
    fn what_portkey_refuses_in_other_words() {
        let error = parse(r#"{"options":[]}"#).unwrap_err();
        assert!(error.message.starts_with("This version of config is not supported"));
        assert_eq!(
            parse(r#"{"custom_host":"http://a"}"#).unwrap_err().message,
            "Invalid custom host"
        );
    }
}

//! Portkey's config object, checked: a tree of strategies with targets as its leaves.
//! <https://portkey.ai/docs/api-reference/inference-api/config-object>
//!
//! Every leaf carries the settings that it inherits, so that nothing else of the tree matters
//! once a leaf is chosen.

use super::inherit::Inherited;
use super::portkeys;
use super::query::Query;
use super::reader::{Problem, Problems, REQUIRED, Reader, expected, note};
use crate::error::Error;
use crate::http::is_header_value;
use crate::json::Object;
use crate::provider::{self, Kind as Setting, PROVIDERS, Values};
use serde_json::Value;
use serde_json::value::RawValue;

/// Strategies within strategies, at most.
const MAX_DEPTH: usize = 16;
/// Targets of a whole config, at most.
const MAX_TARGETS: usize = 100;
/// Tests of all conditions of a config, and regular expressions among them, at most.
const MAX_TESTS: usize = 200;
const MAX_REGEXES: usize = 16;
/// Fields that a sticky choice hashes, at most.
const MAX_HASH_FIELDS: usize = 16;

/// A node of the tree.
#[derive(Debug)]
pub struct Node {
    /// Where it stands, such as `config.targets[0]`.
    pub path: String,
    /// The name by which a condition names it.
    pub name: Option<String>,
    /// Its share under `loadbalance`.
    pub weight: f64,
    /// What it is.
    pub kind: Kind,
}

impl Default for Node {
    /// A target that names nothing.
    fn default() -> Self {
        let (path, kind) = ("config".to_owned(), Kind::Target(Box::default()));
        Self { path, name: None, weight: 1.0, kind }
    }
}

/// What a node is.
#[derive(Debug)]
pub enum Kind {
    /// A leaf.
    Target(Box<Target>),
    /// A choice among nodes, of which there is at least one.
    Strategy(Strategy, Vec<Node>),
}

/// How a choice is made.
#[derive(Debug)]
pub enum Strategy {
    /// The first.
    Single,
    /// One by weight.
    LoadBalance(Option<Sticky>),
    /// One after the other, until an answer is good.
    Fallback(Continue),
    /// The one that a condition names.
    Conditional(Vec<Condition>, Option<String>),
}

/// After which answers a fallback goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continue {
    /// These statuses; `None`: any but 2xx.
    pub on_status_codes: Option<Vec<u16>>,
    /// Whether it goes on after a refusal by a provider's content policy.
    pub on_content_policy: bool,
}

/// The same choice for the same values.
#[derive(Debug)]
pub struct Sticky {
    /// Such as `metadata.user`.
    pub fields: Vec<String>,
}

/// One case of a conditional strategy.
#[derive(Debug)]
pub struct Condition {
    /// When it applies.
    pub query: Query,
    /// Name of the target.
    pub then: String,
}

/// A leaf.
#[derive(Debug, Default)]
pub struct Target {
    /// Slug of a provider of the table.
    pub provider: Option<&'static str>,
    /// Slug of a virtual key.
    pub virtual_key: Option<String>,
    /// The caller's own credential for the provider.
    pub api_key: Option<String>,
    /// Settings of providers, not checked: which count, and what they may hold, depends on the
    /// provider that the request ends up at.
    pub provider_settings: Values,
    /// What it inherits.
    pub settings: Inherited,
}

/// What a reader of configs must know of the gateway.
pub trait Known {
    /// Whether there is a virtual key of that slug.
    fn has_virtual_key(&self, slug: &str) -> bool;
}

/// For tests: a gateway that has every virtual key.
#[cfg(test)]
pub(crate) struct Anything;

#[cfg(test)]
impl Known for Anything {
    fn has_virtual_key(&self, _: &str) -> bool {
        true
    }
}

/// Reads a config object.
///
/// # Errors
/// All that is wrong with it.
pub fn read(json: &str, known: &dyn Known) -> Result<Node, Problems> {
    let mut builder = Builder { known, targets: 0, tests: 0, regexes: 0, problems: Vec::new() };
    let node = builder.node(json, "config".to_owned(), &Inherited::default(), MAX_DEPTH);
    if builder.targets > MAX_TARGETS {
        note(&mut builder.problems, "config", format!("has more than {MAX_TARGETS} targets"));
    }
    match node {
        Some(node) if builder.problems.is_empty() => Ok(node),
        _ => Err(builder.problems),
    }
}

/// The virtual key of what follows an `@`: a slug, or a slug, a slash and a model.
pub fn slug_of(rest: &str) -> &str {
    rest.split_once('/').map_or(rest, |(slug, _)| slug)
}

/// A model's name of the form `@slug/model` in its parts. Names that begin with `@cf/` and `@hf/`
/// are Cloudflare's own.
pub fn split_model(name: &str) -> Option<(&str, &str)> {
    let (slug, model) = name.strip_prefix('@')?.split_once('/')?;
    (!matches!(slug, "cf" | "hf") && !model.is_empty()).then_some((slug, model))
}

/// A target that names no place or no key for it, in Portkey's words. A virtual key is both.
pub const INCOMPLETE: &str = "Invalid configuration. It must have either 'provider' and 'api_key', \
     or 'strategy' and 'targets', or 'cache', or 'retry', or 'request_timeout'";

/// What is wrong with a caller's config, as an answer.
pub fn error(problems: &[Problem]) -> Error {
    let mut problems: Vec<_> = problems.iter().map(|one| (one, one.as_portkey())).collect();
    problems.sort_by(|(_, one), (_, other)| portkeys::order(&one.0, &other.0));
    let Some((first, _)) = problems.first() else {
        return Error::invalid("invalid_config", "Invalid config passed");
    };
    let portkeys_words = [
        "This version of config is not supported",
        "No conditions passed in the query router",
        "Invalid target name found in the query router",
        "Unsupported operator used in the query router",
    ];
    let reason = first.reason.as_str();
    let message = match portkeys_words.iter().any(|words| reason.starts_with(words)) {
        true => reason,
        false if reason.starts_with("Invalid custom host") => "Invalid custom host",
        false => "Invalid config passed",
    };
    // The message need not be said twice.
    let rest = reason.strip_prefix(message).unwrap_or(reason).trim_start_matches([':', ' ']);
    let separator = if rest.is_empty() { "" } else { ": " };
    let mut error = Error::invalid("invalid_config", message)
        .with_hint([first.path.as_str(), separator, rest].concat())
        .with_param(&first.path);
    if message == "Invalid config passed" {
        let words = |(_, (path, reason)): &(_, _)| format!("path: {path}, message: {reason}");
        error.errors = problems.iter().map(words).collect();
    }
    error
}

struct Builder<'a> {
    known: &'a dyn Known,
    targets: usize,
    tests: usize,
    regexes: usize,
    problems: Problems,
}

impl Builder<'_> {
    fn node(&mut self, json: &str, path: String, parent: &Inherited, depth: usize) -> Option<Node> {
        let reader = Reader::new(json, &path, &mut self.problems)?;
        if reader.raw("options").is_some() {
            // Portkey's words for the form of its first versions.
            let reason = "This version of config is not supported in this route. Please migrate \
                          to the latest version";
            note(&mut self.problems, &path, reason);
            return None;
        }
        let settings = Inherited::read(&reader, parent, &mut self.problems);
        let name = reader.string("name", &mut self.problems);
        let weight = self.weight(&reader);
        let strategy = self.strategy(&reader);
        let kind = match reader.raw("targets") {
            Some(raw) => {
                let nodes = self.nodes(raw, &path, &settings, depth)?;
                let strategy = strategy.unwrap_or(Strategy::Single);
                self.check_choice(&strategy, &nodes, &path);
                Kind::Strategy(strategy, nodes)
            }
            None => {
                if strategy.as_ref().is_some_and(|strategy| !matches!(strategy, Strategy::Single)) {
                    note(&mut self.problems, &path, "a strategy needs 'targets'");
                }
                Kind::Target(Box::new(self.target(&reader, settings, &path)))
            }
        };
        drop(reader);
        Some(Node { path, name, weight, kind })
    }

    fn nodes(
        &mut self,
        raw: &str,
        path: &str,
        settings: &Inherited,
        depth: usize,
    ) -> Option<Vec<Node>> {
        let path = format!("{path}.targets");
        let Ok(raws) = serde_json::from_str::<Vec<&RawValue>>(raw) else {
            note(&mut self.problems, &path, expected("array", raw));
            return None;
        };
        if raws.is_empty() {
            note(&mut self.problems, &path, "must not be empty");
        }
        let Some(depth) = depth.checked_sub(1) else {
            note(&mut self.problems, &path, "is nested too deeply");
            return None;
        };
        self.targets += raws.len();
        if self.targets > MAX_TARGETS {
            return None;
        }
        let mut nodes = Vec::with_capacity(raws.len());
        for (at, raw) in raws.iter().enumerate() {
            nodes.extend(self.node(raw.get(), format!("{path}[{at}]"), settings, depth));
        }
        // A node that is missing has left its problem behind.
        (nodes.len() == raws.len() && !nodes.is_empty()).then_some(nodes)
    }

    fn weight(&mut self, reader: &Reader<'_>) -> f64 {
        let weight = reader.get("weight", "a number", &mut self.problems).unwrap_or(1.0);
        if !(0.0..=1e9).contains(&weight) {
            note(&mut self.problems, &reader.path("weight"), "must be from 0 to 1000000000");
        }
        weight
    }

    fn strategy(&mut self, reader: &Reader<'_>) -> Option<Strategy> {
        let path = reader.path("strategy");
        let reader = Reader::new(reader.raw("strategy")?, &path, &mut self.problems)?;
        let mode = reader.string("mode", &mut self.problems);
        match mode.as_deref() {
            Some("single") => Some(Strategy::Single),
            Some("loadbalance") => Some(Strategy::LoadBalance(self.sticky(&reader))),
            Some("fallback") => {
                let on_status_codes = reader.statuses("on_status_codes", &mut self.problems);
                let on_content_policy =
                    reader.get("on_content_policy", "a boolean", &mut self.problems);
                let on_content_policy = on_content_policy.unwrap_or(true);
                Some(Strategy::Fallback(Continue { on_status_codes, on_content_policy }))
            }
            Some("conditional") => {
                let default = reader.string("default", &mut self.problems);
                Some(Strategy::Conditional(self.conditions(&reader), default))
            }
            None if reader.raw("mode").is_none() => {
                note(&mut self.problems, &reader.path("mode"), REQUIRED);
                None
            }
            _ => {
                let reason = "Invalid 'mode' value. Must be one of: single, loadbalance, fallback, \
                              conditional";
                note(&mut self.problems, &reader.path("mode"), reason);
                None
            }
        }
    }

    fn sticky(&mut self, reader: &Reader<'_>) -> Option<Sticky> {
        let path = reader.path("sticky");
        let reader = Reader::new(reader.raw("sticky")?, &path, &mut self.problems)?;
        let enabled = reader.get("enabled", "a boolean", &mut self.problems).unwrap_or(true);
        let fields: Vec<String> =
            reader.get("hash_fields", "a list of strings", &mut self.problems).unwrap_or_default();
        let valid = |field: &String| {
            ["metadata.", "params.", "headers."].iter().any(|prefix| field.starts_with(prefix))
        };
        if !fields.iter().all(valid) {
            let reason = r#"hash_fields must start with "metadata.", "params.", or "headers.""#;
            note(&mut self.problems, &reader.path("hash_fields"), reason);
        }
        if fields.len() > MAX_HASH_FIELDS {
            let reason = format!("must not have more than {MAX_HASH_FIELDS}");
            note(&mut self.problems, &reader.path("hash_fields"), reason);
        }
        (enabled && !fields.is_empty()).then_some(Sticky { fields })
    }

    fn conditions(&mut self, reader: &Reader<'_>) -> Vec<Condition> {
        let path = reader.path("conditions");
        let conditions: Vec<Value> =
            reader.get("conditions", "a list", &mut self.problems).unwrap_or_default();
        if conditions.is_empty() {
            note(&mut self.problems, &path, "No conditions passed in the query router");
        }
        let mut out = Vec::new();
        for (at, condition) in conditions.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let Some(Value::String(then)) = condition.get("then") else {
                let reason = match condition.get("then") {
                    Some(_) => "must be the name of a target",
                    None => REQUIRED,
                };
                note(&mut self.problems, &format!("{path}.then"), reason);
                continue;
            };
            let query = condition.get("query").unwrap_or(&Value::Null);
            let query = Query::read(query, &format!("{path}.query"), &mut self.problems);
            out.extend(query.map(|query| Condition { query, then: then.clone() }));
        }
        for condition in &out {
            let (tests, regexes) = condition.query.size();
            self.tests += tests;
            self.regexes += regexes;
        }
        if self.tests > MAX_TESTS || self.regexes > MAX_REGEXES {
            let reason = format!(
                "the conditions of a config must not have more than {MAX_TESTS} tests, and \
                 {MAX_REGEXES} $regex among them"
            );
            note(&mut self.problems, &path, reason);
        }
        out
    }

    /// What must be true of a strategy and its targets together.
    fn check_choice(&mut self, strategy: &Strategy, nodes: &[Node], path: &str) {
        match strategy {
            Strategy::LoadBalance(_) if nodes.iter().all(|node| node.weight == 0.0) => {
                note(&mut self.problems, &format!("{path}.targets"), "need a weight above 0");
            }
            Strategy::Conditional(conditions, default) => {
                let names = conditions.iter().map(|condition| &condition.then).chain(default);
                for name in names {
                    if !nodes.iter().any(|node| node.name.as_ref() == Some(name)) {
                        let reason =
                            format!("Invalid target name found in the query router: {name}");
                        note(&mut self.problems, &format!("{path}.strategy"), reason);
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes the virtual key out of the model that override params name, if there is such a key.
    fn take_address(&self, settings: &mut Inherited) -> Option<String> {
        let params = settings.override_params.as_deref()?;
        let mut params = Object::parse(params.get().as_bytes()).ok()?;
        let model = params.string("model")?;
        let (slug, model) =
            split_model(&model).filter(|(slug, _)| self.known.has_virtual_key(slug))?;
        params.set("model", Value::from(model).to_string());
        let params = String::from_utf8(params.to_vec()).ok()?;
        settings.override_params = Some(RawValue::from_string(params).ok()?);
        Some(slug.to_owned())
    }

    fn target(&mut self, reader: &Reader<'_>, settings: Inherited, path: &str) -> Target {
        let mut target = Target { settings, ..Target::default() };
        target.virtual_key = reader.string("virtual_key", &mut self.problems);
        target.api_key = reader.string("api_key", &mut self.problems);
        if target.api_key.as_ref().is_some_and(|key| !is_header_value(key.as_bytes())) {
            let reason = "must be text without control characters";
            note(&mut self.problems, &reader.path("api_key"), reason);
        }
        for setting in PROVIDERS.iter().flat_map(|row| row.settings) {
            if target.provider_settings.get(setting.name).is_none()
                && let Some(value) = match setting.kind {
                    Setting::ServiceAccount => {
                        reader.string_or_object(setting.name, &mut self.problems)
                    }
                    _ => reader.string(setting.name, &mut self.problems),
                }
            {
                target.provider_settings.set(setting.name, value);
            }
        }
        let mut named_by = "virtual_key";
        let addressed = self.take_address(&mut target.settings);
        match reader.string("provider", &mut self.problems) {
            Some(name) => match (name.strip_prefix('@'), provider::find(&name)) {
                (Some(rest), _) => {
                    target.virtual_key = Some(slug_of(rest).to_owned());
                    named_by = "provider";
                }
                (None, Some(row)) => target.provider = Some(row.slug),
                (None, None) => {
                    let reason = match provider::reason(&name) {
                        Some(reason) => format!("{name} is not supported yet: {reason}"),
                        None => format!("there is no provider {name:?}"),
                    };
                    let reason = format!("{}: {reason}", portkeys::INVALID_PROVIDER);
                    note(&mut self.problems, &reader.path("provider"), reason);
                }
            },
            None if target.virtual_key.is_none() && addressed.is_none() && path != "config" => {
                note(&mut self.problems, path, INCOMPLETE);
            }
            None => {}
        }
        if target.virtual_key.is_none() && target.api_key.is_none() {
            target.virtual_key = addressed;
        }
        if let Some(slug) = &target.virtual_key
            && !self.known.has_virtual_key(slug)
        {
            let reason = format!("there is no virtual key {slug:?}");
            note(&mut self.problems, &reader.path(named_by), reason);
        }
        target
    }
}

//! Tools: OpenAI's functions, and Gemini's own tools in three forms.

use super::super::raw::{array, object, text, write_comma, write_key, write_member};
use super::{missing, schema, under, wrong_type};
use crate::error::Error;
use crate::json::{Object, write_string};
use serde_json::value::RawValue;
use std::collections::HashSet;

members! {
    struct Tool<'a> {
        kind: Option<&'a RawValue> = "type",
        function: Option<&'a RawValue>,
    }

    struct Function<'a> {
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        parameters: Option<&'a RawValue>,
    }
}

/// A tool of Gemini's that Portkey's clients ask for as a function of its name; its options are
/// the function's parameters.
struct BuiltIn {
    name: &'static str,
    options: &'static [&'static str],
}

const BUILT_IN: [BuiltIn; 4] = [
    BuiltIn { name: "googleSearch", options: &["timeRangeFilter", "excludeDomains"] },
    BuiltIn { name: "googleSearchRetrieval", options: &["dynamicRetrievalConfig"] },
    BuiltIn { name: "computerUse", options: &["environment", "excludedPredefinedFunctions"] },
    BuiltIn { name: "googleMaps", options: &["enableWidget"] },
];

/// What of the tools matters to the tool config.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Whether there is a function to choose.
    pub(super) functions: bool,
    /// Raw JSON of a `retrievalConfig`.
    pub(super) retrieval: Option<String>,
}

/// Appends the member `tools`; with `allowed` only the functions of these names.
///
/// # Errors
/// A tool that Gemini has nothing for; `param` is the path of the field.
pub(super) fn write(
    out: &mut Vec<u8>,
    tools: &str,
    allowed: Option<&HashSet<String>>,
) -> Result<Written, Error> {
    let tools = array(tools).ok_or_else(|| wrong_type("tools", "an array"))?;
    let (functions, others) = (Vec::new(), Vec::new());
    let left = schema::MAX_WORK;
    let mut sorter = Sorter { functions, others, retrieval: None, allowed, left };
    for (at, raw) in tools.into_iter().enumerate() {
        sorter.add(raw).map_err(|error| under(error, &format!("tools[{at}]")))?;
    }
    let Sorter { functions, others, retrieval, .. } = sorter;
    if functions.is_empty() && others.is_empty() {
        return Ok(Written::default());
    }
    write_key(out, "tools");
    out.push(b'[');
    if !functions.is_empty() {
        out.extend_from_slice(b"{\"functionDeclarations\":[");
        out.extend_from_slice(&functions);
        out.extend_from_slice(b"]}");
    }
    if !others.is_empty() {
        write_comma(out);
        out.extend_from_slice(&others);
    }
    out.push(b']');
    Ok(Written { functions: !functions.is_empty(), retrieval })
}

/// Functions go into one tool together, others are a tool each.
struct Sorter<'t> {
    functions: Vec<u8>,
    others: Vec<u8>,
    retrieval: Option<String>,
    allowed: Option<&'t HashSet<String>>,
    /// What may still be read of schemas, in bytes.
    left: usize,
}

impl Sorter<'_> {
    fn add(&mut self, raw: &RawValue) -> Result<(), Error> {
        let (Some(tool), Ok(members)) =
            (object::<Tool<'_>>(raw.get()), Object::parse(raw.get().as_bytes()))
        else {
            let message = "a tool must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        match (tool.kind.and_then(text).as_deref(), tool.function) {
            (Some("function"), Some(function)) => {
                self.add_function(function).map_err(|error| under(error, "function"))?;
            }
            (Some("function"), None) => return Err(missing("function")),
            // Gemini's own form.
            (None, _) if members.iter().any(|(_, value)| value.starts_with(['{', '['])) => {
                self.add_other(raw.get());
            }
            (None, _) => return Err(missing("type")),
            // The form that Portkey has for other providers' own tools.
            (Some(kind), _)
                if kind != "custom"
                    && members.get(kind).is_some_and(|options| options.starts_with('{')) =>
            {
                let mut own = b"{".to_vec();
                write_string(&mut own, &camel_case(kind));
                own.push(b':');
                own.extend_from_slice(members.get(kind).unwrap_or_default().as_bytes());
                own.push(b'}');
                self.add_other(&String::from_utf8_lossy(&own));
            }
            (Some(kind), _) => {
                let kind: String = kind.chars().take(64).collect();
                let message = format!("tools of type {kind:?} are not supported by google");
                return Err(Error::invalid("unsupported_tool", message).with_param("type"));
            }
        }
        Ok(())
    }

    fn add_other(&mut self, tool: &str) {
        if !self.others.is_empty() {
            self.others.push(b',');
        }
        self.others.extend_from_slice(tool.as_bytes());
    }

    fn add_function(&mut self, function: &RawValue) -> Result<(), Error> {
        let Some(function) = object::<Function<'_>>(function.get()) else {
            return Err(Error::invalid("invalid_type", "function must be an object"));
        };
        let name = function.name.and_then(text).ok_or_else(|| missing("name"))?;
        let camel_case = camel_case(&name);
        if let Some(tool) = BUILT_IN.iter().find(|tool| tool.name == camel_case) {
            self.add_built_in(tool, function.parameters);
            return Ok(());
        }
        if self.allowed.is_some_and(|allowed| !allowed.contains(name.as_ref())) {
            return Ok(());
        }
        let out = &mut self.functions;
        if !out.is_empty() {
            out.push(b',');
        }
        out.push(b'{');
        write_member(out, "name", &name);
        if let Some(description) = function.description {
            write_key(out, "description");
            out.extend_from_slice(description.get().as_bytes());
        }
        if let Some(parameters) = function.parameters {
            let schema = schema::clean(parameters.get(), &mut self.left)
                .map_err(|e| under(e, "parameters"))?;
            // Gemini refuses an object without properties here.
            if has_properties(&schema) {
                write_key(out, "parameters");
                out.extend_from_slice(&schema);
            }
        }
        out.push(b'}');
        Ok(())
    }

    fn add_built_in(&mut self, tool: &BuiltIn, parameters: Option<&RawValue>) {
        let parsed = parameters.and_then(|raw| Object::parse(raw.get().as_bytes()).ok());
        let options = parsed.unwrap_or_default();
        let mut out = b"{".to_vec();
        write_key(&mut out, tool.name);
        out.push(b'{');
        for name in tool.options {
            if let Some(value) = option(&options, name) {
                write_key(&mut out, name);
                out.extend_from_slice(value.as_bytes());
            }
        }
        out.extend_from_slice(b"}}");
        if let Some(retrieval) = option(&options, "retrievalConfig") {
            self.retrieval = Some(retrieval.to_owned());
        }
        self.add_other(&String::from_utf8_lossy(&out));
    }
}

/// An option under its name, or under the same name in snake case.
fn option<'a>(options: &'a Object<'_>, name: &str) -> Option<&'a str> {
    options.iter().find(|(key, _)| camel_case(key) == name).map(|(_, value)| value)
}

/// A name in snake case as Google's JSON has it; others stay.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

fn has_properties(schema: &[u8]) -> bool {
    let Ok(schema) = Object::parse(schema) else { return false };
    if schema.iter().next().is_none() {
        return false;
    }
    schema.string("type").as_deref() != Some("object")
        || schema.get("anyOf").is_some()
        || schema.get("properties").is_some_and(|properties| properties != "{}")
}

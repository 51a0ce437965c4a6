//! Tools and the choice among them: `toolConfig`.
//!
//! Converse knows no choice of none. Without tools the model calls none, but they must be there
//! when the conversation has calls or results of tools; then the choice is left to the model.

use super::super::Dropped;
use super::super::raw::{array, object, string, text, write_comma, write_key, write_member};
use super::super::tool_choice::{Mode, ToolChoice};
use super::content::write_cache_point;
use super::model::{Family, Model};
use super::{missing, present, under, wrong_type};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

members! {
    struct Tool<'a> {
        kind: Option<&'a RawValue> = "type",
        function: Option<&'a RawValue>,
        cache_control: Option<&'a RawValue>,
    }

    struct Function<'a> {
        name: Option<&'a RawValue>,
        description: Option<&'a RawValue>,
        parameters: Option<&'a RawValue>,
        strict: Option<&'a RawValue>,
    }
}

/// The tools of a request, as they are written.
struct Tools<'a> {
    choice: ToolChoice<'a>,
    model: &'a Model,
    /// Functions, in an open array.
    functions: Vec<u8>,
    /// The model's own tools, in an open array.
    own: Vec<u8>,
    dropped: &'a mut Dropped,
}

/// Appends the member `toolConfig`, where there is something to say. `spoken`: the conversation has
/// calls or results of tools. Gives the model's own tools as a JSON array, or nothing.
///
/// # Errors
/// A tool or a choice that Bedrock has nothing for; `param` is the path of the field.
pub(super) fn write(
    out: &mut Vec<u8>,
    request: &Object<'_>,
    model: &Model,
    spoken: bool,
    dropped: &mut Dropped,
) -> Result<Vec<u8>, Error> {
    let choice = present(request, "tool_choice").map(ToolChoice::parse).transpose()?;
    let choice = choice.unwrap_or_default();
    let (functions, own) = (b"[".to_vec(), b"[".to_vec());
    let mut tools = Tools { choice, model, functions, own, dropped };
    let given = present(request, "tools");
    let list = given.map(|raw| array(raw).ok_or_else(|| wrong_type("tools", "an array")));
    for (at, raw) in list.transpose()?.into_iter().flatten().enumerate() {
        tools.tool(raw).map_err(|error| under(error, &format!("tools[{at}]")))?;
    }
    let Tools { choice, functions, mut own, dropped, .. } = tools;
    let none = matches!(choice.mode, Mode::None) && !spoken;
    if matches!(choice.mode, Mode::None) && spoken {
        dropped.add("tool_choice");
    }
    let must = matches!(choice.mode, Mode::Required | Mode::Function(_));
    if must && functions.len() == 1 && own.len() == 1 {
        let message = "tool_choice asks for a call, and there is no tool";
        return Err(Error::invalid("invalid_value", message).with_param("tool_choice"));
    }
    if functions.len() > 1 && !none {
        write_config(out, &functions, &choice.mode);
    }
    own.push(b']');
    Ok(if own.len() > 2 && !none { own } else { Vec::new() })
}

fn write_config(out: &mut Vec<u8>, functions: &[u8], mode: &Mode<'_>) {
    write_key(out, "toolConfig");
    out.extend_from_slice(b"{\"tools\":");
    out.extend_from_slice(functions);
    out.push(b']');
    match mode {
        Mode::Absent | Mode::None => {}
        Mode::Auto => out.extend_from_slice(b",\"toolChoice\":{\"auto\":{}}"),
        Mode::Required => out.extend_from_slice(b",\"toolChoice\":{\"any\":{}}"),
        Mode::Function(name) => {
            out.extend_from_slice(b",\"toolChoice\":{\"tool\":{");
            write_member(out, "name", name);
            out.extend_from_slice(b"}}");
        }
    }
    out.push(b'}');
}

impl Tools<'_> {
    fn tool(&mut self, raw: &RawValue) -> Result<(), Error> {
        let Some(tool) = object::<Tool<'_>>(raw.get()) else {
            let message = "a tool must be an object without duplicate members";
            return Err(Error::invalid("invalid_type", message));
        };
        let kind = tool.kind.and_then(text).ok_or_else(|| missing("type"))?;
        if kind != "function" {
            return self.own_tool(raw, &kind);
        }
        let function = tool.function.ok_or_else(|| missing("function"))?;
        self.function(function, tool.cache_control).map_err(|error| under(error, "function"))
    }

    fn function(&mut self, raw: &RawValue, cache_control: Option<&RawValue>) -> Result<(), Error> {
        let Some(function) = object::<Function<'_>>(raw.get()) else {
            return Err(Error::invalid("invalid_type", "function must be an object"));
        };
        let name = function.name.and_then(text).ok_or_else(|| missing("name"))?;
        let allowed = self.choice.allowed.as_ref();
        if allowed.is_some_and(|allowed| !allowed.contains(name.as_ref())) {
            return Ok(());
        }
        // Converse requires a schema, where OpenAI lets a function without parameters have none.
        let parameters = function.parameters.map(RawValue::get).filter(|raw| *raw != "null");
        let parameters = parameters.unwrap_or("{\"type\":\"object\",\"properties\":{}}");
        if !parameters.starts_with('{') {
            return Err(wrong_type("parameters", "an object"));
        }
        let out = &mut self.functions;
        write_comma(out);
        out.extend_from_slice(b"{\"toolSpec\":{");
        write_member(out, "name", &name);
        let description = function.description.and_then(text);
        if let Some(description) = description.filter(|it| !it.is_empty()) {
            write_member(out, "description", &description);
        }
        out.extend_from_slice(b",\"inputSchema\":{\"json\":");
        out.extend_from_slice(parameters.as_bytes());
        out.push(b'}');
        let strict = function.strict.is_some_and(|strict| strict.get() == "true");
        match strict {
            true if self.model.takes_schema() => out.extend_from_slice(b",\"strict\":true"),
            true => self.dropped.add("tools.function.strict"),
            false => {}
        }
        out.extend_from_slice(b"}}");
        // Amazon's own models refuse a cache point among tools.
        match self.model.family {
            Family::Amazon if cache_control.is_some() => self.dropped.add("tools.cache_control"),
            _ => write_cache_point(out, cache_control),
        }
        Ok(())
    }

    /// A tool of Anthropic's as Portkey has it, `{"type":T,T:{"name":V,...}}`: its name is T, and
    /// its type, which tells the version, is V. Or in Anthropic's own form.
    fn own_tool(&mut self, raw: &RawValue, kind: &str) -> Result<(), Error> {
        let tool = Object::parse(raw.get().as_bytes());
        let tool = tool.map_err(|_| wrong_type("tool", "an object without duplicate members"))?;
        if !self.model.is_claude() || kind == "custom" {
            let message = "only tools of type function are supported by this model of bedrock";
            return Err(Error::invalid("unsupported_tool", message).with_param("type"));
        }
        write_comma(&mut self.own);
        let Some(options) = tool.get(kind).filter(|options| options.starts_with('{')) else {
            self.own.extend_from_slice(raw.get().as_bytes());
            return Ok(());
        };
        let parsed = Object::parse(options.as_bytes());
        let options =
            parsed.map_err(|_| wrong_type(kind, "an object without duplicate members"))?;
        let version = options.get("name").and_then(string);
        let version = version.ok_or_else(|| under(missing("name"), kind))?;
        self.own.push(b'{');
        write_member(&mut self.own, "type", &version);
        write_member(&mut self.own, "name", kind);
        for (key, value) in options.iter().filter(|(key, _)| !matches!(*key, "name" | "type")) {
            write_key(&mut self.own, key);
            self.own.extend_from_slice(value.as_bytes());
        }
        self.own.push(b'}');
        Ok(())
    }
}

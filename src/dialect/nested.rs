//! What is left out below the top level of a chat completion request. Named is what the model is
//! not told or what the answer will not keep to, not what has another form in the provider's API.

use super::Dropped;
use super::raw::{array, object, text};
use crate::json::Object;
use memchr::memmem;
use serde_json::value::RawValue;

/// A field that a format may have no place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nested {
    /// Who of several users or assistants speaks. The name of a tool's result is its call's.
    Name,
    /// How closely an image is looked at, where it is not `auto`.
    Detail,
    /// Whether the arguments of a call must keep to the schema.
    Strict,
}

members! {
    struct Message<'a> {
        role: Option<&'a RawValue>,
        name: Option<&'a RawValue>,
        content: Option<&'a RawValue>,
    }

    struct Part<'a> {
        image_url: Option<&'a RawValue>,
    }

    struct ImageUrl<'a> {
        detail: Option<&'a RawValue>,
    }

    struct Tool<'a> {
        function: Option<&'a RawValue>,
    }

    struct Function<'a> {
        strict: Option<&'a RawValue>,
    }
}

/// Notes those of the `fields` that a request has.
pub(super) fn add(dropped: &mut Dropped, request: &Object<'_>, fields: &[Nested]) {
    for field in fields {
        // Few requests have any of them, and a search is cheaper than a parse.
        let (member, key, name) = match field {
            Nested::Name => ("messages", "\"name\"", "messages.name"),
            Nested::Detail => ("messages", "\"detail\"", "messages.content.image_url.detail"),
            Nested::Strict => ("tools", "\"strict\"", "tools.function.strict"),
        };
        let raw = request.get(member).unwrap_or_default();
        if memmem::find(raw.as_bytes(), key.as_bytes()).is_some()
            && array(raw).into_iter().flatten().any(|element| field.is_in(element.get()))
        {
            dropped.add(name);
        }
    }
}

impl Nested {
    /// Whether a message, or a tool, has it.
    fn is_in(self, raw: &str) -> bool {
        match self {
            Self::Name => object(raw).is_some_and(|message| is_named(&message)),
            Self::Detail => {
                let message: Option<Message<'_>> = object(raw);
                let parts = message.and_then(|message| array(message.content?.get()));
                parts.into_iter().flatten().any(|part| has_detail(part.get()))
            }
            Self::Strict => {
                let function = object(raw).and_then(|tool: Tool<'_>| object(tool.function?.get()));
                let strict = function.and_then(|function: Function<'_>| function.strict);
                strict.is_some_and(|strict| strict.get() == "true")
            }
        }
    }
}

fn is_named(message: &Message<'_>) -> bool {
    let role = message.role.and_then(text);
    message.name.and_then(text).is_some_and(|name| !name.is_empty())
        && !matches!(role.as_deref(), Some("tool" | "function"))
}

fn has_detail(part: &str) -> bool {
    let image = object(part).and_then(|part: Part<'_>| object(part.image_url?.get()));
    let detail = image.and_then(|image: ImageUrl<'_>| text(image.detail?));
    detail.is_some_and(|detail| detail != "auto")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_meaning_is_named() {
        use Nested::{Detail, Name, Strict};
        let all = [Name, Detail, Strict];
        let names = "messages.name,messages.content.image_url.detail,tools.function.strict";
        let image = |detail: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":
                   {{"url":"u","detail":{detail}}}}}]}}]}}"#
            )
        };
        let result = r#"{"messages":[{"role":"tool","name":"f","content":"\"detail\""}]}"#;
        let tool = |strict: &str| format!(r#"{{"tools":[{{"function":{{"strict":{strict}}}}}]}}"#);
        for (body, fields, expected) in [
            (r#"{"messages":[{"role":"user","name":"Ada"}]}"#.to_owned(), &all[..], Some("name")),
            (r#"{"messages":[{"role":"user","name":"Ada"}]}"#.to_owned(), &all[1..], None),
            (r#"{"messages":[{"role":"user","name":null}]}"#.to_owned(), &all, None),
            (result.to_owned(), &all, None),
            (image("\"low\""), &all, Some("detail")),
            (image("\"auto\""), &all, None),
            (tool("true"), &all, Some("strict")),
            (tool("false"), &all, None),
            (
                r#"{"messages":"\"name\"","tools":["\"strict\"",{"function":3}]}"#.to_owned(),
                &all,
                None,
            ),
        ] {
            let request = Object::parse(body.as_bytes()).unwrap();
            let mut dropped = Dropped::default();
            add(&mut dropped, &request, fields);
            let list = dropped.list();
            let found = list.as_deref().map(|name| name.rsplit('.').next().unwrap());
            assert_eq!(found, expected, "{body}");
            assert!(list.is_none_or(|name| names.contains(&name)));
        }
    }
}

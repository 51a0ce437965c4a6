//! Keywords of one schema object that Gemini has another form for.

use super::super::super::raw::{array, string, write_comma, write_key};
use crate::json::{Object, write_string};
use serde_json::value::RawValue;
use std::collections::HashSet;

/// Keywords that belong to one type, with that type.
const TYPED: [(&str, &str); 8] = [
    ("items", "array"),
    ("minItems", "array"),
    ("maxItems", "array"),
    ("properties", "object"),
    ("required", "object"),
    ("propertyOrdering", "object"),
    ("minProperties", "object"),
    ("maxProperties", "object"),
];

/// Types that JSON Schema has, but for null.
const MAX_TYPES: usize = 6;

/// Sets a keyword that is not there yet; `value` is raw JSON.
pub(super) fn fill(schema: &mut Object<'_>, key: &str, value: &str) {
    if schema.get(key).is_none() {
        schema.set(key, value.to_owned());
    }
}

/// Adds what `other` says to a schema; where both say something, the schema's own counts, but
/// properties and the lists of required ones are joined.
pub(super) fn merge(schema: &mut Object<'_>, other: &Object<'_>) {
    for (key, value) in other.iter() {
        let joined = match (key, schema.get(key)) {
            ("properties", Some(own)) => join_objects(own, value),
            ("required", Some(own)) => join_arrays(own, value),
            _ => None,
        };
        match joined {
            Some(joined) => schema.set(key, joined),
            None => fill(schema, key, value),
        }
    }
}

fn join_objects(own: &str, other: &str) -> Option<String> {
    let mut joined = Object::parse(own.as_bytes()).ok()?;
    for (key, value) in Object::parse(other.as_bytes()).ok()?.iter() {
        fill(&mut joined, key, value);
    }
    String::from_utf8(joined.to_vec()).ok()
}

fn join_arrays(own: &str, other: &str) -> Option<String> {
    let mut seen = HashSet::new();
    let items = array(own)?.into_iter().chain(array(other)?).map(RawValue::get);
    Some(to_array(items.filter(|item| seen.insert(*item))))
}

fn to_array<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let mut out = b"[".to_vec();
    for item in items {
        write_comma(&mut out);
        out.extend_from_slice(item.as_bytes());
    }
    out.push(b']');
    String::from_utf8(out).unwrap_or_default()
}

/// Whether a schema takes nothing but null.
pub(super) fn is_null(raw: &str) -> bool {
    Object::parse(raw.as_bytes()).is_ok_and(|schema| {
        schema.string("type").as_deref() == Some("null") || schema.get("const") == Some("null")
    })
}

/// Makes those members that are not null the schema's alternatives.
pub(super) fn set_alternatives(schema: &mut Object<'_>, members: &[&RawValue]) {
    let members = members.iter().map(|it| it.get()).filter(|it| !is_null(it));
    schema.set("anyOf", to_array(members));
}

/// Puts lists of types, constants and values that are no strings into Gemini's form.
pub(super) fn simplify(schema: &mut Object<'_>) {
    split_types(schema);
    if let Some(value) = schema.get("const").map(str::to_owned) {
        fill(schema, "enum", &["[", &value, "]"].concat());
    }
    simplify_enum(schema);
    if schema.get("type").is_none() && schema.get("anyOf").is_none() {
        let kind = match &*schema {
            it if it.get("properties").is_some() => "\"object\"",
            it if it.get("items").is_some() => "\"array\"",
            it if it.get("enum").is_some() => "\"string\"",
            _ => return,
        };
        fill(schema, "type", kind);
    }
    complete(schema);
}

/// Adds and removes what Gemini would refuse the request for: an array without items, a required
/// property that there is not.
fn complete(schema: &mut Object<'_>) {
    if schema.get("type") == Some("\"array\"") && schema.get("items").is_none() {
        let tuple = schema.get("prefixItems").filter(|raw| raw.starts_with("[{"));
        let items = match tuple {
            Some(members) => ["{\"anyOf\":", members, "}"].concat(),
            None => "{\"type\":\"string\"}".to_owned(),
        };
        schema.set("items", items);
    }
    let Some(required) = schema.get("required").and_then(array) else { return };
    let properties = schema.get("properties").and_then(|raw| Object::parse(raw.as_bytes()).ok());
    let properties = properties.unwrap_or_default();
    let known: HashSet<&str> = properties.iter().map(|(name, _)| name).collect();
    let is_known = |raw: &&str| string(raw).is_some_and(|name| known.contains(name.as_ref()));
    let kept = to_array(required.iter().map(|raw| raw.get()).filter(is_known));
    match kept == "[]" {
        true => drop(schema.remove("required")),
        false => schema.set("required", kept),
    }
}

/// A list of types becomes `nullable` and one type, or an alternative for each.
fn split_types(schema: &mut Object<'_>) {
    let Some(list) = schema.get("type").filter(|raw| raw.starts_with('[')).map(str::to_owned)
    else {
        return;
    };
    let types: Vec<_> = array(&list).into_iter().flatten().map(RawValue::get).collect();
    // Each type once: the keywords of a type are copied for it.
    let mut named: Vec<&str> = Vec::new();
    for kind in types.iter().copied().filter(|kind| *kind != "\"null\"") {
        if named.len() < MAX_TYPES && !named.contains(&kind) {
            named.push(kind);
        }
    }
    schema.remove("type");
    if types.contains(&"\"null\"") {
        fill(schema, "nullable", "true");
    }
    if let [kind] = named.as_slice() {
        return schema.set("type", (*kind).to_owned());
    }
    let alternatives: Vec<String> = named.iter().map(|kind| alternative(schema, kind)).collect();
    for (keyword, _) in TYPED {
        schema.remove(keyword);
    }
    if !alternatives.is_empty() {
        fill(schema, "anyOf", &to_array(alternatives.iter().map(String::as_str)));
    }
}

/// A schema of one type with the keywords that belong to that type.
fn alternative(schema: &Object<'_>, kind: &str) -> String {
    let mut out = b"{\"type\":".to_vec();
    out.extend_from_slice(kind.as_bytes());
    for (keyword, owner) in TYPED {
        if let Some(value) = schema.get(keyword)
            && string(kind).is_some_and(|kind| kind == owner)
        {
            write_key(&mut out, keyword);
            out.extend_from_slice(value.as_bytes());
        }
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// Gemini's `enum` is a list of strings. Other values are told in the description.
fn simplify_enum(schema: &mut Object<'_>) {
    let Some(list) = schema.get("enum").map(str::to_owned) else { return };
    let values: Vec<_> = array(&list).into_iter().flatten().map(RawValue::get).collect();
    let (nulls, values): (Vec<&str>, Vec<&str>) = values.iter().partition(|it| **it == "null");
    if !nulls.is_empty() {
        fill(schema, "nullable", "true");
    }
    if values.iter().all(|value| value.starts_with('"')) {
        match values.is_empty() {
            true => drop(schema.remove("enum")),
            false => schema.set("enum", to_array(values.iter().copied())),
        }
        return;
    }
    schema.remove("enum");
    let is_number = |raw: &&str| raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let kind = match values.as_slice() {
        values if values.iter().all(is_number) => "\"number\"",
        values if values.iter().all(|raw| ["true", "false"].contains(raw)) => "\"boolean\"",
        _ => "\"string\"",
    };
    if schema.get("anyOf").is_none() {
        fill(schema, "type", kind);
    }
    let own = schema.string("description");
    let space = if own.is_some() { " " } else { "" };
    let description =
        [own.as_deref().unwrap_or(""), space, "One of: ", &values.join(", "), "."].concat();
    let mut out = Vec::new();
    write_string(&mut out, &description);
    schema.set("description", String::from_utf8(out).unwrap_or_default());
}

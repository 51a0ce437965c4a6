//! The log's fields, for people and programs: docs/log.md and docs/log.schema.json.

use serde_json::{Map, Value, json};

use crate::record::table::{FIELDS, Field, Kind, Source, VERSION};

/// The part of docs/log.md between its markers.
pub fn markdown() -> String {
    let mut out = "| field | type | unit | from | OpenTelemetry | meaning |\n".to_owned();
    out.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for field in FIELDS {
        let (kind, _) = kind(field.kind);
        let from = match field.source {
            Source::Envoy => "Envoy",
            Source::Gateway => "gateway role",
            Source::Provider => "provider role",
        };
        let attribute = field.attribute.map(|name| format!("`{name}`")).unwrap_or_default();
        let (name, unit, meaning) = (field.name, field.unit.unwrap_or_default(), field.description);
        out.push_str(&format!(
            "| `{name}` | {kind} | {unit} | {from} | {attribute} | {meaning} |\n"
        ));
    }
    out
}

/// JSON Schema of a line.
pub fn schema() -> String {
    let members: Map<String, Value> =
        FIELDS.iter().map(|field| (field.name.to_owned(), member(field))).collect();
    let envoys = FIELDS.iter().filter(|field| field.source == Source::Envoy);
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("A line of the log, version {VERSION}"),
        "type": "object",
        "properties": members,
        "required": envoys.map(|field| field.name).collect::<Vec<_>>(),
        "additionalProperties": true,
    });
    format!("{schema:#}\n")
}

fn member(field: &Field) -> Value {
    let (name, least) = kind(field.kind);
    let mut member = Map::new();
    let nullable = field.source != Source::Envoy;
    let kind = if nullable { json!([name, "null"]) } else { json!(name) };
    member.insert("type".to_owned(), kind);
    if let Some(least) = least {
        member.insert("minimum".to_owned(), least.into());
    }
    if field.name == "schema" {
        member.insert("const".to_owned(), VERSION.into());
    }
    let unit = field.unit.map(|unit| format!(" ({unit})")).unwrap_or_default();
    member.insert("description".to_owned(), format!("{}{unit}", field.description).into());
    Value::Object(member)
}

/// JSON Schema's word for a type, and the least value.
fn kind(kind: Kind) -> (&'static str, Option<u64>) {
    match kind {
        Kind::Text => ("string", None),
        Kind::Count => ("integer", Some(0)),
        Kind::Number => ("number", None),
        Kind::Flag => ("boolean", None),
        Kind::Object => ("object", None),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documents_are_current() {
        let page = include_str!("../../docs/log.md");
        assert!(page.contains(&super::markdown()), "run `make docs`");
        assert_eq!(include_str!("../../docs/log.schema.json"), super::schema(), "run `make docs`");
    }
}

//! The log record of a request: what Envoy's access loggers read from filter state.
//!
//! Encoded as `google.protobuf.Struct`
//! (<https://protobuf.dev/reference/protobuf/google.protobuf/#struct>), so that the loggers get
//! typed values. The native tool renders the log format from [`FIELDS`].

use crate::dialect::Facts;
use crate::report::Report;
use serde_json::Value;

/// Name of the property that holds the record; in filter state it has the prefix `wasm.`.
pub const PROPERTY: &str = "portkey.log";

/// The protobuf type of the record.
pub const TYPE_URL: &str = "type.googleapis.com/google.protobuf.Struct";

/// Every field of the record. One that is unknown for a request is absent.
pub const FIELDS: &[&str] = &[
    "trace_id",
    "metadata",
    "endpoint",
    "provider",
    "virtual_key",
    "config",
    "request_model",
    "response_model",
    "response_id",
    "stream",
    "complete",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "cache_creation_tokens",
    "reasoning_tokens",
    "error_type",
    "error_source",
    "option_index",
    "trail",
    "dropped_params",
];

/// What the gateway role knows of a request. `None` means that the request did not get so far.
#[derive(Debug, Default)]
pub struct Record {
    /// `x-portkey-trace-id`, or Envoy's request id.
    pub trace_id: Option<String>,
    /// The JSON object of `x-portkey-metadata`.
    pub metadata: Option<Value>,
    /// Name of the operation.
    pub endpoint: Option<&'static str>,
    /// Slug of the provider.
    pub provider: Option<&'static str>,
    /// Slug of the virtual key.
    pub virtual_key: Option<String>,
    /// Slug of the saved config.
    pub config: Option<String>,
    /// The model that the client asked for.
    pub model: Option<String>,
    /// Whether the client asked for a stream.
    pub stream: Option<bool>,
    /// Code of the error that the gateway itself answered with.
    pub error_type: Option<String>,
    /// Whose fault that was.
    pub error_source: Option<String>,
    /// Where the last target stands in the config.
    pub option_index: Option<String>,
    /// Every attempt, as `config.targets[0]=503 12ms`.
    pub trail: Option<String>,
}

impl Record {
    /// The record as bytes, with what the provider role found out.
    pub fn encode(&self, report: Option<&Report>) -> Vec<u8> {
        let facts = report.map(|report| &report.facts);
        let mut out = Struct::default();
        out.text("trace_id", self.trace_id.as_deref());
        if let Some(metadata) = &self.metadata {
            out.put("metadata", &value(metadata));
        }
        out.text("endpoint", self.endpoint);
        out.text("provider", self.provider);
        out.text("virtual_key", self.virtual_key.as_deref());
        out.text("config", self.config.as_deref());
        out.text("request_model", self.model.as_deref());
        out.flag("stream", self.stream);
        let own_error = self.error_type.as_deref();
        out.text("error_type", own_error.or(facts.and_then(|facts| facts.error_type.as_deref())));
        let blamed = facts.filter(|facts| facts.error_type.is_some()).map(|_| "provider");
        out.text("error_source", self.error_source.as_deref().or(blamed));
        out.text("option_index", self.option_index.as_deref());
        out.text("trail", self.trail.as_deref());
        let dropped = report.and_then(|report| report.dropped.list());
        out.text("dropped_params", dropped.as_deref());
        if let Some(facts) = facts {
            out.facts(facts);
        }
        out.0
    }
}

/// A `google.protobuf.Struct` that is being written.
#[derive(Default)]
struct Struct(Vec<u8>);

impl Struct {
    fn facts(&mut self, facts: &Facts) {
        self.text("response_id", facts.id.as_deref());
        self.text("response_model", facts.model.as_deref());
        self.text("finish_reason", facts.finish_reason.as_deref());
        self.flag("complete", Some(facts.complete));
        if let Some(usage) = &facts.usage {
            self.number("prompt_tokens", usage.prompt_tokens);
            self.number("completion_tokens", usage.completion_tokens);
            self.number("total_tokens", usage.total_tokens());
            self.number("cached_tokens", usage.cached_tokens);
            self.number("cache_creation_tokens", usage.cache_creation_tokens);
            self.number("reasoning_tokens", usage.reasoning_tokens);
        }
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.put(name, &text_value(text));
        }
    }

    fn flag(&mut self, name: &str, flag: Option<bool>) {
        if let Some(flag) = flag {
            self.put(name, &flag_value(flag));
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        // A token count is far below 2^53.
        #[allow(clippy::cast_precision_loss)]
        self.put(name, &number_value(number as f64));
    }

    /// Adds one entry of the map `fields` (1): a message of key (1) and value (2).
    fn put(&mut self, name: &str, value: &[u8]) {
        let mut entry = Vec::with_capacity(name.len() + value.len() + 12);
        write_bytes(&mut entry, 1, name.as_bytes());
        write_bytes(&mut entry, 2, value);
        write_bytes(&mut self.0, 1, &entry);
    }
}

// === google.protobuf.Value: null 1, number 2, string 3, bool 4, struct 5, list 6 ===

fn value(json: &Value) -> Vec<u8> {
    match json {
        Value::Null => vec![1 << 3, 0],
        Value::Bool(flag) => flag_value(*flag),
        Value::Number(number) => number_value(number.as_f64().unwrap_or_default()),
        Value::String(text) => text_value(text),
        Value::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                write_bytes(&mut list, 1, &value(item));
            }
            wrap(6, &list)
        }
        Value::Object(members) => {
            let mut out = Struct::default();
            for (name, member) in members {
                out.put(name, &value(member));
            }
            wrap(5, &out.0)
        }
    }
}

fn number_value(number: f64) -> Vec<u8> {
    const FIXED64: u8 = 1;
    let mut out = vec![2 << 3 | FIXED64];
    out.extend_from_slice(&number.to_le_bytes());
    out
}

fn text_value(text: &str) -> Vec<u8> {
    wrap(3, text.as_bytes())
}

fn flag_value(flag: bool) -> Vec<u8> {
    vec![4 << 3, u8::from(flag)]
}

fn wrap(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 6);
    write_bytes(&mut out, field, bytes);
    out
}

/// Appends a length-delimited field.
pub fn write_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    const LENGTH_DELIMITED: u8 = 2;
    out.push(field << 3 | LENGTH_DELIMITED);
    let mut length = bytes.len();
    while length >= 0x80 {
        // The low seven bits; the rest follows.
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Usage;

    /// A reader of the encoding, written against the protobuf specification alone.
    fn read_struct(mut bytes: &[u8]) -> Value {
        let mut members = serde_json::Map::new();
        while !bytes.is_empty() {
            let (1, entry) = read_field(&mut bytes) else { panic!("not an entry") };
            let mut entry = entry.as_slice();
            let (1, name) = read_field(&mut entry) else { panic!("no key") };
            let (2, value) = read_field(&mut entry) else { panic!("no value") };
            members.insert(String::from_utf8(name).unwrap(), read_value(&value));
        }
        Value::Object(members)
    }

    fn read_value(mut bytes: &[u8]) -> Value {
        let (field, content) = read_field(&mut bytes);
        match field {
            1 => Value::Null,
            2 => f64::from_le_bytes(content.try_into().unwrap()).into(),
            3 => String::from_utf8(content).unwrap().into(),
            4 => (content[0] == 1).into(),
            5 => read_struct(&content),
            6 => {
                let mut items = Vec::new();
                let mut rest = content.as_slice();
                while !rest.is_empty() {
                    items.push(read_value(&read_field(&mut rest).1));
                }
                items.into()
            }
            other => panic!("field {other}"),
        }
    }

    fn read_field(bytes: &mut &[u8]) -> (u8, Vec<u8>) {
        let tag = bytes[0];
        *bytes = &bytes[1..];
        let length = match tag & 7 {
            0 => 1,
            1 => 8,
            _ => {
                let (mut length, mut shift) = (0, 0);
                loop {
                    let byte = bytes[0];
                    *bytes = &bytes[1..];
                    length |= usize::from(byte & 0x7f) << shift;
                    shift += 7;
                    if byte < 0x80 {
                        break length;
                    }
                }
            }
        };
        let (content, rest) = bytes.split_at(length);
        *bytes = rest;
        (tag >> 3, content.to_vec())
    }

    #[test]
    fn a_record_is_a_struct_of_known_fields() {
        let metadata = serde_json::json!({
            "_user": "é".repeat(300), "n": 1.5, "deep": {"a": [1.0, null, true, "x"]},
        });
        let record = Record {
            trace_id: Some("t".into()),
            metadata: Some(metadata.clone()),
            endpoint: Some("chat_completions"),
            provider: Some("openai"),
            virtual_key: Some("vk".into()),
            config: Some("pc-1".into()),
            model: Some("gpt".into()),
            stream: Some(true),
            error_type: None,
            error_source: None,
            option_index: Some("config".into()),
            trail: Some("config=200 5ms".into()),
        };
        let usage = Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() };
        let facts = Facts {
            id: Some("c1".into()),
            model: Some("gpt-2".into()),
            usage: Some(usage),
            finish_reason: Some("stop".into()),
            error_type: Some("rate_limit".into()),
            complete: true,
        };
        let mut report = Report { facts, ..Report::default() };
        report.dropped.add("seed");
        let read = read_struct(&record.encode(Some(&report)));
        assert_eq!(read["metadata"], metadata);
        assert_eq!(read["total_tokens"], 7.0);
        assert_eq!(read["stream"], true);
        assert_eq!(read["error_type"], "rate_limit");
        assert_eq!(read["error_source"], "provider");
        assert_eq!(read["dropped_params"], "seed");
        let mut names: Vec<&str> = read.as_object().unwrap().keys().map(String::as_str).collect();
        let mut fields = FIELDS.to_vec();
        names.sort_unstable();
        fields.sort_unstable();
        assert_eq!(names, fields);
    }

    #[test]
    fn what_is_unknown_is_absent() {
        assert_eq!(Record::default().encode(None), b"");
        let mine = Record { error_type: Some("no_route".into()), ..Record::default() };
        let facts = Facts { error_type: Some("other".into()), ..Facts::default() };
        let report = Report { facts, ..Report::default() };
        assert_eq!(read_struct(&mine.encode(Some(&report)))["error_type"], "no_route");
    }
}

//! A span, and its bytes: `opentelemetry.proto.trace.v1.Span`.

use super::protobuf::{bytes, fixed32, fixed64, message, number};
use serde_json::Value;

/// One span. Times are Unix time in nanoseconds.
#[derive(Debug)]
pub struct Span {
    /// The trace.
    pub trace_id: u128,
    /// Its own id.
    pub span_id: u64,
    /// The span that it is a child of.
    pub parent: Option<u64>,
    /// `tracestate` of the client.
    pub state: Option<String>,
    /// Its name.
    pub name: String,
    /// Whose side it is seen from.
    pub kind: Kind,
    /// When it began.
    pub start: u64,
    /// When it was over.
    pub end: u64,
    /// What is known of it.
    pub attributes: Attributes,
    /// What went wrong; `None`: nothing.
    pub error: Option<String>,
}

/// Whose side a span is seen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Who is asked.
    Server = 2,
    /// Who asks.
    Client = 3,
}

/// Names and values; null is none.
#[derive(Debug, Default)]
pub struct Attributes(Vec<(String, Value)>);

impl Attributes {
    /// Adds one.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.0.push((name.into(), value));
        }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl Span {
    /// Appends it as field `field` of another message.
    pub fn encode(&self, out: &mut Vec<u8>, field: u32) {
        message(out, field, |out| {
            bytes(out, 1, &self.trace_id.to_be_bytes());
            bytes(out, 2, &self.span_id.to_be_bytes());
            if let Some(state) = &self.state {
                bytes(out, 3, state.as_bytes());
            }
            if let Some(parent) = self.parent {
                bytes(out, 4, &parent.to_be_bytes());
            }
            bytes(out, 5, self.name.as_bytes());
            number(out, 6, self.kind as u64);
            fixed64(out, 7, self.start);
            fixed64(out, 8, self.end.max(self.start));
            for (name, value) in &self.attributes.0 {
                attribute(out, 9, name, value);
            }
            if let Some(error) = &self.error {
                const ERROR: u64 = 2;
                message(out, 15, |out| {
                    bytes(out, 2, error.as_bytes());
                    number(out, 3, ERROR);
                });
            }
            const SAMPLED: u32 = 1;
            fixed32(out, 16, SAMPLED);
        });
    }
}

/// Appends an attribute: `opentelemetry.proto.common.v1.KeyValue`.
pub fn attribute(out: &mut Vec<u8>, field: u32, name: &str, value: &Value) {
    message(out, field, |out| {
        bytes(out, 1, name.as_bytes());
        any(out, 2, value);
    });
}

/// An `AnyValue`.
fn any(out: &mut Vec<u8>, field: u32, value: &Value) {
    message(out, field, |out| match value {
        Value::Null => {}
        Value::String(text) => bytes(out, 1, text.as_bytes()),
        Value::Bool(flag) => number(out, 2, u64::from(*flag)),
        Value::Number(amount) => match (amount.as_i64(), amount.as_f64()) {
            // Two's complement in 64 bits, as protobuf has it.
            (Some(whole), _) => number(out, 3, whole as u64),
            (None, float) => fixed64(out, 4, float.unwrap_or_default().to_bits()),
        },
        Value::Array(items) => message(out, 5, |out| {
            items.iter().for_each(|item| any(out, 1, item));
        }),
        Value::Object(members) => message(out, 6, |out| {
            members.iter().for_each(|(name, value)| attribute(out, 1, name, value));
        }),
    });
}

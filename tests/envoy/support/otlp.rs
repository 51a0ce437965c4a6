//! A collector of spans on loopback: it records what OTLP/HTTP brings, decoded.

use super::upstream::{Request, Step, Upstream, answer};
use serde_json::{Map, Value, json};
use std::thread;
use std::time::{Duration, Instant};

/// A span as it arrived.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    pub parent: String,
    pub state: String,
    pub name: String,
    /// 2: server, 3: client.
    pub kind: u64,
    pub start: u64,
    pub end: u64,
    pub attributes: Map<String, Value>,
    /// What went wrong.
    pub error: Option<String>,
    /// `service.name` of its resource.
    pub service: String,
}

/// The server. It ends with the value.
pub struct Collector(pub Upstream);

impl Collector {
    pub fn start() -> Self {
        Self(Upstream::answering(taken()))
    }

    /// A collector that answers each call as the script says.
    pub fn scripted(script: impl Fn(&Request, usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self(Upstream::start(script))
    }

    /// gateway.yaml's `traces` for it, with these further members.
    pub fn yaml(&self, more: &str) -> String {
        format!(
            "traces: {{url: 'http://127.0.0.1:{}/v1/traces', interval: 50{more}}}\n",
            self.0.port
        )
    }

    /// All spans so far.
    pub fn now(&self) -> Vec<Span> {
        self.0.requests().iter().flat_map(|request| spans(&request.body)).collect()
    }

    /// All spans, once there are so many, and no more: those of a request together, in the order in
    /// which the requests ended.
    pub fn spans(&self, count: usize) -> Vec<Span> {
        let deadline = Instant::now() + Duration::from_secs(15);
        while self.now().len() < count {
            assert!(Instant::now() < deadline, "only {:#?}", self.now());
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(150));
        let spans = self.now();
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }
}

pub fn taken() -> Vec<Step> {
    answer(200, "content-type: application/x-protobuf\r\n", "")
}

/// The value of a protobuf field.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => panic!("a number where bytes should be"),
        }
    }

    fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(_) => panic!("bytes where a number should be"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let size = match tag & 7 {
            0 => {
                fields.push((tag >> 3, Field::Number(varint(&mut bytes))));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(size);
        bytes = rest;
        fields.push((
            tag >> 3,
            match tag & 7 {
                2 => Field::Bytes(value),
                _ => Field::Number(
                    value.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                ),
            },
        ));
    }
    fields
}

fn nested(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let all = fields(bytes).into_iter().filter(|(field, _)| *field == number);
    all.map(|(_, value)| value.bytes()).collect()
}

/// The spans of an `ExportTraceServiceRequest`.
pub fn spans(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_resource in nested(request, 1) {
        let resource = nested(of_resource, 1);
        let attributes = attributes(nested(resource[0], 1));
        let service = attributes["service.name"].as_str().unwrap().to_owned();
        for scope in nested(of_resource, 2) {
            spans.extend(nested(scope, 2).into_iter().map(|one| span(one, &service)));
        }
    }
    spans
}

fn attributes(pairs: Vec<&[u8]>) -> Map<String, Value> {
    let pair = |bytes: &[u8]| (fields(bytes)[0].1.text(), any(nested(bytes, 2)[0]));
    let mut map = Map::new();
    for (name, value) in pairs.into_iter().map(pair) {
        assert!(map.insert(name.clone(), value).is_none(), "{name} twice");
    }
    map
}

fn any(bytes: &[u8]) -> Value {
    let all = fields(bytes);
    let [(field, value)] = all.as_slice() else { panic!("one value: {bytes:?}") };
    match field {
        1 => value.text().into(),
        2 => (value.number() == 1).into(),
        3 => json!(value.number().cast_signed()),
        4 => json!(f64::from_bits(value.number())),
        5 => nested(value.bytes(), 1).into_iter().map(any).collect(),
        other => panic!("value of kind {other}"),
    }
}

fn span(bytes: &[u8], service: &str) -> Span {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut span = Span {
        trace_id: String::new(),
        span_id: String::new(),
        parent: String::new(),
        state: String::new(),
        name: String::new(),
        kind: 0,
        start: 0,
        end: 0,
        attributes: attributes(nested(bytes, 9)),
        error: None,
        service: service.to_owned(),
    };
    for (field, value) in fields(bytes) {
        match field {
            1 => span.trace_id = hex(value.bytes()),
            2 => span.span_id = hex(value.bytes()),
            3 => span.state = value.text(),
            4 => span.parent = hex(value.bytes()),
            5 => span.name = value.text(),
            6 => span.kind = value.number(),
            7 => span.start = value.number(),
            8 => span.end = value.number(),
            9 => {}
            15 => {
                let status = fields(value.bytes());
                assert!(status.iter().any(|(field, value)| *field == 3 && value.number() == 2));
                span.error = Some(fields(value.bytes())[0].1.text());
            }
            16 => assert_eq!(value.number(), 1),
            other => panic!("field {other}"),
        }
    }
    assert!(span.trace_id.len() == 32 && span.span_id.len() == 16 && span.start <= span.end);
    span
}

//! Qdrant's HTTP API: <https://api.qdrant.tech/api-reference>.

use super::{Match, Point};
use crate::cache::key::Key;
use crate::dialect::raw::object_in;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Matches that are asked for: the answer of the best may be gone.
pub const LIMIT: usize = 3;

/// The collection of a model's vectors: it must have one length.
pub fn collection(prefix: &str, model: &str, dimension: usize) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let model: String = model.chars().take(128).map(plain).collect();
    format!("{prefix}_{model}_{dimension}")
}

/// The path and body of a search.
pub fn search(collection: &str, point: &Point, threshold: f32, now: u64) -> (String, Vec<u8>) {
    let is = |name: &str, value: String| json!({ "key": name, "match": { "value": value } });
    let body = json!({
        "query": point.vector,
        "filter": { "must": [
            is("partition", point.partition.hex()),
            is("guard", guard(point)),
            { "key": "expires", "range": { "gt": now } },
        ] },
        "limit": LIMIT,
        "score_threshold": threshold,
        "with_payload": ["key"],
    });
    (format!("/collections/{collection}/points/query"), body.to_string().into_bytes())
}

/// What a search has found, the best first; nothing when the answer cannot be read.
pub fn found(body: &[u8], threshold: f32) -> Vec<Match> {
    members! {
        struct Answer<'a> {
            result: Points<'a>,
        }

        struct Points<'a> {
            points: Vec<Scored<'a>>,
        }

        struct Scored<'a> {
            score: f32,
            payload: Payload<'a>,
        }

        struct Payload<'a> {
            key: Cow<'a, str>,
        }
    }
    let Some(Answer { result }) = object_in(body) else { return Vec::new() };
    let scored = result.points.into_iter().filter(|point| point.score >= threshold);
    scored
        .filter_map(|one| {
            Some(Match { key: Key::from_hex(&one.payload.key)?, similarity: one.score })
        })
        .collect()
}

/// The path and body by which a question is added whose answer is kept under that key.
pub fn upsert(collection: &str, point: &Point, key: &Key, expires: u64) -> (String, Vec<u8>) {
    let body = json!({ "points": [{
        "id": uuid(key),
        "vector": point.vector,
        "payload": {
            "key": key.hex(),
            "partition": point.partition.hex(),
            "guard": guard(point),
            "expires": expires,
        },
    }] });
    (format!("/collections/{collection}/points"), body.to_string().into_bytes())
}

/// The paths and bodies by which a collection is made; all are sent with `PUT`.
pub fn create(collection: &str, dimension: usize) -> [(String, Vec<u8>); 3] {
    let path = format!("/collections/{collection}");
    let vectors = json!({ "vectors": { "size": dimension, "distance": "Cosine" } });
    let index = |name: &str, schema: &str| {
        let body = json!({ "field_name": name, "field_schema": schema });
        (format!("{path}/index"), bytes(&body))
    };
    [(path.clone(), bytes(&vectors)), index("partition", "keyword"), index("expires", "integer")]
}

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

fn guard(point: &Point) -> String {
    format!("{:016x}", point.guard)
}

/// A point's id: the first half of the key as a UUID.
fn uuid(key: &Key) -> String {
    let hex = key.hex();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::Hash;

    #[test]
    fn the_collection_carries_model_and_dimension() {
        assert_eq!(collection("portkey", "a/b-1", 384), "portkey_a_b_1_384");
    }

    #[test]
    fn what_cannot_be_read_is_no_match() {
        let key = Hash::new("k").key();
        let body = |score: &str, key: &str| {
            format!(
                r#"{{"result":{{"points":[{{"id":1,"version":1,"score":{score},"payload":{{"key":"{key}"}}}}]}},"status":"ok","time":0.1}}"#
            )
        };
        let good = body("0.97", &key.hex());
        assert_eq!(found(good.as_bytes(), 0.95), [Match { key, similarity: 0.97 }]);
        for other in [
            body("0.94", &key.hex()),
            body("0.97", "xyz"),
            r#"{"status":{"error":"no"}}"#.to_owned(),
            String::new(),
        ] {
            assert!(found(other.as_bytes(), 0.95).is_empty(), "{other}");
        }
    }
}

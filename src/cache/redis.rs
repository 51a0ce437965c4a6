//! A store of answers that several machines share: Redis's commands as JSON lists over HTTP, as
//! Upstash has them (<https://upstash.com/docs/redis/features/restapi>) and servers that put the
//! same API in front of a Redis of one's own.

use super::key::Key;
use crate::call::Call;
use crate::config::settings::Server;
use crate::dialect::raw::object_in;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Asks for the bytes of an entry.
pub fn get(server: &Server, key: &Key) -> Call {
    command(server, &json!(["GET", name(key)]))
}

/// Keeps the bytes of an entry for so many milliseconds.
pub fn set(server: &Server, key: &Key, entry: &[u8], life: u64) -> Call {
    let text = String::from_utf8_lossy(entry);
    command(server, &json!(["SET", name(key), text, "PX", life.max(1).to_string()]))
}

/// The bytes that a `GET` has found.
pub fn found(body: &[u8]) -> Option<Vec<u8>> {
    members! {
        struct Answer<'a> {
            result: Option<Cow<'a, str>>,
        }
    }
    let Answer { result } = object_in(body)?;
    result.map(|text| text.into_owned().into_bytes())
}

fn name(key: &Key) -> String {
    format!("portkey:{}", key.hex())
}

fn command(server: &Server, words: &Value) -> Call {
    let path = if server.path.is_empty() { "/" } else { "" };
    Call::to(server, "POST", path, words.to_string().into_bytes())
}

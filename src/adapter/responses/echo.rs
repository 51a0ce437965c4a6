//! What an answer repeats of its request.

use super::super::write::write_raw;
use crate::dialect::field::present;
use crate::json::Object;

/// Members that the answer repeats, with what stands for one that the request does not have.
const REPEATED: [(&str, &str); 13] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", "{\"effort\":null,\"summary\":null}"),
    ("safety_identifier", "null"),
    ("temperature", "1"),
    ("text", "{\"format\":{\"type\":\"text\"}}"),
    ("tool_choice", "\"auto\""),
    ("top_logprobs", "0"),
    ("top_p", "1"),
];

/// Members that are the same whatever the request says: what it asked for was not done.
const FIXED: [(&str, &str); 7] = [
    ("background", "false"),
    ("frequency_penalty", "0"),
    ("presence_penalty", "0"),
    ("previous_response_id", "null"),
    ("service_tier", "\"default\""),
    ("store", "false"),
    ("truncation", "\"disabled\""),
];

/// The members, each with a comma before it; `tools` as they were read.
pub(super) fn members(request: &Object<'_>, tools: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in FIXED {
        write_raw(&mut out, key, value);
    }
    for (key, default) in REPEATED {
        write_raw(&mut out, key, &one_line(present(request, key).unwrap_or(default)));
    }
    write_raw(&mut out, "user", &one_line(present(request, "user").unwrap_or("null")));
    write_raw(&mut out, "tools", &one_line(&String::from_utf8_lossy(tools)));
    out
}

/// Line breaks in JSON are white space, and would end the data of an event.
fn one_line(raw: &str) -> String {
    raw.replace(['\n', '\r'], " ")
}

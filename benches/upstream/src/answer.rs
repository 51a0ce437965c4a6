//! What the provider answers, by format: `/anthropic/…`, `/gemini/…`, else OpenAI's.

use bytes::Bytes;

pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub stream: bool,
    /// The JSON answer.
    pub whole: Bytes,
    /// The pieces of a stream.
    pub first: Bytes,
    pub chunk: Bytes,
    pub last: Bytes,
}

const ERROR: &str = r#"{"error":{"message":"The server is overloaded","type":"server_error","param":null,"code":null}}"#;

impl Answer {
    pub fn to(path: &str, head: &[u8]) -> Self {
        let status = path
            .split_once("/status/")
            .and_then(|(_, rest)| rest.split('/').next()?.parse().ok())
            .unwrap_or(200);
        let (whole, first, chunk, last) = match path {
            _ if status >= 400 => (ERROR, "", "", ""),
            _ if path.contains("/anthropic/") => anthropic(),
            _ if path.contains("/gemini/") => gemini(),
            _ => openai(),
        };
        let stream = path.contains(":streamGenerateContent") || asks_for_stream(head);
        let stream = stream && status < 400;
        let content_type = if stream { "text/event-stream" } else { "application/json" };
        let [whole, first, chunk, last] =
            [whole, first, chunk, last].map(|text| Bytes::from_static(text.as_bytes()));
        Self { status, content_type, stream, whole, first, chunk, last }
    }
}

fn asks_for_stream(head: &[u8]) -> bool {
    [&b"\"stream\":true"[..], b"\"stream\": true"]
        .iter()
        .any(|wanted| head.windows(wanted.len()).any(|found| found == *wanted))
}

type Pieces = (&'static str, &'static str, &'static str, &'static str);

fn openai() -> Pieces {
    (
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"Forty-two is the answer to the ultimate question of life, the universe and everything.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":57,"completion_tokens":17,"total_tokens":74},"system_fingerprint":"fp_1"}"#,
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    )
}

fn anthropic() -> Pieces {
    (
        r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Forty-two is the answer to the ultimate question of life, the universe and everything."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":57,"output_tokens":17}}"#,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":57,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":200}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    )
}

fn gemini() -> Pieces {
    (
        r#"{"candidates":[{"content":{"parts":[{"text":"Forty-two is the answer to the ultimate question of life, the universe and everything."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":57,"candidatesTokenCount":17,"totalTokenCount":74},"modelVersion":"gemini-2.5-flash","responseId":"r1"}"#,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"r1\"}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" word\"}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"r1\"}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":57,\"candidatesTokenCount\":200,\"totalTokenCount\":257},\"modelVersion\":\"gemini-2.5-flash\",\"responseId\":\"r1\"}\n\n",
    )
}

//! What a client makes of what it got: complete, an error, or visibly broken.

use super::support::client::Response;
use serde_json::Value;

/// A client's view of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// It looks complete. `marked`: with `[DONE]`, if it is a stream.
    Complete { text: String, marked: bool },
    /// An error in OpenAI's shape, as the whole answer or as the last event, with its code.
    Error(String),
    /// The transfer did not come to its end.
    Broken,
}

impl Answer {
    /// Reads a response as an OpenAI client does.
    ///
    /// # Panics
    /// It is neither of these.
    pub fn of(response: &Response) -> Self {
        let events = response.header("content-type") == Some("text/event-stream");
        if events {
            return stream(response);
        }
        if !response.whole {
            return Self::Broken;
        }
        let body = response.json();
        if response.status == 200 {
            let choice = &body["choices"][0];
            assert_eq!(choice["finish_reason"], "stop", "{body}");
            let text = choice["message"]["content"].as_str().expect("content").to_owned();
            return Self::Complete { text, marked: true };
        }
        assert!(response.status >= 400, "{} {body}", response.status);
        error(&body).unwrap_or_else(|| panic!("no error: {body}"))
    }
}

fn stream(response: &Response) -> Answer {
    let (mut text, mut marked, mut failure) = (String::new(), false, None);
    let all = response.text();
    for event in all.split("\n\n").filter_map(|event| event.strip_prefix("data: ")) {
        assert!(!marked && failure.is_none(), "something follows the end: {all}");
        if event == "[DONE]" {
            marked = true;
        }
        // A client skips what it cannot read.
        let Ok(chunk) = serde_json::from_str::<Value>(event) else { continue };
        failure = error(&chunk);
        text += chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
    }
    match failure {
        Some(failure) => failure,
        None if response.whole || marked => Answer::Complete { text, marked },
        None => Answer::Broken,
    }
}

fn error(body: &Value) -> Option<Answer> {
    let error = body.get("error")?;
    assert!(error["message"].is_string(), "{body}");
    let name = error["code"].as_str().or(error["type"].as_str());
    Some(Answer::Error(name.unwrap_or_default().to_owned()))
}

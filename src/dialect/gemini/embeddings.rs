//! Embeddings: `embedContent` for one text, `batchEmbedContents` for a list
//! (<https://ai.google.dev/api/embeddings>).

use super::super::embedding::{self, inputs, write_list};
use super::super::field::parse;
use super::super::raw::{array, object, object_in, write_comma, write_key, write_member};
use super::super::{Context, Facts, Outgoing, failure};
use super::model::Model;
use super::{error, first, present, wrong_type};
use crate::error::Error;
use crate::json::Object;
use serde_json::value::RawValue;

/// Members of each request, after the names that clients give them.
const OPTIONS: [(&[&str], &str); 3] = [
    (&["task_type", "taskType"], "taskType"),
    (&["title"], "title"),
    (&["dimensions", "outputDimensionality"], "outputDimensionality"),
];

/// Translates the body of an embeddings request.
///
/// # Errors
/// The body is not what OpenAI's API takes, or holds more than text.
pub(in crate::dialect) fn request(body: &[u8]) -> Result<Outgoing, Error> {
    let request = parse(body)?;
    let model = Model::read(&request)?;
    let inputs = inputs(&request)?;
    if let Some(at) = inputs.iter().position(|input| !input.starts_with('"')) {
        return Err(wrong_type(&format!("input[{at}]"), "a string"));
    }
    let mut out = Vec::with_capacity(body.len() + 256);
    let listed = present(&request, "input").is_some_and(|input| input.starts_with('['));
    if listed {
        out.extend_from_slice(b"{\"requests\":[");
    }
    for input in inputs {
        if listed {
            write_comma(&mut out);
        }
        out.push(b'{');
        // Each request of a list must repeat the model by its full name.
        let name = if listed { model.full_name() } else { model.name().into() };
        write_member(&mut out, "model", &name);
        write_content(&mut out, input);
        write_options(&mut out, &request);
        out.push(b'}');
    }
    if listed {
        out.extend_from_slice(b"]}");
    }
    let method = if listed { "batchEmbedContents" } else { "embedContent" };
    let asked = serde_json::value::to_raw_value(model.name()).ok();
    let dropped = embedding::dropped(&request);
    Ok(Outgoing { model: asked, dropped, ..Outgoing::new(model.path(method).into(), out) })
}

/// Appends the member `content` with one text, which is raw JSON.
pub(in crate::dialect) fn write_content(out: &mut Vec<u8>, text: &str) {
    write_key(out, "content");
    out.extend_from_slice(b"{\"parts\":[{\"text\":");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"}]}");
}

/// Appends what an embedding is to be like.
pub(in crate::dialect) fn write_options(out: &mut Vec<u8>, request: &Object<'_>) {
    for (names, key) in OPTIONS {
        if let Some(value) = first(request, names) {
            write_key(out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }
}

members! {
    struct Answer<'a> {
        /// Of `embedContent`.
        embedding: Option<&'a RawValue>,
        /// Of `batchEmbedContents`.
        embeddings: Option<&'a RawValue>,
        usage_metadata: Option<&'a RawValue> = "usageMetadata",
    }

    struct Embedding<'a> {
        values: &'a RawValue,
    }

    #[derive(Default)]
    struct Counts {
        prompt_token_count: Option<u64> = "promptTokenCount",
    }
}

/// Translates a complete, successful answer.
///
/// # Errors
/// The body is not what these methods answer.
pub(in crate::dialect) fn response(
    body: &[u8],
    context: &Context,
    facts: &mut Facts,
) -> Result<Vec<u8>, Error> {
    let read = || {
        let answer: Answer<'_> = object_in(body)?;
        let list = match (answer.embedding, answer.embeddings) {
            (Some(one), _) => vec![one],
            (None, Some(list)) => array(list.get())?,
            (None, None) => return None,
        };
        let vectors = list.into_iter().map(|raw| {
            let embedding: Embedding<'_> = object(raw.get())?;
            Some([b"\"embedding\":", embedding.values.get().as_bytes()].concat())
        });
        let counts: Option<Counts> = answer.usage_metadata.and_then(|raw| object(raw.get()));
        Some((vectors.collect::<Option<Vec<_>>>()?, counts.unwrap_or_default()))
    };
    match read() {
        Some((vectors, counts)) => {
            Ok(write_list(&vectors, counts.prompt_token_count.unwrap_or_default(), context, facts))
        }
        None => {
            let body = error::in_openais_shape(body);
            Err(failure::invalid_response(&body, context.provider, facts))
        }
    }
}

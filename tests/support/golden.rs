//! The fixtures below `tests/fixtures/<dialect>/<kind>/<case>.{in,out}.{json,sse,bin}`, and how one
//! is run. `README.md` beside them tells what the names mean.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test helper")]

use portkey_envoy::dialect::{Ask, Context, Dialect, Facts, Outgoing};
use portkey_envoy::endpoint::Endpoint;
use portkey_envoy::error::Error;
use portkey_envoy::provider::{self, Values};
use portkey_envoy::stream::{Decoder, Event};
use serde_json::value::RawValue;
use std::fs;
use std::path::{Path, PathBuf};

pub struct Case {
    pub dialect: Dialect,
    pub kind: &'static str,
    pub name: String,
    pub input: Vec<u8>,
    pub output: PathBuf,
}

pub fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut cases = Vec::new();
    for (folder, dialect) in [
        ("anthropic", Dialect::Anthropic),
        ("bedrock", Dialect::Bedrock),
        ("cohere", Dialect::Cohere),
        ("gemini", Dialect::Gemini),
        ("openai", Dialect::OpenAi),
        ("stability", Dialect::Stability),
        ("vertex", Dialect::Vertex),
    ] {
        for kind in ["request", "response", "stream", "error"] {
            let folder = root.join(folder).join(kind);
            // Not every format has streams.
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                let Some((name, extension)) = file.split_once(".in.") else {
                    continue;
                };
                // What is not text becomes text.
                let extension = if extension == "bin" { "sse" } else { extension };
                let output = path.with_file_name(format!("{name}.out.{extension}"));
                let (name, input) = (name.to_owned(), fs::read(&path).unwrap());
                cases.push(Case { dialect, kind, name, input, output });
            }
        }
    }
    cases.sort_by(|a, b| a.output.cmp(&b.output));
    assert!(cases.len() > 80, "fixtures are missing");
    cases
}

impl Case {
    /// What the translator makes of these bytes in place of the case's own. Only streams care
    /// where the chunks end.
    pub fn run(&self, chunks: &[&[u8]]) -> Vec<u8> {
        let (provider, strict) = (self.provider(), self.is_strict());
        let endpoint = self.endpoint();
        let asked = match self.dialect {
            Dialect::Bedrock => Some("\"us.anthropic.claude-sonnet-4-5-20250929-v1:0\""),
            Dialect::Cohere => Some("\"command-a-03-2025\""),
            _ if endpoint != Endpoint::ChatCompletions => Some("\"text-embedding-005\""),
            _ => None,
        };
        let model = asked.map(|model| RawValue::from_string(model.to_owned()).unwrap());
        let created = 1_735_689_600;
        let roles = !self.name.starts_with("helper-");
        let counted = None;
        let context = Context { endpoint, provider, strict, roles, created, model, counted };
        let (dialect, facts) = (self.answers(), &mut Facts::default());
        match self.kind {
            "request" => self.request(&chunks.concat()).map(|outgoing| outgoing.body),
            "response" => dialect.response(&chunks.concat(), &context, facts),
            "error" => {
                let status = self.name.rsplit('-').next().unwrap().parse().unwrap();
                Ok(self.dialect.error(status, &chunks.concat(), &context, facts))
            }
            _ => Ok(self.stream(chunks, context)),
        }
        .unwrap_or_else(|error| error.body())
    }

    /// A client's request as the provider gets it.
    pub fn request(&self, body: &[u8]) -> Result<Outgoing, Error> {
        let mut settings = Values::default();
        for (name, value) in [("vertex_project_id", "proj-1"), ("vertex_region", "us-central1")] {
            settings.set(name, value.to_owned());
        }
        let ask = Ask {
            endpoint: self.endpoint(),
            path: "/chat/completions",
            stream: false,
            strict: self.is_strict(),
            settings: &settings,
            provider: provider::find(self.provider()).unwrap(),
        };
        self.dialect.request(&ask, body)
    }

    fn provider(&self) -> &'static str {
        match self.dialect {
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "google",
            Dialect::Cohere => "cohere",
            Dialect::Bedrock => "bedrock",
            Dialect::OpenAi => "openai",
            Dialect::Vertex => "vertex-ai",
            Dialect::Stability => "stability-ai",
        }
    }

    /// The words of the name, without the rules that it begins with.
    fn words(&self) -> &str {
        let name = self.name.strip_prefix("loose-").unwrap_or(&self.name);
        name.strip_prefix("refused-").unwrap_or(name)
    }

    /// Whether the format has more operations than chats and embeddings.
    fn invokes(&self) -> bool {
        matches!(self.dialect, Dialect::Bedrock | Dialect::Vertex | Dialect::Stability)
    }

    fn endpoint(&self) -> Endpoint {
        match self.words().split('-').next() {
            Some("embed" | "embeddings") => Endpoint::Embeddings,
            Some("completions") => Endpoint::Completions,
            Some("images") if self.invokes() => Endpoint::ImageGenerations,
            Some("tokens") if self.invokes() => Endpoint::CountTokens,
            _ => Endpoint::ChatCompletions,
        }
    }

    /// The format of the answers of the model that is asked.
    fn answers(&self) -> Dialect {
        match (self.dialect, self.words().split('-').next()) {
            (Dialect::Vertex, Some("gemini")) => Dialect::Gemini,
            (Dialect::Vertex, Some("claude")) => Dialect::Anthropic,
            (Dialect::Vertex, Some("llama" | "mistral")) => Dialect::OpenAi,
            (dialect, _) => dialect,
        }
    }

    fn is_strict(&self) -> bool {
        !self.name.starts_with("loose-")
    }

    fn stream(&self, chunks: &[&[u8]], context: Context) -> Vec<u8> {
        let mut out = Vec::new();
        let mut stream = self.answers().stream(context);
        let mut decoder = Decoder::new(self.dialect.framing());
        let mut on_event = |event: Event<'_>| stream.on_event(event, &mut out);
        // A damaged frame ends what can be understood.
        let whole = chunks.iter().all(|chunk| decoder.push(chunk, &mut on_event).is_ok());
        if whole {
            decoder.finish(&mut on_event);
        }
        stream.on_end(&mut out);
        out
    }
}

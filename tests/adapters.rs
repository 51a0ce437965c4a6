//! The adapters' fixtures, `tests/fixtures/{messages,responses,completions}`: golden files,
//! streams that are cut at every byte, and input that is damaged.
//!
//! `GOLDEN=update cargo test --test adapters` rewrites the golden files; read the difference.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "test helpers")]

use portkey_envoy::adapter::{Context, Echo, Extras, Format, Taker};
use portkey_envoy::dialect::{self, Ask, Dialect, Facts};
use portkey_envoy::endpoint::Endpoint;
use portkey_envoy::provider::{PROVIDERS, Values};
use portkey_envoy::stream::{Decoder, Event, Framing};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

struct Case {
    format: Format,
    kind: &'static str,
    name: String,
    input: Vec<u8>,
    output: PathBuf,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut cases = Vec::new();
    let kinds = [("request", 20), ("response", 10), ("stream", 6), ("error", 5)];
    for (folder, format, kinds) in [
        ("messages", Format::Messages, kinds.as_slice()),
        ("responses", Format::Responses, &kinds),
        // Their errors are chat completions'.
        ("completions", Format::Completions, &[("request", 10), ("response", 6), ("stream", 6)]),
    ] {
        for &(kind, least) in kinds {
            let before = cases.len();
            for entry in fs::read_dir(root.join(folder).join(kind)).unwrap() {
                let path = entry.unwrap().path();
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                let Some((name, extension)) = file.split_once(".in.") else { continue };
                let output = path.with_file_name(format!("{name}.out.{extension}"));
                let (name, input) = (name.to_owned(), fs::read(&path).unwrap());
                cases.push(Case { format, kind, name, input, output });
            }
            assert!(cases.len() - before >= least, "fixtures are missing: {folder}/{kind}");
        }
    }
    cases.sort_by(|a, b| a.output.cmp(&b.output));
    cases
}

/// Whom a request is for: the word that its name begins with.
fn taker(name: &str) -> Taker {
    let (provider, extras) = match name.split('-').next().unwrap() {
        "anthropic" => ("anthropic", Extras::Anthropic),
        "gemini" => ("google", Extras::Portkey),
        "openrouter" => ("openrouter", Extras::CacheControl),
        _ => ("openai", Extras::None),
    };
    Taker { provider, extras, rich_results: extras >= Extras::Portkey }
}

fn context(format: Format) -> Context {
    let request = "{\"model\":\"asked-for\",\"input\":\"x\",\"messages\":[],\"instructions\":\"Be \
                   brief.\",\n\"tools\":[{\"type\":\"function\",\"name\":\"f\"}]}";
    let request = match format {
        Format::Messages => request.replace("\"f\"", "\"f\",\"type\":\"custom\"").replacen(
            "\"type\":\"function\",",
            "",
            1,
        ),
        Format::Responses => request.to_owned(),
        Format::Completions => request.replace("\"input\":", "\"echo\":true,\"prompt\":"),
    };
    let echo: Echo = format.request(request.as_bytes(), taker("")).unwrap().echo;
    Context { echo, created: 1_735_689_600 }
}

impl Case {
    fn run(&self, chunks: &[&[u8]]) -> Vec<u8> {
        let body = chunks.concat();
        match self.kind {
            "request" => match self.format.request(&body, taker(&self.name)) {
                Ok(request) => {
                    let mut out = request.body;
                    if let Some(dropped) = request.dropped.list() {
                        out.extend_from_slice(b"\ndropped: ");
                        out.extend_from_slice(dropped.as_bytes());
                    }
                    out
                }
                Err(error) => self.format.error(error.status, error.body()),
            },
            "response" => {
                let mut facts = Facts::default();
                dialect::openai::observe(&body, &mut facts);
                let answer = self.format.response(&body, &context(self.format), &facts);
                answer.unwrap_or_else(|| b"no chat completion".to_vec())
            }
            "error" => {
                let status = self.name.rsplit('-').next().unwrap().parse().unwrap();
                self.format.error(status, body)
            }
            _ => self.stream(chunks),
        }
    }

    fn stream(&self, chunks: &[&[u8]]) -> Vec<u8> {
        let mut observer = Dialect::OpenAi.stream(dialect_context());
        let mut stream = self.format.stream(crate::context(self.format));
        let (mut out, mut decoder) = (Vec::new(), Decoder::new(Framing::Sse));
        let mut on_event = |event: Event<'_>| {
            observer.on_event(event, &mut Vec::new());
            stream.on_event(event, observer.facts(), &mut out);
        };
        for chunk in chunks {
            decoder.push(chunk, &mut on_event).unwrap();
        }
        decoder.finish(&mut on_event);
        observer.on_end(&mut Vec::new());
        stream.on_end(observer.facts(), &mut out);
        out
    }
}

fn dialect_context() -> dialect::Context {
    let endpoint = Endpoint::ChatCompletions;
    let (strict, created, model) = (false, 1_735_689_600, None);
    dialect::Context {
        endpoint,
        provider: "openai",
        strict,
        roles: false,
        created,
        model,
        counted: None,
    }
}

#[test]
fn fixtures_give_their_golden_files() {
    let update = std::env::var_os("GOLDEN").is_some_and(|value| value == "update");
    let mut failures = Vec::new();
    for case in cases() {
        let mut actual = case.run(&[&case.input]);
        assert_eq!(actual, case.run(&[&case.input]), "{} differs", case.output.display());
        if !actual.ends_with(b"\n") && !actual.is_empty() {
            actual.push(b'\n');
        }
        if update {
            fs::write(&case.output, &actual).unwrap();
            continue;
        }
        let expected = fs::read(&case.output).unwrap_or_default();
        if actual != expected {
            let [expected, actual] = [&expected, &actual].map(|text| String::from_utf8_lossy(text));
            let path = case.output.display();
            failures.push(format!("{path}\n  expected {expected}\n  actual   {actual}"));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

/// What an adapter makes is what every dialect takes, or refuses by the name of a field.
#[test]
fn every_dialect_takes_what_adapters_make() {
    let mut settings = Values::default();
    settings.set("vertex_project_id", "project".to_owned());
    settings.set("vertex_region", "global".to_owned());
    let translated = PROVIDERS.iter().filter(|row| row.chat && row.dialect != Dialect::OpenAi);
    let mut refused = Vec::new();
    for row in translated {
        for case in cases().iter().filter(|case| case.kind == "request") {
            if ["refused", "anthropic", "openrouter"].iter().any(|it| case.name.starts_with(it)) {
                continue;
            }
            let request = case.format.request(&case.input, Taker::of(row)).unwrap();
            let ask = Ask {
                endpoint: Endpoint::ChatCompletions,
                path: "/chat/completions",
                stream: false,
                strict: false,
                settings: &settings,
                provider: row,
            };
            if let Err(error) = row.dialect.request(&ask, &request.body) {
                assert_eq!(error.status, 400, "{} {}: {error}", row.slug, case.name);
                let param = error.param.unwrap_or_default();
                refused.push(format!("{} {} {}: {param}", row.slug, case.name, error.code));
            }
        }
    }
    let expected: Vec<&str> = REFUSED.trim().lines().map(str::trim).collect();
    refused.sort();
    refused.dedup();
    assert_eq!(refused, expected);
}

/// Provider, case and field of what single vendors do not take at all.
const REFUSED: &str = "
    anthropic files unsupported_content: messages[0].content[2]
    bedrock documents missing_required_parameter: messages[0].content[5].file.file_data
    bedrock files missing_required_parameter: messages[0].content[1].file.file_data
    bedrock gemini-document-url unsupported_content: messages[0].content[0].file.file_url
    bedrock gemini-file-url unsupported_content: messages[0].content[0].file.file_url
    bedrock images unsupported_content: messages[0].content[2].image_url.url
    cohere documents unsupported_content: messages[0].content[0]
    cohere files unsupported_content: messages[0].content[0]
    cohere gemini-document-url unsupported_content: messages[0].content[0]
    cohere gemini-file-url unsupported_content: messages[0].content[0]";

#[test]
fn streams_are_the_same_wherever_they_are_cut() {
    for case in cases().iter().filter(|case| case.kind == "stream") {
        let whole = case.run(&[&case.input]);
        for cut in 0..=case.input.len() {
            let (head, tail) = case.input.split_at(cut);
            assert!(case.run(&[head, tail]) == whole, "{} cut at {cut}", case.output.display());
        }
        let single: Vec<&[u8]> = case.input.chunks(1).collect();
        assert!(case.run(&single) == whole, "{} byte by byte", case.output.display());
    }
}

/// What clients parse is JSON whatever the provider sent, and a stream has one last event.
#[test]
fn damaged_input_never_panics_and_gives_whole_events() {
    // xorshift64: the same damage in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for case in cases() {
        for length in (0..case.input.len()).step_by(1 + case.input.len() / 300) {
            check(&case, &case.run(&[&case.input[..length]]));
        }
        for _ in 0..200 {
            let mut bytes = case.input.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match (bytes.get_mut(at), random(3)) {
                    (Some(byte), 0) => *byte = b"{}[]\",:\\\n0"[random(10)],
                    (Some(byte), 1) => *byte ^= 1 << random(8),
                    (Some(_), _) => drop(bytes.remove(at)),
                    (None, _) => {}
                }
            }
            check(&case, &case.run(&[&bytes]));
        }
    }
}

fn check(case: &Case, output: &[u8]) {
    if case.kind != "stream" {
        return;
    }
    if case.format == Format::Completions {
        return check_chunks(output);
    }
    let mut names = Vec::new();
    let mut decoder = Decoder::new(Framing::Sse);
    let mut on_event = |event: Event<'_>| {
        let name = String::from_utf8(event.name.to_vec()).unwrap();
        let value: Value = serde_json::from_slice(event.data)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(event.data)));
        assert_eq!(value["type"], name.as_str());
        names.push(name);
    };
    decoder.push(output, &mut on_event).unwrap();
    decoder.finish(&mut on_event);
    let last = ["message_stop", "error", "response.completed", "response.incomplete"];
    let is_last = |name: &String| last.contains(&name.as_str()) || name == "response.failed";
    assert_eq!(names.iter().filter(|name| is_last(name)).count(), 1, "{names:?}");
    assert!(is_last(names.last().unwrap()), "{names:?}");
}

/// Chunks are JSON objects, of which an error is the last, or `[DONE]`.
fn check_chunks(output: &[u8]) {
    let mut ends = Vec::new();
    let mut decoder = Decoder::new(Framing::Sse);
    let mut on_event = |event: Event<'_>| {
        if event.data == b"[DONE]" {
            return ends.push(true);
        }
        let value: Value = serde_json::from_slice(event.data)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(event.data)));
        assert!(value.get("error").is_some() || value["object"] == "text_completion", "{value}");
        ends.push(value.get("error").is_some());
    };
    decoder.push(output, &mut on_event).unwrap();
    decoder.finish(&mut on_event);
    assert_eq!(ends.iter().filter(|end| **end).count(), 1, "{ends:?}");
    assert_eq!(ends.last(), Some(&true), "{ends:?}");
}

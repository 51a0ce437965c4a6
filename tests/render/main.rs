//! The native tool from outside: what it renders, that Envoy takes it, and how it runs.
//!
//! Each directory below `tests/fixtures/render` is a case. `GOLDEN=update cargo test` rewrites
//! what is expected of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bare;
mod gateway;
mod relay;
mod run;
mod split;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateway::{TOOL, envoy, fixtures};
use serde_json::{Value, json};

/// The providers that the golden files show; the table holds more than anybody would read.
const SHOWN: [&str; 3] = ["provider.anthropic", "provider.demo", "provider.openai"];
/// Those of their hosts.
const SHOWN_HOSTS: [&str; 3] = ["api.anthropic.com", "api.openai.com", "*.openai.azure.com"];
/// The models whose prices they show.
const SHOWN_MODELS: [&str; 2] = ["gpt-4o", "my-model"];
/// How the credentials of the cases begin.
const SECRET: &str = "secret-";

fn cases() -> Vec<String> {
    let entries = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<String> = entries
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn config(case: &str) -> PathBuf {
    fixtures().join(case).join("gateway.yaml")
}

fn render(case: &str, directory: &Path) {
    gateway::render(&config(case), directory);
}

/// Every file below a directory, by its path relative to it.
fn tree(directory: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match path.is_dir() {
            true => files.extend(tree(&path).into_iter().map(|(k, v)| (format!("{name}/{k}"), v))),
            false => drop(files.insert(name, fs::read_to_string(&path).unwrap())),
        }
    }
    files
}

/// Makes a file fit for reading: settings as JSON instead of JSON in a string, few providers.
fn readable(value: Value) -> Value {
    let hidden = |name: &str| name.starts_with("provider.") && !SHOWN.contains(&name);
    match value {
        Value::Object(fields) => {
            let is_settings = fields.get("@type")
                == Some(&json!("type.googleapis.com/google.protobuf.StringValue"));
            let of_table = fields.get("name").is_some_and(|name| {
                ["resolve_on_use", "resolve_account"].iter().any(|one| name == one)
            });
            let readable_field = |(key, value): (String, Value)| match (&value, is_settings) {
                (Value::String(text), true) if key == "value" => {
                    (key, readable(serde_json::from_str(text).unwrap()))
                }
                (Value::Object(_), _) if key == "prices" => (key, shown_prices(value)),
                (Value::Array(hosts), _) if key == "domains" && of_table => {
                    let shown =
                        hosts.iter().filter(|host| SHOWN_HOSTS.iter().any(|one| host == one));
                    (key, shown.cloned().collect())
                }
                _ => (key, readable(value)),
            };
            let fields = fields.into_iter().filter(|(key, _)| !hidden(key));
            Value::Object(fields.map(readable_field).collect())
        }
        Value::Array(items) => {
            let shown = items.into_iter().filter(|item| {
                !item["@type"].as_str().is_some_and(|name| name.ends_with(".Cluster"))
                    || !hidden(item["name"].as_str().unwrap())
            });
            Value::Array(shown.map(readable).collect())
        }
        other => other,
    }
}

/// The catalogue of prices without most of its models.
fn shown_prices(prices: Value) -> Value {
    let mut prices =
        serde_json::from_value::<BTreeMap<String, BTreeMap<String, Value>>>(prices).unwrap();
    for models in prices.values_mut() {
        models.retain(|model, _| SHOWN_MODELS.contains(&model.as_str()));
    }
    prices.retain(|_, models| !models.is_empty());
    json!(prices)
}

#[test]
fn what_is_rendered_is_what_was_read_last() {
    for case in cases() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("out");
        render(&case, &directory);
        let fixtures = fixtures();
        let places = [
            (directory.to_str().unwrap(), "{out}"),
            (fixtures.to_str().unwrap(), "{fixtures}"),
            (base.path().to_str().unwrap(), "{cwd}"),
        ];
        let files = tree(&directory).into_iter().map(|(path, text)| {
            assert!(text.ends_with("}\n"), "{case}: {path}");
            let text = places.iter().fold(text, |text, (place, name)| text.replace(place, name));
            (path, readable(serde_json::from_str(&text).unwrap()))
        });
        let rendered = format!("{:#}\n", Value::Object(files.collect()));
        let expected = fixtures.join(&case).join("expected.json");
        if std::env::var("GOLDEN").is_ok_and(|value| value == "update") {
            fs::write(&expected, &rendered).unwrap();
        }
        let text = fs::read_to_string(&expected).unwrap_or_default();
        let line = rendered.lines().zip(text.lines()).position(|(new, old)| new != old);
        let at = line.map_or_else(|| text.lines().count(), |line| line + 1);
        assert!(rendered == text, "{case}: see line {at} of {}", expected.display());
    }
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    let base = tempfile::tempdir().unwrap();
    let directory = base.path().join("out");
    render("full", &directory);
    let first = tree(&directory);
    render("full", &directory);
    assert_eq!(first, tree(&directory));
}

#[test]
fn a_secret_is_in_its_own_file_alone() {
    let base = tempfile::tempdir().unwrap();
    let directory = base.path().join("out");
    render("full", &directory);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let mut secrets = 0;
    for (path, text) in tree(&directory) {
        assert_eq!(mode(&directory.join(&path)), 0o600, "{path}");
        let found = text.matches(SECRET).count();
        assert_eq!(found, usize::from(path.starts_with("secrets/")), "{path}");
        secrets += found;
    }
    assert_eq!(secrets, 4);
}

#[test]
fn keys_for_aws_are_in_files_wherever_they_are_rendered_for() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("gateway.yaml");
    let yaml = "virtual_keys:\n  aws: {provider: bedrock, aws_access_key_id: secret-id, \
                aws_secret_access_key: secret-key}\n";
    fs::write(&path, yaml).unwrap();
    for target in ["envoy", "filter"] {
        let out = base.path().join(target);
        let status = Command::new(TOOL)
            .args(["render", target, "--wasm"])
            .arg(fixtures().join("empty.wasm"))
            .args([Path::new("--config"), &path, Path::new("--out"), &out])
            .env("SSL_CERT_FILE", fixtures().join("ca.pem"))
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{target}");
        for (path, text) in tree(&out) {
            let found = text.matches(SECRET).count();
            assert_eq!(found, if path == "secrets/aws.aws" { 2 } else { 0 }, "{target}: {path}");
        }
        assert!(out.join("secrets/aws.aws").exists(), "{target}");
    }
}

#[test]
fn envoy_finds_every_case_valid() {
    for case in cases() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("out");
        render(&case, &directory);
        let output = Command::new(envoy())
            .args(["--mode", "validate", "--log-level", "warn", "--use-dynamic-base-id"])
            .arg("--config-path")
            .arg(directory.join("bootstrap.json"))
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{case}: {log}");
        assert!(!log.contains("eprecated"), "{case}: {log}");
    }
}

#[test]
fn check_prints_every_problem_and_fails() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("gateway.yaml");
    fs::write(&path, "listn: 1\nproviders: {opnai: {}}\n").unwrap();
    let check = || Command::new(TOOL).arg("check").arg("--config").arg(&path).output().unwrap();
    let output = check();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "listn: unknown key, did you mean \"listen\"?\n\
         providers.opnai: unknown provider \"opnai\", did you mean \"openai\"?\n"
    );
    fs::write(&path, "").unwrap();
    let output = check();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}: ok\n", path.display()));
}

#[test]
fn the_example_is_valid_with_and_without_its_comments() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/gateway.yaml");
    let text = fs::read_to_string(example).unwrap();
    let key = tempfile::NamedTempFile::new().unwrap();
    fs::write(&key, "sk-file").unwrap();
    // Prose has one blank after the sign, a field that is commented out none or several.
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with("  ") || !rest.starts_with(' ') => rest,
        _ => line,
    });
    let full = lines.collect::<Vec<_>>().join("\n");
    let full = full.replace("/run/secrets/anthropic", key.path().to_str().unwrap());
    assert!(full.contains("\nvirtual_keys:\n  my-openai:\n"), "{full}");
    for yaml in [text, full] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, &yaml).unwrap();
        let output = Command::new(TOOL)
            .args(["check", "--config"])
            .arg(file.path())
            .env("OPENAI_API_KEY", "sk-env")
            .env("COLLECTOR_AUTHORIZATION", "Bearer t")
            .output()
            .unwrap();
        assert!(output.status.success(), "{yaml}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

//! Names and paths of a caller's that become part of the URL at a provider.

use super::bench::{Bench, CHAT, Case, OAI, Theme};
use super::support::upstream::{answer, json};

pub const THEME: Theme = Theme {
    name: "Paths",
    yaml: |port| {
        let place = format!("base_url: 'http://127.0.0.1:{port}");
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-paths, {place}/oai/v1'}}\n  \
             gem: {{provider: google, api_key: sk-gem-paths, {place}/gem'}}\n  \
             bed: {{provider: bedrock, api_key: sk-bed-paths, aws_region: eu-west-1, {place}/bed'}}\n  \
             ver: {{provider: vertex-ai, api_key: sk-ver-paths, vertex_project_id: p, vertex_region: global, {place}/ver'}}\n  \
             az: {{provider: azure-openai, api_key: sk-az-paths, resource_name: r, api_version: 2024-10-21, {place}/az'}}\n"
        )
    },
    cases: &[
        Case {
            name: "gemini: model `../../admin`",
            must: "one encoded segment below the base URL, or 400",
            run: |bench| model(bench, "gem", "../../admin"),
        },
        Case {
            name: "gemini: model `%2e%2e%2f%2e%2e%2fadmin`",
            must: "one segment: the percent signs are encoded again",
            run: |bench| model(bench, "gem", "%2e%2e%2f%2e%2e%2fadmin"),
        },
        Case {
            name: "gemini: model `..`, `.`, `models/..`, `tunedModels/../x`",
            must: "one encoded segment, or 400",
            run: |bench| {
                for name in ["..", ".", "models/..", "tunedModels/../x", "models/.", "models/"] {
                    model(bench, "gem", name);
                }
            },
        },
        Case {
            name: "gemini: model `m?key=evil&alt=sse#x`",
            must: "no query or fragment of the caller's",
            run: |bench| model(bench, "gem", "m?key=evil&alt=sse#x"),
        },
        Case {
            name: "gemini: model with a backslash, `//`, NUL, CR LF, blank",
            must: "one encoded segment, or 400; no second header or request",
            run: |bench| {
                for name in [
                    "..\\\\..\\\\x",
                    "a//b",
                    "a\\u0000b",
                    "a\\r\\nx-evil: 1",
                    "a b",
                    "a:generateContent?x",
                ] {
                    model(bench, "gem", name);
                }
            },
        },
        Case {
            name: "gemini: model of 100 KiB",
            must: "400, no provider is asked",
            run: |bench| {
                let response =
                    bench.chat(&["x-portkey-virtual-key: gem"], &body(&"m".repeat(100 << 10)));
                bench.refuses(&response, 400, "invalid_value");
            },
        },
        Case {
            name: "bedrock: model `../../admin`, `m/../../x`, `m?x=1`, `%2e%2e`",
            must: "one encoded segment, or 400",
            run: |bench| {
                for name in [
                    "../../admin",
                    "m/../../x",
                    "m?x=1#y",
                    "%2e%2e%2fadmin",
                    "..",
                    "a\\r\\nx-evil: 1",
                ] {
                    model(bench, "bed", name);
                }
            },
        },
        Case {
            name: "vertex: model `anthropic.../../admin`, `endpoints.../..`, `google/../x`",
            must: "one encoded segment, or 400",
            run: |bench| {
                for name in [
                    "anthropic.../../../admin",
                    "endpoints.../../x",
                    "gemini-2/../../x",
                    "anthropic...",
                    "m?x#y",
                    "a\\\\..\\\\b",
                ] {
                    model(bench, "ver", name);
                }
            },
        },
        Case {
            name: "azure: model that becomes the deployment, `../../admin`, `d?x=1`",
            must: "400 or one segment",
            run: |bench| {
                for name in
                    ["../../admin", "d?x=1", "..", "d/../../x", "d%2f..%2fx", "a\\r\\nx-evil: 1"]
                {
                    model(bench, "az", name);
                }
            },
        },
        Case {
            name: "`GET /v1/../admin`, `/v1/files/../../admin`",
            must: "404: what leads out of `/v1` is none of its operations",
            run: |bench| {
                for path in [
                    "/v1/../admin",
                    "/v1/files/../../admin",
                    "/v1/files/../../../x",
                    "/v1/./../admin",
                ] {
                    let response = bench.send("GET", path, &[OAI], "");
                    bench.refuses(&response, 404, "not_found");
                }
            },
        },
        Case {
            name: "`/v1/files/%2e%2e/%2e%2e/admin`, `/v1/%2E%2E/admin`",
            must: "404 or 400, as without the encoding",
            run: |bench| {
                for path in [
                    "/v1/files/%2e%2e/%2e%2e/admin",
                    "/v1/%2E%2E/admin",
                    "/v1/.%2e/admin",
                    "/v1/%2e./x",
                ] {
                    contained(bench, path);
                }
            },
        },
        Case {
            name: "`/v1/files/..%2f..%2fadmin`: slashes that a provider may decode",
            must: "400 `invalid_path`, no provider is asked",
            run: |bench| {
                for path in [
                    "/v1/files/..%2f..%2fadmin",
                    "/v1/files/..%2F..%2fadmin",
                    "/v1/files/%2e%2e%2fadmin",
                    "/v1/proxy/..%2f..%2fadmin",
                ] {
                    let response = bench.send("GET", path, &[OAI], "");
                    bench.refuses(&response, 400, "invalid_path");
                }
            },
        },
        Case {
            name: "`/v1/files/..%5c..%5cadmin`, `/v1/files/..\\\\..\\\\admin`: backslashes",
            must: "400 or 404, no provider is asked",
            run: |bench| {
                for path in
                    ["/v1/files/..%5c..%5cadmin", "/v1/files/..\\..\\admin", "/v1/files/..%5C../x"]
                {
                    let response = bench.send("GET", path, &[OAI], "");
                    assert!([400, 404].contains(&response.status), "{path}: {}", response.text());
                    bench.unheard();
                }
            },
        },
        Case {
            name: "`/v1/files/%252e%252e%252fadmin`: encoded twice",
            must: "400 `invalid_path`, no provider is asked",
            run: |bench| {
                for path in [
                    "/v1/files/%252e%252e%252fadmin",
                    "/v1/files/..%252fadmin",
                    "/v1/files/..%25252fadmin",
                ] {
                    let response = bench.send("GET", path, &[OAI], "");
                    bench.refuses(&response, 400, "invalid_path");
                }
            },
        },
        Case {
            name: "`/v1/files/a%00b`, `/v1/files/a%0d%0ax-evil:1`",
            must: "400, no provider is asked",
            run: |bench| {
                for path in ["/v1/files/a%00b", "/v1/files/a%0d%0ax-evil:1", "/v1/files/a%0Ab"] {
                    let response = bench.send("GET", path, &[OAI], "");
                    assert_eq!(response.status, 400, "{path}: {}", response.text());
                    bench.unheard();
                }
            },
        },
        Case {
            name: "a raw NUL, tab or byte above 127 in the path",
            must: "400, no provider is asked",
            run: |bench| {
                for byte in [b"\0".as_slice(), b"\t", b"\xff", b"\xc0\xae\xc0\xae/"] {
                    let head = [
                        b"GET /v1/files/a".as_slice(),
                        byte,
                        b"b HTTP/1.1\r\nhost: g\r\nconnection: close\r\n",
                        OAI.as_bytes(),
                        b"\r\n\r\n",
                    ];
                    let answers = bench.raw(head.concat());
                    assert!(
                        answers.statuses().iter().all(|status| *status == 400),
                        "{byte:?}: {}",
                        answers.text()
                    );
                    bench.unheard();
                }
            },
        },
        Case {
            name: "`//v1/chat/completions`, `/v1//files`, `/v1;x/files`",
            must: "404, or a path below the base URL",
            run: |bench| {
                for path in ["//v1/files", "/v1//files", "/v1;x/files", "//evil.test/v1/files"] {
                    contained(bench, path);
                }
            },
        },
        Case {
            name: "`/v1/proxy/../../admin`, `/v1/proxy//evil.test/x`",
            must: "404, or a path below the base URL at the provider's own host",
            run: |bench| {
                for path in [
                    "/v1/proxy/../../admin",
                    "/v1/proxy//evil.test/x",
                    "/v1/proxy/http://evil.test/",
                    "/v1/proxy/@evil.test",
                ] {
                    contained(bench, path);
                }
            },
        },
        Case {
            name: "an encoded slash within a name, `/v1/models/org%2fmodel`",
            must: "passes as it is: a name may have one",
            run: |bench| {
                assert_eq!(
                    bench.send("GET", "/v1/models/org%2fmodel?a=..%2f..", &[OAI], "").status,
                    200
                );
                assert_eq!(bench.request().path, "/oai/v1/models/org%2fmodel?a=..%2f..");
            },
        },
        Case {
            name: "a provider's redirect to another host or path",
            must: "it is not followed: the client gets the status, no second request",
            run: |bench| {
                for status in [301, 302, 307, 308] {
                    bench.answer(answer(
                        status,
                        "location: http://127.0.0.2:1/\r\ncontent-type: application/json\r\n",
                        "{}",
                    ));
                    assert_eq!(bench.chat(&[OAI], CHAT).status, status);
                    bench.request();
                }
            },
        },
    ],
};

#[test]
fn paths() {
    THEME.run();
}

fn body(model: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#)
}

/// The model's name stays one segment of the path at the provider.
fn model(bench: &Bench, key: &str, name: &str) {
    bench.answer(json(200, "{}"));
    let response = bench.chat(&[&format!("x-portkey-virtual-key: {key}")], &body(name));
    let seen = bench.seen();
    if seen.is_empty() {
        assert_eq!(response.status, 400, "{name}: {}", response.text());
        return;
    }
    assert_eq!(seen.len(), 1, "{name}: {seen:#?}");
    let (path, query) = seen[0].path.split_once('?').unwrap_or((&seen[0].path, ""));
    assert!(path.starts_with(&format!("/{key}/")), "{name}: {path}");
    assert!(
        !query.contains("evil") && !query.contains("x=1") && !path.contains('#'),
        "{name}: {path}?{query}"
    );
    assert!(path.split('/').all(|part| part != ".." && part != "."), "{name}: {path}");
    assert!(!path.contains(['\\', ' ']), "{name}: {path}");
    assert_eq!(seen[0].header("x-evil"), None, "{name}");
    assert!(!path.contains("/admin"), "{name}: {path}");
}

/// The request is refused, or stays below the base URL at the provider's host.
fn contained(bench: &Bench, path: &str) {
    let response = bench.send("GET", path, &[OAI], "");
    let seen = bench.seen();
    for seen in &seen {
        assert!(seen.path.starts_with("/oai/v1/"), "{path}: {}", seen.path);
        assert!(!seen.path.contains(".."), "{path}: {}", seen.path);
        assert!(seen.header("host").unwrap().starts_with("127.0.0.1:"), "{path}: {seen:?}");
    }
    let refused = [400, 404].contains(&response.status);
    assert!(!seen.is_empty() || refused, "{path}: {}", response.text());
}

//! Hosts that a caller names: the gateway must not become a way into its own network.
//!
//! 127.0.0.1 is allowed at one port, and nothing else. What stands for the inside of a network is
//! 127.0.0.2 and ::1, with a server at each that must never be connected to.

use super::bench::{Bench, CHAT, COMPLETION, Case, Theme};
use super::support::client::Response;
use super::support::name_server::NameServer;
use super::support::upstream::{answer, json};
use std::net::TcpListener;
use std::sync::OnceLock;

pub const THEME: Theme = Theme {
    name: "Hosts that a caller names",
    yaml: |port| {
        format!(
            "virtual_keys:\n  \
             oai: {{provider: openai, api_key: sk-oai-hosts, base_url: 'http://127.0.0.1:{port}/oai'}}\n\
             custom_hosts: [{{host: '127.0.0.1:{port}', private: true}}, rebind.test, '*.wild.test', 'xn--bcher-kva.test']\n\
             dns_resolvers: ['127.0.0.1:{}']\n",
            name_server().port
        )
    },
    cases: &[
        Case {
            name: "the one host that is allowed",
            must: "200: the defence is not that nothing works",
            run: |bench| {
                let port = port(bench);
                let response = ask(bench, &format!("http://127.0.0.1:{port}/own"));
                assert_eq!((response.status, response.text().as_str()), (200, COMPLETION));
                assert_eq!(bench.request().path, "/own/chat/completions");
            },
        },
        Case {
            name: "the allowed host at another port",
            must: "400, no connection",
            run: |bench| refused(bench, "http://127.0.0.1:{inside}/"),
        },
        Case {
            name: "127.0.0.2",
            must: "400, no connection",
            run: |bench| refused(bench, "http://127.0.0.2:{inside}/"),
        },
        Case {
            name: "`[::1]`, `[0:0:0:0:0:0:0:1]`, `[::]`",
            must: "400, no connection",
            run: |bench| {
                for host in ["[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "::1"] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "IPv4 within IPv6: `[::ffff:127.0.0.2]`, `[::ffff:7f00:2]`, `[::127.0.0.2]`, `[64:ff9b::7f00:2]`",
            must: "400, no connection",
            run: |bench| {
                for host in [
                    "[::ffff:127.0.0.2]",
                    "[::ffff:7f00:2]",
                    "[::127.0.0.2]",
                    "[64:ff9b::7f00:2]",
                    "[2002:7f00:2::]",
                ] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "decimal: `2130706434`",
            must: "400, no connection",
            run: |bench| refused(bench, "http://2130706434:{inside}/"),
        },
        Case {
            name: "hexadecimal: `0x7f000002`, `0x7f.0.0.2`",
            must: "400, no connection",
            run: |bench| {
                for host in ["0x7f000002", "0x7f.0.0.2", "0x7f.0x0.0x0.0x2", "0X7F000002"] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "octal: `0177.0.0.2`, `017700000002`",
            must: "400, no connection",
            run: |bench| {
                for host in ["0177.0.0.2", "017700000002", "0177.0000.0000.0002"] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "short forms: `127.2`, `127.0.2`, `0`",
            must: "400, no connection",
            run: |bench| {
                for host in ["127.2", "127.0.2", "0", "0.0.0.0"] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "a dot behind: `127.0.0.2.`, `localhost.`, `127.0.0.1.`",
            must: "400, no connection",
            run: |bench| {
                for host in ["127.0.0.2.", "localhost.", "127.0.0.1.", "rebind.test."] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "names of this machine: `localhost`, `LOCALHOST`, `a.localhost`, `localhost.localdomain`",
            must: "400, no connection, no name is asked for",
            run: |bench| {
                for host in [
                    "localhost",
                    "LOCALHOST",
                    "a.localhost",
                    "localhost.localdomain",
                    "ip6-localhost",
                ] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "user information: `http://127.0.0.1:{port}@127.0.0.2/`, `http://user:pw@127.0.0.1/`",
            must: "400, no connection",
            run: |bench| {
                let port = port(bench);
                for url in [
                    format!("http://127.0.0.1:{port}@127.0.0.2:{{inside}}/"),
                    format!("http://user:pw@127.0.0.1:{port}/"),
                    format!("http://127.0.0.2:{{inside}}#@127.0.0.1:{port}/"),
                    format!("http://127.0.0.2:{{inside}}?@127.0.0.1:{port}/"),
                    format!("http://127.0.0.2:{{inside}}\\@127.0.0.1:{port}/"),
                    format!("http://127.0.0.2:{{inside}};@127.0.0.1:{port}/"),
                ] {
                    refused(bench, &url);
                }
            },
        },
        Case {
            name: "percent signs, full-width digits, circled digits, a soft hyphen, IDNs",
            must: "400, no connection",
            run: |bench| {
                for host in [
                    "127.0.0.%32",
                    "%31%32%37.0.0.2",
                    "１２７.0.0.2",
                    "①②⑦.0.0.2",
                    "127.0.0.2\u{ad}",
                    "127。0。0。2",
                    "b\u{fc}cher.test",
                ] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "punycode of another name than the one that is allowed",
            must: "400, no connection",
            run: |bench| {
                for host in ["xn--bcher-kva.test.evil.test", "xn--bcher-kvb.test", "xn--.test"] {
                    refused(bench, &format!("http://{host}:{{inside}}/"));
                }
            },
        },
        Case {
            name: "an allowed name within another: `rebind.test.evil.test`, `evilrebind.test`, `evil.test#.wild.test`",
            must: "400, no connection, no name is asked for",
            run: |bench| {
                let before = name_server().asked().len();
                for host in [
                    "rebind.test.evil.test",
                    "evilrebind.test",
                    "wild.test",
                    ".wild.test",
                    "evil.test#.wild.test",
                    "evil.test/.wild.test",
                ] {
                    refused(bench, &format!("http://{host}/"));
                }
                assert_eq!(name_server().asked().len(), before, "{:?}", name_server().asked());
            },
        },
        Case {
            name: "other schemes: `file:`, `gopher:`, `envoy:`, `ftp:`, `HTTP:` and none",
            must: "400, no connection",
            run: |bench| {
                for url in [
                    "file:///etc/passwd",
                    "gopher://127.0.0.2:{inside}/",
                    "envoy://demo/v1",
                    "ftp://127.0.0.1/",
                    "//127.0.0.2:{inside}",
                    "127.0.0.2:{inside}",
                    "http:127.0.0.2",
                    "http:///127.0.0.2",
                    "javascript://127.0.0.1",
                ] {
                    refused(bench, url);
                }
            },
        },
        Case {
            name: "blanks, tabs, CR LF and `..` in the URL",
            must: "400, no connection",
            run: |bench| {
                let port = port(bench);
                for url in [
                    format!("http://127.0.0.1:{port} .evil.test/"),
                    format!("http://127.0.0.1:{port}\t@127.0.0.2/"),
                    format!("http://127.0.0.1:{port}/a/../../admin"),
                    format!("http://127.0.0.1:{port}/a?x=1"),
                    format!("http://127.0.0.1:{port}/a#x"),
                    format!("http://127.0.0.1:{port}/a\\..\\b"),
                ] {
                    refused(bench, &url);
                }
            },
        },
        Case {
            name: "`%2e%2e` in the path of an allowed host",
            must: "400: the base path is not left by an encoding either",
            run: |bench| {
                let port = port(bench);
                for path in
                    ["a/%2e%2e/admin", "a/..%2fadmin", "a/%2e%2e%2fadmin", "a%0d%0ax-evil:1"]
                {
                    refused(bench, &format!("http://127.0.0.1:{port}/{path}"));
                }
            },
        },
        Case {
            name: "rebinding: an allowed name that is not marked private, but resolves to 127.0.0.1",
            must: "an error, no connection: the address is judged when it is used",
            run: |bench| {
                let port = port(bench);
                let response = ask(bench, &format!("http://rebind.test:{port}/own"));
                assert_eq!(response.status, 503, "{}", response.text());
                assert!(name_server().asked().iter().any(|name| name == "rebind.test"));
                bench.unheard();
                let response = ask(bench, &format!("http://a.wild.test:{port}/own"));
                assert_eq!(response.status, 503, "{}", response.text());
                bench.unheard();
            },
        },
        Case {
            name: "an allowed host that redirects to 127.0.0.2",
            must: "the client gets the redirect, no connection",
            run: |bench| {
                let port = port(bench);
                let inside = inside();
                bench.answer(answer(
                    307,
                    &format!(
                        "content-type: application/json\r\nlocation: http://127.0.0.2:{inside}/\r\n"
                    ),
                    "{}",
                ));
                assert_eq!(ask(bench, &format!("http://127.0.0.1:{port}/own")).status, 307);
                bench.request();
                untouched();
            },
        },
        Case {
            name: "`custom_host` in a target, behind a fallback, at 127.0.0.2",
            must: "400 before anything is sent",
            run: |bench| {
                let inside = inside();
                let config = format!(
                    r#"{{"strategy":{{"mode":"fallback"}},"targets":[{{"virtual_key":"oai"}},{{"provider":"openai","api_key":"sk-hosts-target","custom_host":"http://127.0.0.2:{inside}"}}]}}"#
                );
                bench.answer(json(500, "{}"));
                let response = bench.chat_with(&config, &[]);
                assert_eq!(response.status, 400, "{}", response.text());
                bench.unheard();
                untouched();
            },
        },
        Case {
            name: "`custom_host` beside a virtual key",
            must: "the virtual key's credential and headers do not go there",
            run: |bench| {
                let port = port(bench);
                let host = format!("x-portkey-custom-host: http://127.0.0.1:{port}/own");
                let response = bench.chat(&["x-portkey-virtual-key: oai", &host], CHAT);
                for request in bench.seen() {
                    assert_eq!(request.header("authorization"), None);
                }
                assert!([200, 400].contains(&response.status));
            },
        },
        Case {
            name: "`azure_foundry_url` at 127.0.0.2, at `evil.test`, at `x.services.ai.azure.com.evil.test`",
            must: "400, no connection, no name is asked for",
            run: |bench| {
                let before = name_server().asked().len();
                for url in [
                    "http://127.0.0.2:{inside}",
                    "https://evil.test",
                    "https://x.services.ai.azure.com.evil.test",
                    "https://evil.test#.services.ai.azure.com",
                    "https://evil.test\\\\.services.ai.azure.com",
                ] {
                    setting(bench, "azure-ai", "azure_foundry_url", url);
                }
                assert_eq!(name_server().asked().len(), before, "{:?}", name_server().asked());
            },
        },
        Case {
            name: "a setting that is part of a host: `resource_name: 127.0.0.2/`, `evil.test#`, `a@127.0.0.2:1/`",
            must: "400, no connection, no name is asked for",
            run: |bench| {
                let before = name_server().asked().len();
                for value in [
                    "127.0.0.2:{inside}/",
                    "evil.test#",
                    "a@127.0.0.2:{inside}/",
                    "evil.test/",
                    "a.b",
                    "a\\\\",
                    "a%2f",
                ] {
                    setting(bench, "azure-openai", "resource_name", value);
                    setting(bench, "databricks", "databricks_workspace", value);
                }
                assert_eq!(name_server().asked().len(), before, "{:?}", name_server().asked());
            },
        },
        Case {
            name: "a setting that is part of a path: `workers_ai_account_id: ../../x`",
            must: "400, no name is asked for",
            run: |bench| {
                let before = name_server().asked().len();
                for value in ["../../x", "..", "a/b", "a?b", "a%2f.."] {
                    setting(bench, "workers-ai", "workers_ai_account_id", value);
                }
                assert_eq!(name_server().asked().len(), before, "{:?}", name_server().asked());
            },
        },
        Case {
            name: "a service account whose `token_uri` is 127.0.0.2",
            must: "its key is exchanged at Google's place alone: no connection",
            run: |bench| {
                let inside = inside();
                let key = format!(
                    r#"{{"type":"service_account","client_email":"a@p.test","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n","project_id":"p","token_uri":"http://127.0.0.2:{inside}/token"}}"#
                );
                let config = format!(
                    r#"{{"provider":"vertex-ai","vertex_region":"global","vertex_service_account_json":{key}}}"#
                );
                let response = bench.chat_with(&config, &[]);
                assert!(response.status >= 400, "{}", response.text());
                untouched();
            },
        },
    ],
};

#[test]
fn hosts() {
    let _ = inside();
    THEME.run();
    untouched();
}

fn name_server() -> &'static NameServer {
    static SERVER: OnceLock<NameServer> = OnceLock::new();
    SERVER.get_or_init(|| NameServer::start(&["rebind.test", "a.wild.test"]))
}

/// What must not be connected to: a port of 127.0.0.2, and of ::1 where the machine has it.
struct Inside {
    port: u16,
    servers: Vec<TcpListener>,
}

fn servers() -> &'static Inside {
    static INSIDE: OnceLock<Inside> = OnceLock::new();
    INSIDE.get_or_init(|| {
        let one = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = one.local_addr().unwrap().port();
        let mut servers = vec![one];
        servers.extend(TcpListener::bind(("::1", port)));
        for server in &servers {
            server.set_nonblocking(true).unwrap();
        }
        Inside { port, servers }
    })
}

fn inside() -> u16 {
    servers().port
}

/// Nobody has connected to what must not be connected to.
fn untouched() {
    for server in &servers().servers {
        assert!(server.accept().is_err(), "somebody has connected to {:?}", server.local_addr());
    }
}

/// The port of the server behind the gateway.
fn port(bench: &Bench) -> u16 {
    let seen = bench.chat(&["x-portkey-virtual-key: oai"], CHAT);
    assert_eq!(seen.status, 200, "{}", seen.text());
    let host = bench.request().header("host").unwrap().to_owned();
    host.rsplit_once(':').unwrap().1.parse().unwrap()
}

fn ask(bench: &Bench, url: &str) -> Response {
    let host = format!("x-portkey-custom-host: {url}");
    bench
        .chat(&["x-portkey-provider: openai", "authorization: Bearer sk-hosts-caller", &host], CHAT)
}

/// By header and by config the URL is refused, and nobody is connected to.
fn refused(bench: &Bench, url: &str) {
    let url = url.replace("{inside}", &inside().to_string());
    let response = ask(bench, &url);
    assert_eq!(response.status, 400, "{url}: {}", response.text());
    assert_eq!(response.json()["message"], "Invalid custom host", "{url}: {}", response.text());
    let config = serde_json::json!({ "provider": "openai", "api_key": "sk-hosts-config", "custom_host": url });
    let response = bench.chat_with(&config.to_string(), &[]);
    assert_eq!(response.status, 400, "{url}: {}", response.text());
    bench.unheard();
    untouched();
}

fn setting(bench: &Bench, provider: &str, name: &str, value: &str) {
    let value = value.replace("{inside}", &inside().to_string());
    let config =
        format!(r#"{{"provider":"{provider}","api_key":"sk-hosts-setting","{name}":"{value}"}}"#);
    let response = bench.chat_with(&config, &[]);
    assert_eq!(response.status, 400, "{config}: {}", response.text());
    bench.unheard();
    untouched();
}

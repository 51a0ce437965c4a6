use super::scope::Place;
use super::*;

/// `printf key | sha256sum`
const DIGEST: &str = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";

struct Token(Option<&'static str>);

impl Tokens for Token {
    fn claim(&self, name: &str) -> Option<String> {
        self.0.filter(|_| name == "sub").map(str::to_owned)
    }

    fn fault(&self) -> Option<String> {
        None
    }
}

fn callers(json: &str) -> Callers {
    let json = json.replace("DIGEST", DIGEST);
    Callers::new(serde_json::from_str(&json).unwrap()).unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Headers::new(owned.collect())
}

/// Name and policy of who asks, or status and code of the refusal; and the headers that are left.
fn ask(
    callers: &Callers,
    pairs: &[(&str, &str)],
    token: Option<&'static str>,
) -> (String, Vec<String>) {
    let mut headers = headers(pairs);
    let who = match callers.identify(&mut headers, &Token(token), 100) {
        Ok(identity) => format!("{} as {}", identity.name, identity.policy.name),
        Err(error) => format!("{} {}", error.status, error.code),
    };
    (who, headers.iter().map(|(name, _)| name.to_owned()).collect())
}

#[test]
fn a_key_is_known_wherever_it_is_and_goes_no_further() {
    let callers = callers(r#"{"keys":{"a":{"sha256":"DIGEST"}}}"#);
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Pairs<'_>, &str, &[&str]); 10] = [
        (&[("x-portkey-api-key", "key")], "a as a", &["x-portkey-api-key"]),
        (&[("authorization", "Bearer key")], "a as a", &[]),
        (&[("authorization", "key")], "a as a", &[]),
        (&[("x-api-key", "key")], "a as a", &[]),
        (&[("api-key", "key")], "a as a", &[]),
        (
            &[("x-portkey-api-key", "key"), ("authorization", "Bearer key"), ("x-api-key", "own")],
            "a as a",
            &["x-portkey-api-key", "x-api-key"],
        ),
        (
            &[("x-portkey-api-key", "kez"), ("authorization", "key")],
            "401 invalid_api_key",
            &["x-portkey-api-key", "authorization"],
        ),
        (&[("authorization", "Bearer other")], "401 invalid_api_key", &[]),
        (&[("x-portkey-api-key", " ")], "401 missing_api_key", &["x-portkey-api-key"]),
        (&[], "401 missing_api_key", &[]),
    ];
    for (pairs, who, left) in cases {
        let (found, names) = ask(&callers, pairs, None);
        assert_eq!((found.as_str(), names), (who, left.iter().map(|n| (*n).to_owned()).collect()));
    }
    let twice = [("x-portkey-api-key", "key"), ("x-portkey-api-key", "key")];
    assert_eq!(ask(&callers, &twice, None).0, "400 duplicate_header");
    assert_eq!(ask(&callers, &[], Some("a")).0, "401 missing_api_key", "no jwt in gateway.yaml");
}

#[test]
fn who_is_over_or_locked_out_is_told_so() {
    for (rules, who) in [
        (r#""disabled":true"#, "401 api_key_disabled"),
        (r#""expires_at":100"#, "401 api_key_expired"),
        (r#""expires_at":101"#, "a as a"),
    ] {
        let callers = callers(&format!(r#"{{"keys":{{"a":{{"sha256":"DIGEST",{rules}}}}}}}"#));
        assert_eq!(ask(&callers, &[("x-portkey-api-key", "key")], None).0, who);
    }
}

#[test]
fn a_token_leads_to_the_caller_of_its_name_or_to_the_default() {
    let named = r#"{"keys":{"a":{},"b":{"sha256":"DIGEST"}},"jwt":{"claim":"sub"}}"#;
    let open = r#"{"keys":{"a":{},"b":{"sha256":"DIGEST"}},"jwt":{"claim":"sub","default":"a"}}"#;
    let key = [("x-portkey-api-key", "key")];
    for (json, pairs, token, who) in [
        (named, &key[..0], Some("a"), "a as a"),
        (named, &key[..0], Some("x"), "403 unknown_caller"),
        (open, &key[..0], Some("x"), "x as a"),
        (open, &key[..0], Some("b"), "b as b"),
        (open, &key[..0], Some("x\r\ny: z"), "403 unknown_caller"),
        (open, &key[..0], Some(""), "401 missing_api_key"),
        (open, &key[..0], None, "401 missing_api_key"),
        (open, &key[..], Some("x"), "b as b"),
    ] {
        assert_eq!(ask(&callers(json), pairs, token).0, who, "{token:?}");
    }
}

#[test]
fn what_cannot_be_used_is_refused() {
    for (json, error) in [
        (r#"{"keys":{"a":{"sha256":"12"}}}"#, "a: bad sha256"),
        (r#"{"keys":{"a":{"sha256":"DIGEST"},"b":{"sha256":"DIGEST"}}}"#, "two callers have"),
        (r#"{"keys":{"a":{}},"jwt":{"claim":"s","default":"b"}}"#, "jwt.default: no caller b"),
    ] {
        let settings = serde_json::from_str(&json.replace("DIGEST", DIGEST)).unwrap();
        assert!(Callers::new(settings).unwrap_err().starts_with(error));
    }
}

fn policy(rules: &str) -> Policy {
    Policy { name: "a".to_owned(), rules: serde_json::from_str(rules).unwrap() }
}

#[test]
fn each_place_is_judged_by_the_list_that_names_it() {
    let key = Place { virtual_key: Some("k"), provider: "openai" };
    let own = Place { virtual_key: None, provider: "openai" };
    for (rules, of_key, of_own) in [
        ("{}", true, true),
        (r#"{"virtual_keys":["k"]}"#, true, false),
        (r#"{"virtual_keys":[]}"#, false, false),
        (r#"{"providers":["openai"]}"#, true, true),
        (r#"{"providers":["cohere"]}"#, false, false),
        (r#"{"virtual_keys":["k"],"providers":["cohere"]}"#, true, false),
        (r#"{"virtual_keys":["x"],"providers":["openai"]}"#, false, true),
    ] {
        let policy = policy(rules);
        assert_eq!((policy.allows(key), policy.allows(own)), (of_key, of_own), "{rules}");
    }
}

#[test]
fn models_and_configs_are_allowed_by_name() {
    let rules = policy(r#"{"models":["gpt-4o","claude-*"],"configs":["c"],"default_config":"d"}"#);
    for (model, allowed) in [
        (Some("gpt-4o"), true),
        (Some("gpt-4o-mini"), false),
        (Some("claude-"), true),
        (Some("Claude-x"), false),
        (None, false),
    ] {
        assert_eq!(rules.check_model(model).is_ok(), allowed, "{model:?}");
    }
    for (slug, allowed) in [(Some("c"), true), (Some("d"), true), (Some("e"), false), (None, false)]
    {
        assert_eq!(rules.check_config(slug).is_ok(), allowed, "{slug:?}");
    }
    let error = rules.check_model(Some("x")).unwrap_err();
    assert_eq!((error.status, error.code), (403, "model_not_allowed"));
    let free = policy("{}");
    assert!(free.check_model(None).is_ok() && free.check_config(None).is_ok());
}

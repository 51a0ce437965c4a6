use super::*;
use crate::provider::BaseUrl;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n";

/// Signs with the length of the text, and counts.
#[derive(Default)]
struct Fake {
    kept: RefCell<BTreeMap<String, Vec<u8>>>,
    signed: RefCell<Vec<String>>,
}

impl Vault for Fake {
    fn sign(&self, private_key: &str, text: &[u8]) -> Option<Vec<u8>> {
        self.signed.borrow_mut().push(String::from_utf8(text.to_vec()).unwrap());
        private_key.starts_with("-----BEGIN PRIVATE").then(|| b"signature".to_vec())
    }

    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        self.kept.borrow().get(name).cloned()
    }

    fn keep(&self, name: &str, value: &[u8]) {
        self.kept.borrow_mut().insert(name.to_owned(), value.to_vec());
    }
}

fn file() -> Value {
    json!({
        "type": "service_account",
        "project_id": "proj-1",
        "private_key_id": "k1",
        "private_key": KEY,
        "client_email": "bot@proj-1.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    })
}

fn with(name: &str, value: Value) -> String {
    let mut file = file();
    file[name] = value;
    file.to_string()
}

fn account() -> ServiceAccount {
    ServiceAccount::parse(&file().to_string()).unwrap()
}

fn ask(account: &ServiceAccount, now: u64, vault: &Fake) -> Access {
    access(account, &BaseUrl::parse(TOKEN_URL).unwrap(), now, vault).unwrap()
}

fn exchange(account: &ServiceAccount, now: u64, vault: &Fake) -> Exchange {
    match ask(account, now, vault) {
        Access::Ask(exchange, _) => exchange,
        Access::Token(token) => panic!("{token} was kept"),
    }
}

/// The JSON of a part of a token.
fn decode(part: &str) -> Value {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in part.chars() {
        bits = bits << 6 | digits.find(digit).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_key_file_is_read() {
    let account = account();
    assert_eq!(account.project_id.as_deref(), Some("proj-1"));
    assert_eq!(format!("{account:?}"), "ServiceAccount");
    let twice = with("private_key", KEY.replace('\n', "\\n").into());
    assert_eq!(ServiceAccount::parse(&twice).unwrap().private_key, KEY);
    let again = ServiceAccount::parse(&account.to_json()).unwrap();
    assert_eq!(again.fingerprint(), account.fingerprint());
    assert!(!again.to_json().contains('\n'));
    assert_eq!((again.key_id, again.project_id), (account.key_id, account.project_id));
    let least = json!({"client_email": "a", "private_key": KEY}).to_string();
    assert!(ServiceAccount::parse(&least).is_ok());
}

#[test]
fn what_is_no_key_file_is_refused_without_a_quote() {
    for (text, expected) in [
        (String::new(), "JSON"),
        ("[]".to_owned(), "JSON"),
        ("{\"private_key\":1}".to_owned(), "JSON"),
        (with("type", "authorized_user".into()), "type"),
        (with("token_uri", "http://169.254.169.254/token".into()), "token_uri"),
        (with("token_uri", "https://oauth2.googleapis.com.evil.example/token".into()), "token_uri"),
        (with("universe_domain", "evil.example".into()), "universe_domain"),
        (with("client_email", Value::Null), "client_email"),
        (with("client_email", "".into()), "client_email"),
        (with("private_key", "secret".into()), "private_key"),
        (with("private_key", format!("{KEY}{}", "x".repeat(20_000)).into()), "private_key"),
    ] {
        let error = ServiceAccount::parse(&text).unwrap_err();
        assert!(error.contains(expected) && !error.contains("secret"), "{text}: {error}");
    }
}

#[test]
fn the_assertion_says_who_asks_for_what() {
    let vault = Fake::default();
    let Access::Ask(_, call) = ask(&account(), 1_000, &vault) else { panic!("no call") };
    assert_eq!(call.headers.text(":authority"), Some("oauth2.googleapis.com"));
    assert_eq!(call.headers.text(":path"), Some("/token"));
    let body = String::from_utf8(call.body).unwrap();
    let assertion = body
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap();
    let parts: Vec<&str> = assertion.split('.').collect();
    assert_eq!(decode(parts[0]), json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    assert_eq!(
        decode(parts[1]),
        json!({
            "iss": "bot@proj-1.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_000,
            "exp": 4_600,
        })
    );
    assert_eq!(parts[2], "c2lnbmF0dXJl");
    assert_eq!(*vault.signed.borrow(), [format!("{}.{}", parts[0], parts[1])]);
}

#[test]
fn a_token_is_kept_until_shortly_before_its_end() {
    let (vault, account) = (Fake::default(), account());
    let answer = br#"{"access_token":"ya29.a","expires_in":3599,"token_type":"Bearer"}"#;
    let token = exchange(&account, 1_000, &vault).finish(Some(200), answer, 1_000, &vault);
    assert_eq!(token.unwrap(), "ya29.a");
    for (now, kept) in [(1_000, true), (4_538, true), (4_539, false), (9_000, false)] {
        let got = ask(&account, now, &vault);
        assert_eq!(matches!(got, Access::Token(token) if token == "ya29.a"), kept, "{now}");
    }
    assert_eq!(vault.kept.borrow().len(), 1);
    let names = format!("{:?}", vault.kept.borrow().keys());
    assert!(!names.contains("bot"), "{names}");
}

#[test]
fn nobody_gets_the_token_of_another_key() {
    let vault = Fake::default();
    let answer = br#"{"access_token":"ya29.a","expires_in":3599}"#;
    exchange(&account(), 1_000, &vault).finish(Some(200), answer, 1_000, &vault).unwrap();
    for (name, value) in [("private_key", KEY.replace('x', "y")), ("client_email", "b".to_owned())]
    {
        let other = ServiceAccount::parse(&with(name, value.into())).unwrap();
        // Under the name of the first account, which says less than the fingerprint.
        let kept = vault.kept.borrow().values().next().unwrap().clone();
        let place = format!("google_token.{:02x}", other.fingerprint()[0]);
        vault.keep(&place, &kept);
        assert!(matches!(ask(&other, 1_000, &vault), Access::Ask(..)), "{name}");
    }
}

#[test]
fn short_lives_and_nonsense_are_not_kept_for_long() {
    let account = account();
    for (expires_in, kept_at_10, kept_at_9) in
        [("20", false, true), ("0", false, false), ("-5", false, false), ("1e99", true, true)]
    {
        let vault = Fake::default();
        let answer = format!(r#"{{"access_token":"t","expires_in":{expires_in}}}"#);
        exchange(&account, 0, &vault).finish(Some(200), answer.as_bytes(), 0, &vault).unwrap();
        for (now, kept) in [(10, kept_at_10), (9, kept_at_9)] {
            assert_eq!(matches!(ask(&account, now, &vault), Access::Token(_)), kept);
        }
    }
    let vault = Fake::default();
    let answer = br#"{"access_token":"t","expires_in":1e99}"#;
    exchange(&account, 0, &vault).finish(Some(200), answer, 0, &vault).unwrap();
    assert!(matches!(ask(&account, 43_200, &vault), Access::Ask(..)));
}

#[test]
fn failures_of_the_endpoint_are_told_apart() {
    let vault = Fake::default();
    let grant = br#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    for (status, body, expected, code, said) in [
        (Some(400), &grant[..], 401, "service_account_refused", "invalid_grant: Invalid JWT"),
        (Some(403), b"<html>", 401, "service_account_refused", "status 403"),
        (Some(500), b"", 502, "token_endpoint_failed", "status 500"),
        (Some(503), b"", 502, "token_endpoint_failed", "reached"),
        (Some(504), b"", 504, "token_endpoint_failed", "in time"),
        (None, b"", 502, "token_endpoint_failed", "reached"),
        (Some(200), b"", 502, "token_endpoint_failed", "without an access token"),
        (Some(200), br#"{"id_token":"x"}"#, 502, "token_endpoint_failed", "without"),
        (Some(200), br#"{"access_token":""}"#, 502, "token_endpoint_failed", "without"),
        (Some(200), br#"{"access_token":"a\nb"}"#, 502, "token_endpoint_failed", "without"),
        (Some(302), b"", 502, "token_endpoint_failed", "status 302"),
    ] {
        let error = exchange(&account(), 0, &vault).finish(status, body, 0, &vault).unwrap_err();
        assert_eq!((error.status, error.code), (expected, code), "{status:?}");
        assert!(error.message.contains(said), "{}", error.message);
    }
    assert!(vault.kept.borrow().is_empty());
}

#[test]
fn a_key_that_cannot_sign_is_the_callers_fault() {
    let rsa = KEY.replace("PRIVATE", "RSA PRIVATE");
    let account = ServiceAccount::parse(&with("private_key", rsa.into())).unwrap();
    let url = BaseUrl::parse(TOKEN_URL).unwrap();
    let error = access(&account, &url, 0, &Fake::default()).unwrap_err();
    assert_eq!((error.status, error.code), (400, "invalid_service_account"));
}

#[test]
fn the_key_file_of_the_tests_is_one() {
    let text = include_str!("../../tests/fixtures/vertex/service_account.json");
    serde_json::from_str::<Value>(text).unwrap();
    ServiceAccount::parse(text).unwrap();
}

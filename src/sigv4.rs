//! AWS Signature Version 4 of a request whose body is at hand
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The credentials that a caller sends along.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Names the key; it is no secret.
    pub access_key_id: &'a str,
    /// Never leaves the module.
    pub secret_access_key: &'a str,
    /// Of temporary credentials.
    pub session_token: Option<&'a str>,
}

/// What is signed.
pub struct Request<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path and query, as they are sent.
    pub path: &'a str,
    /// Value of the `host` header.
    pub host: &'a str,
    /// Value of the `content-type` header.
    pub content_type: Option<&'a str>,
    /// The body, as it is sent.
    pub body: &'a [u8],
}

/// For whom, and when.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Such as `us-east-1`.
    pub region: &'a str,
    /// AWS's name of the service, such as `bedrock`.
    pub service: &'a str,
    /// Unix time in seconds.
    pub time: u64,
}

/// The headers that make a request signed, names in lower case.
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: Scope<'_>,
) -> Vec<(&'static str, String)> {
    let time = timestamp(scope.time);
    let digest = hex(&Sha256::digest(request.body));
    let mut headers = vec![("x-amz-content-sha256", digest.clone()), ("x-amz-date", time.clone())];
    if let Some(token) = credentials.session_token {
        headers.push(("x-amz-security-token", token.to_owned()));
    }
    // In the order of names, as the signature wants them.
    let mut signed = Vec::with_capacity(5);
    signed.extend(request.content_type.map(|value| ("content-type", value)));
    signed.push(("host", request.host));
    signed.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let canonical = canonical(request, &signed, &names, &digest);
    let (place, signature) = signature(&canonical, credentials.secret_access_key, scope, &time);
    let id = credentials.access_key_id;
    let value = format!(
        "{ALGORITHM} Credential={id}/{place}, SignedHeaders={names}, Signature={signature}"
    );
    headers.push(("authorization", value));
    headers
}

/// AWS's name of the scope, and the signature.
fn signature(canonical: &str, secret: &str, scope: Scope<'_>, time: &str) -> (String, String) {
    let date = time.split('T').next().unwrap_or_default();
    let Scope { region, service, .. } = scope;
    let place = format!("{date}/{region}/{service}/aws4_request");
    let hashed = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{time}\n{place}\n{hashed}");
    let mut key = ["AWS4", secret].concat().into_bytes();
    for part in [date, region, service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    (place, hex(&hmac(&key, to_sign.as_bytes())))
}

fn canonical(request: &Request<'_>, signed: &[(&str, &str)], names: &str, digest: &str) -> String {
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let mut out = String::with_capacity(512);
    out.push_str(request.method);
    out.push('\n');
    // The path is encoded once more than it was for its way: only S3 does without.
    encode(&mut out, if path.is_empty() { "/" } else { path }, true);
    out.push('\n');
    out.push_str(&canonical_query(query));
    out.push('\n');
    for (name, value) in signed {
        out.push_str(name);
        out.push(':');
        let mut words = value.split_ascii_whitespace();
        out.push_str(words.next().unwrap_or_default());
        for word in words {
            out.push(' ');
            out.push_str(word);
        }
        out.push('\n');
    }
    out.push('\n');
    out.push_str(names);
    out.push('\n');
    out.push_str(digest);
    out
}

/// The parameters in the order of their names. They are encoded already.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    let mut out = String::with_capacity(query.len() + 1);
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}

/// Appends a text with every byte percent-encoded that is not unreserved (RFC 3986).
pub fn encode(out: &mut String, text: &str, keep_slashes: bool) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if keep_slashes => out.push('/'),
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// Unix time as `20150830T123600Z`.
fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Year, month and day of a day since 1970, by the Gregorian calendar: eras of 400 years, and years
/// that begin in March, so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// 30 August 2015, 12:36:00: the time of AWS's examples.
    const TIME: u64 = 1_440_938_160;

    /// The example that AWS has published.
    #[test]
    fn the_published_example_has_the_published_signature() {
        let canonical = "GET\n/\nAction=ListUsers&Version=2010-05-08\n\
            content-type:application/x-www-form-urlencoded; charset=utf-8\n\
            host:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\n\
            content-type;host;x-amz-date\n\
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let scope = Scope { region: "us-east-1", service: "iam", time: TIME };
        let (place, signature) = signature(canonical, SECRET, scope, &timestamp(TIME));
        assert_eq!(place, "20150830/us-east-1/iam/aws4_request");
        let published = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(signature, published);
    }

    /// Each signature is the one that botocore makes of the same request.
    #[test]
    fn signatures_are_those_of_botocore() {
        let request = |method, host, path, content_type, body| Request {
            method,
            path,
            host,
            content_type,
            body,
        };
        let json = Some("application/json");
        let claude = "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse";
        let profile =
            "/model/arn%3Aaws%3Abedrock%3Aeu-west-3%3A1%3Ainference-profile%2Fx/converse-stream";
        let query = "/a%20b/c?z=1&a=%2F&a=%20&empty";
        for (request, region, service, token, expected) in [
            (
                request(
                    "POST",
                    "bedrock-runtime.us-east-1.amazonaws.com",
                    claude,
                    json,
                    b"{\"a\":1}",
                ),
                "us-east-1",
                "bedrock",
                None,
                "content-type;host;x-amz-content-sha256;x-amz-date, Signature=\
                 8c87ae6fecdc646f89017910bd0369f1142b5f8cfaa1039bb46f9af599d9d9a6",
            ),
            (
                request("POST", "bedrock-runtime.eu-west-3.amazonaws.com", profile, json, b"{}"),
                "eu-west-3",
                "bedrock",
                Some("tok+en/=="),
                "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=\
                 55a515b7043441fa98965a5e2bc31df69034173050cb7466b909752c889da392",
            ),
            (
                request("GET", "127.0.0.1:1234", query, None, b""),
                "us-east-1",
                "sagemaker",
                None,
                "host;x-amz-content-sha256;x-amz-date, Signature=\
                 c6949aaba821d1a9cd685d9bda0f1922521da08d0c4ea8d155d2783766644c7e",
            ),
        ] {
            let credentials = Credentials {
                access_key_id: "AKIDEXAMPLE",
                secret_access_key: SECRET,
                session_token: token,
            };
            let headers = sign(&request, &credentials, Scope { region, service, time: TIME });
            let scope = format!("AKIDEXAMPLE/20150830/{region}/{service}/aws4_request");
            let expected = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={expected}");
            let (name, value) = headers.last().unwrap();
            assert_eq!((*name, value), ("authorization", &expected));
            let sent = headers.iter().find(|(name, _)| *name == "x-amz-security-token");
            assert_eq!(sent.map(|(_, token)| token.as_str()), token);
        }
    }

    #[test]
    fn days_are_counted_as_calendars_do() {
        for (seconds, expected) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_735_689_599, "20241231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(timestamp(seconds), expected);
        }
    }
}

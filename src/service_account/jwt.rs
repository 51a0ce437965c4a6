//! The assertion: a JSON Web Token (RFC 7519) that Envoy signs.

use super::account::ServiceAccount;
use super::{TOKEN_URL, Vault};
use crate::base64;
use serde::Serialize;

/// All of Google Cloud's APIs; what an account may do there is the project's matter.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Seconds that an assertion, and the token for it, is good for: the most that Google allows.
const LIFETIME: u64 = 3600;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'static str,
    aud: &'static str,
    iat: u64,
    exp: u64,
}

/// The assertion of an account at `now`, Unix time in seconds. `None` when its key cannot sign.
pub(super) fn assertion(account: &ServiceAccount, now: u64, vault: &dyn Vault) -> Option<String> {
    let header = Header { alg: "RS256", typ: "JWT", kid: account.key_id.as_deref() };
    let claims = Claims {
        iss: &account.email,
        scope: SCOPE,
        aud: TOKEN_URL,
        iat: now,
        exp: now.saturating_add(LIFETIME),
    };
    let mut token = String::new();
    base64::encode_url(&mut token, &serde_json::to_vec(&header).ok()?);
    token.push('.');
    base64::encode_url(&mut token, &serde_json::to_vec(&claims).ok()?);
    let signature = vault.sign(&account.private_key, token.as_bytes())?;
    token.push('.');
    base64::encode_url(&mut token, &signature);
    Some(token)
}

/// Arguments of Envoy's foreign function `sign` (`envoy.source.extensions.common.wasm.SignArguments`).
pub fn sign_arguments(private_key: &str, text: &[u8]) -> Vec<u8> {
    let mut arguments = Vec::new();
    write_bytes(&mut arguments, 1, b"sha256");
    write_bytes(&mut arguments, 3, text);
    write_bytes(&mut arguments, 4, private_key.as_bytes());
    arguments
}

/// A field of a protobuf message that is bytes.
fn write_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    const LENGTH_DELIMITED: u8 = 2;
    out.push(field << 3 | LENGTH_DELIMITED);
    let mut length = bytes.len();
    while length >= 0x80 {
        // The low seven bits; the rest follows.
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

/// The signature in the function's answer, `SignResult`; `None` when it has none.
pub fn signature(result: &[u8]) -> Option<Vec<u8>> {
    const SUCCEEDED: u64 = 1 << 3;
    const SIGNATURE: u64 = 2 << 3 | 2;
    let (mut rest, mut succeeded, mut signature) = (result, false, None);
    while !rest.is_empty() {
        let (tag, value) = varint(&mut rest).zip(varint(&mut rest))?;
        match tag {
            SUCCEEDED => succeeded = value == 1,
            // Any other field has bytes, too: the error's text.
            _ => {
                let (bytes, after) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                if tag == SIGNATURE {
                    signature = Some(bytes.to_vec());
                }
                rest = after;
            }
        }
    }
    signature.filter(|bytes| succeeded && !bytes.is_empty())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_only_from_success() {
        let good = [&[8, 1, 18, 3][..], b"abc"].concat();
        assert_eq!(signature(&good).as_deref(), Some(&b"abc"[..]));
        let long = [&[8, 1, 18, 0x80, 2][..], &[7; 256]].concat();
        assert_eq!(signature(&long).map(|bytes| bytes.len()), Some(256));
        for bad in [
            &b""[..],
            &[8, 1],
            &[18, 1, 7],
            &[8, 0, 18, 1, 7],
            &[8, 1, 18, 0],
            &[8, 1, 26, 1, 7],
            &[0xff; 20],
        ] {
            assert_eq!(signature(bad), None, "{bad:?}");
        }
        for end in 0..good.len() {
            assert_eq!(signature(&good[..end]), None, "cut at {end}");
        }
    }
}

//! Base64 (RFC 4648): with padding (section 4), and for URLs without (section 5).

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Appends bytes as base64.
pub fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        out.extend(digits(group, DIGITS).map(|digit| digit.unwrap_or(b'=')));
    }
}

/// Appends bytes as base64 for URLs.
pub fn encode_url(out: &mut String, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        out.extend(digits(group, URL_DIGITS).into_iter().flatten().map(char::from));
    }
}

/// The digits of up to three bytes; fewer have fewer.
fn digits(group: &[u8], alphabet: &[u8; 64]) -> [Option<u8>; 4] {
    let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    let digit = |at: usize| alphabet.get((bits >> (18 - 6 * at) & 0x3f) as usize).copied();
    [0, 1, 2, 3].map(|at| digit(at).filter(|_| at <= group.len()))
}

/// The bytes of a text in base64. `None` when it is none; the padding may be missing.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.trim_ascii_end();
    let digits = digits.strip_suffix(b"=").unwrap_or(digits);
    let digits = digits.strip_suffix(b"=").unwrap_or(digits);
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0;
        for digit in group {
            bits = bits << 6 | value(*digit)?;
        }
        // A lone digit is not even one byte.
        let bytes = group.len().checked_sub(1).filter(|bytes| *bytes > 0)?;
        bits <<= 6 * (4 - group.len());
        out.extend(bits.to_be_bytes().into_iter().skip(1).take(bytes));
    }
    Some(out)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were() {
        // RFC 4648, section 10, and the digits that other alphabets have otherwise.
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"\xfb\xff", "+/8="),
        ] {
            let mut out = Vec::new();
            encode(&mut out, bytes);
            assert_eq!(out, text.as_bytes());
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes));
            assert_eq!(decode(text.trim_end_matches('=').as_bytes()).as_deref(), Some(bytes));
        }
        for other in ["Z", "Zm9vY", "Zm=v", "Zm9-", "====", "Zg==x", "\u{e9}"] {
            assert_eq!(decode(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn base64url_has_no_padding() {
        // RFC 4648, section 10, and the two digits that differ from plain base64.
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (b"fooba", "Zm9vYmE"),
            (b"foobar", "Zm9vYmFy"),
            (b"\xfb\xff", "-_8"),
        ] {
            let mut out = String::new();
            encode_url(&mut out, bytes);
            assert_eq!(out, expected);
        }
    }
}

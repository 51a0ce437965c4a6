//! Base64 with padding (RFC 4648, section 4).

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends bytes as base64.
pub(super) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = DIGITS.get((bits >> shift & 0x3f) as usize).copied();
            out.push(digit.filter(|_| at <= group.len()).unwrap_or(b'='));
        }
    }
}

/// The bytes of a text in base64. `None` when it is none; the padding may be missing.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
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
}

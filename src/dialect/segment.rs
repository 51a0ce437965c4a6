//! One segment of a path, made of a text that may hold anything.

/// Appends a text so that it stays one segment, whatever it holds.
pub(super) fn push_segment(path: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                path.push(char::from(byte));
            }
            _ => {
                path.push('%');
                path.extend([byte >> 4, byte & 15].map(hex_digit));
            }
        }
    }
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_segment_is_escaped() {
        for (text, expected) in [
            ("claude-3-haiku@20240307", "claude-3-haiku@20240307"),
            ("../a/b", "..%2Fa%2Fb"),
            ("a?b#c:d%2e\r\n \\", "a%3Fb%23c%3Ad%252e%0D%0A%20%5C"),
            ("g\u{e9}", "g%C3%A9"),
        ] {
            let mut path = String::new();
            push_segment(&mut path, text);
            assert_eq!(path, expected, "{text}");
        }
    }
}

//! JSON in one spelling: whatever says the same has the same bytes.
//!
//! Members are sorted by key, white space is left out, strings are unescaped as far as JSON allows,
//! and numbers are written as `<digits>e<exponent>` without leading or trailing zeros: `1`, `1.0`
//! and `10e-1` are one number, and no digit of a long one is lost.

use crate::json::write_string;
use std::borrow::Cow;
use std::ops::Range;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// Appends a JSON value in its canonical form; `None` when it is nested too deeply, or no JSON.
pub fn write(out: &mut Vec<u8>, json: &str) -> Option<()> {
    let mut reader = Reader { json, at: 0 };
    reader.value(out, MAX_DEPTH)?;
    reader.peek().is_none().then_some(())
}

struct Reader<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.json.as_bytes().get(self.at..)?;
        let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += space;
        rest.get(space).copied()
    }

    /// Whether `byte` comes next; then it is taken.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The text up to where `more` ends.
    fn run(&mut self, more: impl Fn(u8) -> bool) -> Option<&'a str> {
        let rest = self.json.get(self.at..)?;
        let length = rest.bytes().take_while(|byte| more(*byte)).count();
        self.at += length;
        rest.get(..length).filter(|text| !text.is_empty())
    }

    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        let below = depth.checked_sub(1);
        match self.peek()? {
            b'{' => self.object(out, below?),
            b'[' => self.array(out, below?),
            b'"' => self.string(out),
            b'a'..=b'z' => {
                out.extend_from_slice(self.run(|byte| byte.is_ascii_lowercase())?.as_bytes());
                Some(())
            }
            _ => {
                let is_number = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
                number(out, self.run(is_number)?)
            }
        }
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.at += 1;
        out.push(b'[');
        if !self.take(b']') {
            loop {
                self.value(out, depth)?;
                if self.take(b']') {
                    break;
                }
                self.take(b',').then(|| out.push(b','))?;
            }
        }
        out.push(b']');
        Some(())
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.at += 1;
        let start = out.len();
        // Of each member its key, and all of it.
        let mut members: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        if !self.take(b'}') {
            loop {
                let from = out.len() - start;
                (self.peek()? == b'"').then_some(())?;
                self.string(out)?;
                let key = from..out.len() - start;
                self.take(b':').then(|| out.push(b':'))?;
                self.value(out, depth)?;
                members.push((key, from..out.len() - start));
                if self.take(b'}') {
                    break;
                }
                self.take(b',').then_some(())?;
            }
        }
        let text = out.split_off(start);
        // Members of the same key stay in their order.
        members.sort_by(|(one, _), (other, _)| text.get(one.clone()).cmp(&text.get(other.clone())));
        out.push(b'{');
        for (at, (_, member)) in members.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(text.get(member.clone())?);
        }
        out.push(b'}');
        Some(())
    }

    fn string(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let rest = self.json.as_bytes().get(self.at..)?;
        let (mut end, mut escaped) = (1, false);
        loop {
            let found = memchr::memchr2(b'"', b'\\', rest.get(end..)?)?;
            end += found + 1;
            if rest.get(end - 1) == Some(&b'"') {
                break;
            }
            escaped = true;
            end += 1;
        }
        let raw = self.json.get(self.at..self.at + end)?;
        self.at += end;
        match escaped.then(|| serde_json::from_str::<Cow<'_, str>>(raw)) {
            Some(Ok(text)) => write_string(out, &text),
            // No escapes; or such as name no character, which are compared as they are.
            None | Some(Err(_)) => out.extend_from_slice(raw.as_bytes()),
        }
        Some(())
    }
}

fn number(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        out.push(b'0');
        return Some(());
    }
    let zeros = i64::try_from(digits.len() - kept.len()).ok()?;
    let places = i64::try_from(fraction.len()).ok()?;
    let exponent = exponent.checked_add(zeros)?.checked_sub(places)?;
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(kept.as_bytes());
    if exponent != 0 {
        out.extend_from_slice(format!("e{exponent}").as_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> Option<String> {
        let mut out = Vec::new();
        write(&mut out, json)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_says_the_same_is_the_same() {
        for (one, other) in [
            (r#"{"a":1,"b":[true,null]}"#, " {\"b\" : [ true,\tnull ],\n\"a\":1.0} "),
            (r#"{"x":{"b":1,"a":2}}"#, r#"{"x":{"a":2,"b":1}}"#),
            ("[1,10,0.5,-0,1e2]", "[1.00,1e1,5E-1,0.0,100]"),
            (r#""é\"\n""#, r#""\u00e9\"\u000a""#),
            (r#"{"mod\u0065l":"m"}"#, r#"{"model":"m"}"#),
        ] {
            assert!(canonical(one).is_some(), "{one}");
            assert_eq!(canonical(one), canonical(other), "{one}");
        }
    }

    #[test]
    fn what_differs_stays_different() {
        for (one, other) in [
            ("[1,2]", "[2,1]"),
            ("1", "\"1\""),
            ("null", "\"null\""),
            ("12345678901234567890123", "12345678901234567890124"),
            ("0.1", "0.10000000000000001"),
            ("1", "-1"),
            ("1e5", "1e6"),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
            (r#"{"a":""}"#, r#"{"a":null}"#),
            (r#""\ud800""#, r#""\ud801""#),
        ] {
            assert!(canonical(one).is_some() && canonical(other).is_some(), "{one}");
            assert_ne!(canonical(one), canonical(other), "{one}");
        }
    }

    #[test]
    fn any_text_is_taken() {
        let json = r#"{"a":[1,{"b":"c\\\"d"},-1.5e3],"e":null}"#;
        assert!(canonical(json).is_some());
        for end in 0..json.len() {
            assert_eq!(canonical(json.get(..end).unwrap()), None, "cut at {end}");
        }
        for other in ["", "x:", "[1 2]", "{1:2}", "\"\\", "1e99999999999999999999", "{} {}", "é"] {
            assert_eq!(canonical(other), None, "{other}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(canonical(&nested(MAX_DEPTH)).is_some());
        assert_eq!(canonical(&nested(MAX_DEPTH + 1)), None);
        assert_eq!(canonical(&nested(1_000_000)), None);
    }
}

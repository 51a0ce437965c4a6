//! The data lines of server-sent events, edited on their way. All other lines pass as they are:
//! comments keep connections alive.

use memchr::memchr2;

/// Longest line that is edited, in bytes. A longer one passes.
const MAX_LINE: usize = 16 << 20;

/// Splits bytes into lines. Chunks may be cut at any byte.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line that is not complete yet.
    held: Vec<u8>,
    /// The line is too long, and has gone out up to here.
    passing: bool,
}

impl Lines {
    /// Takes the next bytes; appends to `out` the lines that they complete. `edit` gets what
    /// follows `data:`, without the end of the line.
    pub fn push(&mut self, mut bytes: &[u8], edit: &dyn Fn(&[u8]) -> Vec<u8>, out: &mut Vec<u8>) {
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            let (line, rest) = bytes.split_at(end);
            self.end_line(line, edit, out);
            let (end, rest) = rest.split_at(rest.len().min(1));
            out.extend_from_slice(end);
            bytes = rest;
        }
        self.held.extend_from_slice(bytes);
        if self.passing || self.held.len() > MAX_LINE {
            self.passing = true;
            out.append(&mut self.held);
        }
    }

    /// The stream has ended: appends a line without an end.
    pub fn finish(&mut self, edit: &dyn Fn(&[u8]) -> Vec<u8>, out: &mut Vec<u8>) {
        self.end_line(&[], edit, out);
    }

    fn end_line(&mut self, rest: &[u8], edit: &dyn Fn(&[u8]) -> Vec<u8>, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let whole;
        let line = match held.is_empty() {
            true => rest,
            false => {
                whole = [&held, rest].concat();
                &whole
            }
        };
        match line.strip_prefix(b"data:").filter(|_| !self.passing) {
            Some(data) => {
                out.extend_from_slice(b"data:");
                out.extend_from_slice(&edit(data));
            }
            None => out.extend_from_slice(line),
        }
        self.passing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pieces: &[&[u8]]) -> String {
        let upper = |data: &[u8]| data.to_ascii_uppercase();
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, &upper, &mut out);
        }
        lines.finish(&upper, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_data_is_edited_however_it_is_cut() {
        let text = b": data: ping\n\ndata: a\r\nevent: data:\rdata:b\n\n\ndata: c";
        let edited = ": data: ping\n\ndata: A\r\nevent: data:\rdata:B\n\n\ndata: C";
        assert_eq!(run(&[text]), edited);
        for at in 0..text.len() {
            let (head, tail) = text.split_at(at);
            assert_eq!(run(&[head, tail]), edited, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(run(&bytes), edited);
    }

    #[test]
    fn a_line_that_is_too_long_passes() {
        let long = [b"data: ".as_slice(), &vec![b'a'; MAX_LINE]].concat();
        let out = run(&[&long, b"a", b"a\ndata: b\n"]);
        assert_eq!(out.len(), long.len() + 2 + "\ndata: b\n".len());
        assert!(out.starts_with("data: a") && out.ends_with("aa\ndata: B\n"));
    }
}

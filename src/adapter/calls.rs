//! The tool calls of a stream in order, one after the other.
//!
//! Chunks may mix the pieces of several calls; Anthropic's blocks follow each other. So a call
//! begins when the one before it has all its arguments, and what comes before that is held.

use super::chat;

/// Most calls that are followed: they are looked up one by one, and a provider chooses how many
/// there are.
const MAX_CALLS: usize = 1000;

/// What happens next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A call begins; the one before it is over. Strings are what stands between the quotes.
    Begin {
        /// Its place among the calls.
        number: usize,
        /// Empty if the provider gave none.
        id: &'a str,
        name: &'a str,
    },
    /// The next piece of the arguments of the call that began last.
    Arguments(&'a str),
}

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    /// How many have begun.
    begun: usize,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    /// Arguments that came before it began.
    held: String,
    extent: Extent,
}

impl Calls {
    /// Takes a piece of a call.
    pub(super) fn on_piece(
        &mut self,
        piece: &chat::Call<'_>,
        on_step: &mut dyn FnMut(Step<'_>),
    ) -> Option<()> {
        let at = match self.find(piece) {
            Some(at) => at,
            None if self.calls.len() < MAX_CALLS => {
                self.calls.push(Call { index: piece.index, ..Call::default() });
                self.calls.len() - 1
            }
            None => return None,
        };
        let open = at + 1 == self.begun;
        let call = self.calls.get_mut(at)?;
        call.extent.push(&piece.arguments);
        match (open, piece.arguments.is_empty()) {
            (true, false) => on_step(Step::Arguments(&piece.arguments)),
            (false, false) => call.held.push_str(&piece.arguments),
            _ => {}
        }
        for (own, given) in [(&mut call.id, piece.id), (&mut call.name, piece.name)] {
            if own.is_empty() {
                *own = given.unwrap_or_default().to_owned();
            }
        }
        while self.may_begin() {
            self.begin(on_step);
        }
        Some(())
    }

    /// Nothing more comes: what was held goes out.
    pub(super) fn finish(&mut self, on_step: &mut dyn FnMut(Step<'_>)) {
        while self.begun < self.calls.len() {
            self.begin(on_step);
        }
    }

    /// Whether there was any.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The call that a piece belongs to. Some servers give all calls the same index, but an id
    /// each; some give none.
    fn find(&self, piece: &chat::Call<'_>) -> Option<usize> {
        let at = match piece.index {
            Some(_) => self.calls.iter().rposition(|call| call.index == piece.index)?,
            None if piece.name.is_some() => return None,
            None => self.calls.len().checked_sub(1)?,
        };
        let call = self.calls.get(at)?;
        let other = piece.id.is_some_and(|id| !call.id.is_empty() && call.id != id);
        (!other || piece.name.is_none()).then_some(at)
    }

    fn may_begin(&self) -> bool {
        let before = self.begun.checked_sub(1).and_then(|at| self.calls.get(at));
        before.is_none_or(|call| call.extent.is_complete())
            && self.calls.get(self.begun).is_some_and(|call| !call.name.is_empty())
    }

    fn begin(&mut self, on_step: &mut dyn FnMut(Step<'_>)) {
        let Some(call) = self.calls.get_mut(self.begun) else { return };
        on_step(Step::Begin { number: self.begun, id: &call.id, name: &call.name });
        let held = std::mem::take(&mut call.held);
        if !held.is_empty() {
            on_step(Step::Arguments(&held));
        }
        self.begun += 1;
    }
}

/// How far a JSON object has come, of which only its brackets and strings matter. The text is
/// itself what stands between the quotes of a string.
#[derive(Debug, Default)]
struct Extent {
    depth: u32,
    started: bool,
    quoted: bool,
    /// The character before was an escape of the inner text.
    escaped: bool,
}

impl Extent {
    fn push(&mut self, text: &str) {
        let mut letters = text.bytes();
        while let Some(letter) = letters.next() {
            // The outer escapes: a quote, a backslash, or something that is no matter here.
            let letter = if letter == b'\\' { letters.next().unwrap_or_default() } else { letter };
            match letter {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                _ if self.quoted => {}
                b'{' | b'[' => {
                    self.started = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.started && self.depth == 0 && !self.quoted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    /// Each piece is `index id name arguments`, of which `-` is none; arguments are unescaped.
    fn steps(pieces: &[&str]) -> Vec<String> {
        let mut calls = Calls::default();
        let mut steps = Vec::new();
        let mut on_step = |step: Step<'_>| match step {
            Step::Begin { number, id, name } => steps.push(format!("{number} {id} {name}")),
            Step::Arguments(text) => steps.push(text.to_owned()),
        };
        for piece in pieces {
            let words: Vec<&str> = piece.splitn(4, ' ').collect();
            let word = |at: usize| Some(words[at]).filter(|word| *word != "-");
            let arguments = word(3).unwrap_or_default().replace('\\', "\\\\").replace('"', "\\\"");
            let index = word(0).map(|index| index.parse().unwrap());
            let (id, name, arguments) = (word(1), word(2), Cow::Owned(arguments));
            calls.on_piece(&chat::Call { index, id, name, arguments }, &mut on_step);
        }
        calls.finish(&mut on_step);
        steps.iter().map(|step| step.replace("\\\"", "\"").replace("\\\\", "\\")).collect()
    }

    #[test]
    fn calls_follow_each_other_however_their_pieces_came() {
        for (pieces, expected) in [
            (
                vec!["0 a f -", r#"0 - - {"x":"#, "0 - - 1}", "1 b g {}"],
                vec!["0 a f", r#"{"x":"#, "1}", "1 b g", "{}"],
            ),
            // Mixed.
            (
                vec!["0 a f {", "1 b g {", "0 - - }", "1 - - }"],
                vec!["0 a f", "{", "}", "1 b g", "{", "}"],
            ),
            // The first has no arguments at all.
            (vec!["0 a f -", "1 b g {}"], vec!["0 a f", "1 b g", "{}"]),
            // One index for all, or none.
            (vec!["0 a f {}", "0 b g {}"], vec!["0 a f", "{}", "1 b g", "{}"]),
            (vec!["- a f {}", "- b f {", "- - - }"], vec!["0 a f", "{}", "1 b f", "{", "}"]),
            // Every piece repeats the id.
            (vec!["0 a f {", "0 a - }"], vec!["0 a f", "{", "}"]),
            // The name comes late.
            (vec!["0 a - {", "0 - f }"], vec!["0 a f", "{}"]),
        ] {
            assert_eq!(steps(&pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn brackets_within_strings_are_text() {
        let open = r#"0 a f {"x":"\"}{\\","y":["]"#;
        assert_eq!(steps(&[open, "1 b g {}", "0 - - ]}"]).last().unwrap(), "{}");
        assert_eq!(steps(&[open, "1 b g {}", "0 - - ]}"])[2], "]}");
    }
}

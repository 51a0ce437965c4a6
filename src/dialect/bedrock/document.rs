//! Names of documents: Converse requires one of each, in a small alphabet, and refuses a request
//! that has one twice.

use std::collections::HashSet;

/// Longest name, in characters.
const MAX_NAME: usize = 200;

/// The names that are taken in a request.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name for a document, made of the name of its file.
    pub(super) fn of(&mut self, file: &str) -> String {
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let mut name = String::new();
        // Room for a number that tells equal ones apart.
        for letter in stem.chars().take(MAX_NAME - 24) {
            match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => {
                    name.push(letter);
                }
                _ if !name.ends_with([' ', '-']) => {
                    name.push(if letter == ' ' { ' ' } else { '-' })
                }
                _ => {}
            }
        }
        let name = name.trim_matches([' ', '-']);
        let name = if name.is_empty() { "document" } else { name };
        let numbered = (2_usize..).map(|number| format!("{name}-{number}"));
        let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
        let free = candidates.find(|candidate| !self.0.contains(candidate)).unwrap_or_default();
        self.0.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_each_is_there_once() {
        let mut names = Names::default();
        for (file, expected) in [
            ("report.pdf", "report"),
            ("report.csv", "report-2"),
            ("", "document"),
            ("..", "document-2"),
            ("a  b_c (1).tar.gz", "a b-c (1)-tar"),
            ("\u{8cc7}\u{6599}.pdf", "document-3"),
            ("report-2.pdf", "report-2-2"),
        ] {
            assert_eq!(names.of(file), expected, "{file}");
        }
        assert_eq!(names.of(&"x".repeat(500)).len(), 176);
    }
}

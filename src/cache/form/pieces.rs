//! A text in the pieces that a stream would bring it in.

/// Most bytes of a piece.
const LENGTH: usize = 64;

/// The pieces of a text, in order; none of an empty one. They end after a space where there is one.
pub fn of(mut text: &str) -> Vec<&str> {
    let mut pieces = Vec::with_capacity(text.len() / LENGTH + 1);
    while !text.is_empty() {
        let whole = text.floor_char_boundary(LENGTH);
        let space = text.get(..whole).and_then(|piece| piece.rfind(' ')).map(|at| at + 1);
        let end = if whole == text.len() { whole } else { space.unwrap_or(whole) };
        let (piece, rest) = text.split_at_checked(end.max(1)).unwrap_or((text, ""));
        pieces.push(piece);
        text = rest;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text() {
        let long = "word and ".repeat(50);
        let foreign = "\u{65e5}\u{672c}\u{1f600}".repeat(40);
        for text in ["", "a", " ", &long, &foreign, &"x".repeat(500)] {
            let pieces = of(text);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| (1..=LENGTH).contains(&piece.len())), "{pieces:?}");
        }
        assert!(of(&long)[0].ends_with(' '));
    }
}

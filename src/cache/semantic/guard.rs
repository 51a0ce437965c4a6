//! What two questions must have in common, however close their embeddings are.
//!
//! Embeddings hardly tell `in 2019` from `in 2020`, `can` from `cannot`, or one name from another.
//! So the words that carry such differences are taken out of each text, and both texts must have the
//! same ones: numbers (digits or words), negations, names (capitalised words and words with digits
//! or signs in them), quoted text, and words of opposition such as `before` and `after`. A question
//! that says the same with other numerals or another set of names is a miss, never a wrong answer.

use crate::cache::key::Hash;
use std::collections::BTreeSet;

/// A number that two texts share if they agree.
pub fn of(text: &str) -> u64 {
    let mut hash = Hash::new("guard");
    for mark in marks(text) {
        hash.part("mark", mark.as_bytes());
    }
    hash.key().number()
}

/// The words that must agree.
fn marks(text: &str) -> BTreeSet<String> {
    let mut marks = BTreeSet::new();
    quoted(text, &mut marks);
    let (mut starts, mut asks) = (true, false);
    for raw in text.split_whitespace() {
        for part in raw.split(['/', '\u{2014}', '\u{2013}', ',', ';', '(', ')', '[', ']']) {
            let word = bare(part);
            if !word.is_empty() {
                // `How long` asks for a number, and opposes nothing.
                let degree = asks && opposite(&word.to_lowercase()).is_some();
                if !degree {
                    mark(word, starts, &mut marks);
                }
                starts = false;
                asks = word.eq_ignore_ascii_case("how");
            }
        }
        starts |=
            raw.trim_end_matches(['"', '\'', ')', '\u{201d}']).ends_with(['.', '?', '!', ':']);
    }
    marks
}

/// A word without the signs around it, but with those that belong to it.
fn bare(word: &str) -> &str {
    let outer = |letter: char| !letter.is_alphanumeric() && !"+#%$\u{20ac}\u{a3}-".contains(letter);
    let word = word.trim_matches(outer);
    let word = word.trim_end_matches('-');
    match word.strip_prefix('-') {
        // A minus, or a dash.
        Some(rest) if !rest.starts_with(|letter: char| letter.is_ascii_digit()) => rest,
        _ => word,
    }
}

fn mark(word: &str, starts: bool, marks: &mut BTreeSet<String>) {
    let word = word.replace('\u{2019}', "'");
    let lower = word.to_lowercase();
    let lower = lower.strip_suffix("'s").unwrap_or(&lower);
    if word.chars().any(|letter| letter.is_numeric()) {
        marks.insert(format!("={}", lower.replace(['\'', '_'], "")));
        return;
    }
    if let Some((_, number)) = NUMBERS.iter().find(|(name, _)| *name == lower) {
        marks.insert(format!("={number}"));
    } else if NEGATIONS.contains(&lower) || lower.ends_with("n't") {
        marks.insert("not".to_owned());
    } else if let Some(word) = opposite(lower) {
        marks.insert(format!("~{word}"));
    } else if is_name(&word, lower, starts) {
        marks.insert(format!("@{lower}"));
    }
}

/// The word of opposition that this is, or the plural of.
fn opposite(lower: &str) -> Option<&str> {
    let is_one = |word: &str| OPPOSITES.iter().any(|words| words.contains(&word));
    let singular = lower.strip_suffix('s').unwrap_or(lower);
    [lower, singular].into_iter().find(|word| is_one(word))
}

/// Whether a word is a name: it has a capital letter, or signs as no common word has them. The
/// first word of a sentence has one anyway, and is a name unless it is one that often begins one.
fn is_name(word: &str, lower: &str, starts: bool) -> bool {
    let capital = word.chars().next().is_some_and(char::is_uppercase);
    let inner = word.chars().skip(1).any(char::is_uppercase);
    let signs = word.contains(['+', '#', '@', '.', '_', '$', '%', '\u{20ac}', '\u{a3}']);
    let common = lower == "i" || lower.starts_with("i'") || (starts && OPENERS.contains(&lower));
    inner || signs || (capital && !common)
}

/// What is between quotation marks, as a whole.
fn quoted(text: &str, marks: &mut BTreeSet<String>) {
    for (open, close) in [('"', '"'), ('\u{201c}', '\u{201d}'), ('`', '`'), ('\u{ab}', '\u{bb}')] {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((inside, after)) = after.split_once(close) else { break };
            marks.insert(format!("\"{}", inside.trim().to_lowercase()));
            rest = after;
        }
    }
}

const NUMBERS: &[(&str, &str)] = &[
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("thirteen", "13"),
    ("fourteen", "14"),
    ("fifteen", "15"),
    ("sixteen", "16"),
    ("seventeen", "17"),
    ("eighteen", "18"),
    ("nineteen", "19"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
    ("hundred", "100"),
    ("thousand", "1000"),
    ("million", "1000000"),
    ("billion", "1000000000"),
    ("first", "1st"),
    ("second", "2nd"),
    ("third", "3rd"),
    ("fourth", "4th"),
    ("fifth", "5th"),
    ("sixth", "6th"),
    ("seventh", "7th"),
    ("eighth", "8th"),
    ("ninth", "9th"),
    ("tenth", "10th"),
    ("half", "1/2"),
    ("once", "1x"),
    ("twice", "2x"),
    ("dozen", "12"),
];

const NEGATIONS: &[&str] = &[
    "no", "not", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "without",
    "cannot", "except", "unless", "hardly", "barely", "avoid", "lack", "lacks", "false", "nicht",
    "kein", "keine", "keinen", "nie", "ohne", "pas", "jamais", "sans", "sin", "nunca", "non",
    "mai", "senza",
];

/// Words that turn a question into another one. Two texts must have the same of them.
const OPPOSITES: &[&[&str]] = &[
    &["before", "after", "during", "until", "since"],
    &["above", "below", "over", "under"],
    &["more", "less", "most", "least", "fewer"],
    &["minimum", "maximum", "min", "max"],
    &[
        "increase",
        "decrease",
        "increased",
        "decreased",
        "increasing",
        "decreasing",
        "reduce",
        "raise",
        "lower",
    ],
    &[
        "increases",
        "decreases",
        "reduces",
        "raises",
        "lowers",
        "gain",
        "lose",
        "win",
        "lost",
        "won",
    ],
    &[
        "enable",
        "disable",
        "enabled",
        "disabled",
        "enabling",
        "disabling",
        "activate",
        "deactivate",
    ],
    &["start", "stop", "begin", "end", "open", "close", "opened", "closed", "opening", "closing"],
    &["add", "remove", "delete", "create", "insert", "install", "uninstall", "drop"],
    &["buy", "sell", "borrow", "lend", "import", "export", "send", "receive"],
    &["left", "right", "top", "bottom", "up", "down", "inside", "outside", "front", "back"],
    &["north", "south", "east", "west", "northern", "southern", "eastern", "western"],
    &[
        "today",
        "tomorrow",
        "yesterday",
        "now",
        "later",
        "last",
        "next",
        "previous",
        "past",
        "future",
    ],
    &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    &["january", "february", "march", "april", "june", "july", "august", "september"],
    &["october", "november", "december", "spring", "summer", "autumn", "winter"],
    &["morning", "afternoon", "evening", "night", "day", "week", "month", "year", "hour", "minute"],
    &[
        "highest", "lowest", "high", "low", "higher", "best", "worst", "better", "worse", "good",
        "bad",
    ],
    &["largest", "smallest", "biggest", "large", "small", "big", "larger", "smaller", "bigger"],
    &["longest", "shortest", "long", "short", "longer", "shorter", "tallest"],
    &["fastest", "slowest", "fast", "slow", "faster", "slower"],
    &["hottest", "coldest", "hot", "cold", "warm", "cool", "heat", "warmer", "colder"],
    &[
        "oldest", "youngest", "newest", "old", "young", "new", "older", "younger", "newer",
        "earliest", "latest",
    ],
    &[
        "male", "female", "man", "woman", "men", "women", "boy", "girl", "father", "mother", "son",
        "daughter",
    ],
    &["husband", "wife", "brother", "sister", "king", "queen", "uncle", "aunt"],
    &["always", "sometimes", "all", "some", "only", "both", "either", "every", "any", "each"],
    &[
        "legal",
        "illegal",
        "safe",
        "unsafe",
        "dangerous",
        "possible",
        "impossible",
        "valid",
        "invalid",
    ],
    &[
        "allowed",
        "forbidden",
        "allow",
        "deny",
        "accept",
        "reject",
        "agree",
        "disagree",
        "love",
        "hate",
    ],
    &[
        "encrypt",
        "decrypt",
        "encode",
        "decode",
        "compress",
        "decompress",
        "lock",
        "unlock",
        "push",
        "pull",
    ],
    &[
        "advantages",
        "disadvantages",
        "pros",
        "cons",
        "positive",
        "negative",
        "true",
        "likes",
        "dislikes",
        "input",
        "output",
    ],
];

/// Words that begin a sentence and are no names.
const OPENERS: &[&str] = &[
    "a",
    "about",
    "according",
    "after",
    "all",
    "also",
    "am",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "based",
    "be",
    "because",
    "before",
    "between",
    "briefly",
    "but",
    "by",
    "calculate",
    "can",
    "compare",
    "compute",
    "convert",
    "could",
    "define",
    "describe",
    "did",
    "do",
    "does",
    "draft",
    "during",
    "each",
    "every",
    "evaluate",
    "explain",
    "fill",
    "find",
    "fix",
    "for",
    "from",
    "generate",
    "get",
    "give",
    "had",
    "has",
    "have",
    "he",
    "hello",
    "help",
    "her",
    "hey",
    "hi",
    "his",
    "how",
    "however",
    "identify",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "just",
    "let",
    "let's",
    "list",
    "look",
    "make",
    "many",
    "may",
    "me",
    "might",
    "most",
    "much",
    "must",
    "my",
    "name",
    "need",
    "now",
    "of",
    "ok",
    "okay",
    "on",
    "or",
    "our",
    "outline",
    "please",
    "provide",
    "recommend",
    "rewrite",
    "say",
    "shall",
    "she",
    "should",
    "show",
    "since",
    "so",
    "solve",
    "some",
    "someone",
    "suggest",
    "summarise",
    "summarize",
    "suppose",
    "teach",
    "tell",
    "thanks",
    "that",
    "the",
    "their",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "translate",
    "under",
    "up",
    "us",
    "use",
    "using",
    "was",
    "we",
    "were",
    "what",
    "what's",
    "when",
    "where",
    "which",
    "while",
    "who",
    "who's",
    "whom",
    "whose",
    "why",
    "will",
    "with",
    "within",
    "would",
    "write",
    "you",
    "your",
    "i'd",
    "i'm",
    "i've",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_in_other_words_agrees() {
        for (one, other) in [
            ("What is the capital of France?", "Which city is France's capital?"),
            ("How do I reset my password?", "Please tell me how to reset the password"),
            ("Is two plus 3 odd?", "is 2 plus three odd"),
            ("I can\u{2019}t log in", "I cannot log in"),
            ("Can you explain photosynthesis?", "explain photosynthesis"),
            (
                "What does \u{201c}foo bar\u{201d} mean?",
                "Tell me what \u{201c}foo bar\u{201d} means",
            ),
        ] {
            assert_eq!(of(one), of(other), "{:?} {:?}", marks(one), marks(other));
        }
    }

    #[test]
    fn small_differences_that_matter_are_seen() {
        for (one, other) in [
            ("Who won in 2019?", "Who won in 2020?"),
            ("Is 1.5 enough?", "Is 15 enough?"),
            ("Is -5 cold?", "Is 5 cold?"),
            ("Two apples", "three apples"),
            ("Can I eat this?", "Can't I eat this?"),
            ("with sugar", "without sugar"),
            ("Paris is large", "London is large"),
            ("the capital of France", "the capital of Spain"),
            ("Is Java fast?", "Is JavaScript fast?"),
            ("Is C fast?", "Is C++ fast?"),
            ("rooms on January 3rd", "rooms on January 4th"),
            ("what means `ls -l`", "what means `ls -a`"),
            ("files before the change", "files after the change"),
            ("enable the alarm", "disable the alarm"),
            ("5 km", "5km is it"),
            ("Ask Ann. Bob knows", "Ask Ann. Tom knows"),
            ("10% of 50", "10 of 50"),
            ("\u{5317}\u{4eac} 3", "\u{5317}\u{4eac} 4"),
        ] {
            assert_ne!(of(one), of(other), "{:?} {:?}", marks(one), marks(other));
        }
    }

    #[test]
    fn any_text_is_taken() {
        for text in
            ["", "\"", "``", "- -- -5-", "\u{1f600}\u{301}", "'s", "n't", &"\"".repeat(9999)]
        {
            let _ = of(text);
        }
    }
}

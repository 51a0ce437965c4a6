//! The model: its place in the path, and what only some models take.

use super::super::raw::string;
use super::super::segment::push_segment;
use super::{missing, present, wrong_type};
use crate::error::Error;
use crate::json::Object;

/// Longest name of a model, in bytes: it becomes part of the path.
const MAX_NAME: usize = 256;

/// Parts of the names of models that refuse every `thinkingConfig`. No model that is still to come
/// belongs into these lists.
const NO_THINKING: [&str; 5] = ["gemini-1", "gemini-2.0", "gemma-2", "gemma-3", "learnlm"];

/// Those that take a budget of tokens where later ones take a level.
const THINKING_BUDGET: [&str; 1] = ["gemini-2.5"];

/// Those that take a function call of an earlier answer without its thought signature.
const NO_SIGNATURE: [&str; 4] = ["gemini-1", "gemini-2", "gemma", "learnlm"];

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all: it cannot.
    None,
    /// By a number of tokens.
    Budget,
    /// By a word.
    Level,
}

/// The `model` of a request.
#[derive(Debug)]
pub(super) struct Model(String);

impl Model {
    /// Reads the name.
    ///
    /// # Errors
    /// It is missing, no string, empty or too long.
    pub(super) fn read(request: &Object<'_>) -> Result<Self, Error> {
        let model = present(request, "model").ok_or_else(|| missing("model"))?;
        let model = string(model).ok_or_else(|| wrong_type("model", "a string"))?;
        if model.is_empty() || model.len() > MAX_NAME {
            let message = format!("the model must have 1 to {MAX_NAME} bytes");
            return Err(Error::invalid("invalid_value", message).with_param("model"));
        }
        Ok(Self(model.into_owned()))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// The path below the base URL for a method. The name is one segment of it, whatever it holds,
    /// but for the collection that Google's full names begin with.
    pub(super) fn path(&self, method: &str) -> String {
        let (collection, id) = self.parts();
        let mut path = ["/", collection, "/"].concat();
        push_segment(&mut path, id);
        path.push(':');
        path.push_str(method);
        path
    }

    /// The name with its collection.
    pub(super) fn full_name(&self) -> String {
        let (collection, id) = self.parts();
        [collection, "/", id].concat()
    }

    fn parts(&self) -> (&'static str, &str) {
        match self.0.split_once('/') {
            Some(("models", id)) => ("models", id),
            Some(("tunedModels", id)) => ("tunedModels", id),
            _ => ("models", self.0.as_str()),
        }
    }

    pub(super) fn thinking(&self) -> Thinking {
        match () {
            () if self.is(&NO_THINKING) => Thinking::None,
            () if self.is(&THINKING_BUDGET) => Thinking::Budget,
            () => Thinking::Level,
        }
    }

    /// Whether the smallest level of thinking is `low`, not `minimal`.
    pub(super) fn thinks_at_least_low(&self) -> bool {
        self.is(&["-pro"])
    }

    /// Whether a function call without a thought signature is refused.
    pub(super) fn wants_signatures(&self) -> bool {
        !self.is(&NO_SIGNATURE)
    }

    fn is(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.0.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_alter_the_path() {
        for (name, expected) in [
            ("gemini-2.5-pro", "/models/gemini-2.5-pro:generateContent"),
            ("models/gemini-2.5-pro", "/models/gemini-2.5-pro:generateContent"),
            ("tunedModels/mine", "/tunedModels/mine:generateContent"),
            ("files/mine", "/models/files%2Fmine:generateContent"),
            ("models/../files", "/models/..%2Ffiles:generateContent"),
            ("..", "/models/..:generateContent"),
            ("a?key=b#c", "/models/a%3Fkey%3Db%23c:generateContent"),
            ("x:deleteAll", "/models/x%3AdeleteAll:generateContent"),
            ("%2e%2e/a\r\n b", "/models/%252e%252e%2Fa%0D%0A%20b:generateContent"),
            ("g\u{e9}", "/models/g%C3%A9:generateContent"),
        ] {
            assert_eq!(Model(name.to_owned()).path("generateContent"), expected, "{name}");
        }
    }

    #[test]
    fn models_differ_in_what_they_take() {
        for (name, thinking, signatures) in [
            ("gemini-1.5-pro", Thinking::None, false),
            ("gemini-2.0-flash", Thinking::None, false),
            ("gemini-2.5-flash", Thinking::Budget, false),
            ("gemini-3-pro-preview", Thinking::Level, true),
            ("gemini-flash-latest", Thinking::Level, true),
        ] {
            let model = Model(name.to_owned());
            assert_eq!((model.thinking(), model.wants_signatures()), (thinking, signatures));
        }
    }
}

//! Credentials: a literal, `${ENV}` or `file:/path`. No message quotes one.

use std::path::PathBuf;

use super::Checker;
use crate::tool::field::Field;
use crate::tool::model::Secret;

/// Largest secret file in bytes; a larger one is surely the wrong file.
const MAX_FILE: usize = 64 << 10;

impl Checker<'_> {
    /// A credential of one line.
    pub(super) fn secret(&mut self, field: &Field<'_>) -> Option<Secret> {
        let key = self.secret_text(field)?;
        match accept(key) {
            Ok(secret) => Some(secret),
            Err(message) => {
                self.problems.add(&field.path, message);
                None
            }
        }
    }

    /// The text of a credential.
    pub(super) fn secret_text(&mut self, field: &Field<'_>) -> Option<String> {
        let text = field.text(&mut self.problems)?;
        let key = match (text.strip_prefix("file:"), text.strip_prefix("${")) {
            (Some(path), _) => self.secret_file(path),
            (None, Some(rest)) => self.secret_variable(rest),
            (None, None) if text.contains("${") => Err("${...} must be the whole value".to_owned()),
            (None, None) => Ok(text.to_owned()),
        };
        match key {
            Ok(text) => Some(text),
            Err(message) => {
                self.problems.add(&field.path, message);
                None
            }
        }
    }

    fn secret_variable(&self, rest: &str) -> Result<String, String> {
        let Some(name) = rest.strip_suffix('}') else {
            return Err("${...} must be the whole value".to_owned());
        };
        (self.environment)(name)
            .ok_or_else(|| format!("the environment variable {name} is not set"))
    }

    /// The file's text without its last line break. The file is watched even when it is bad.
    fn secret_file(&mut self, path: &str) -> Result<String, String> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
        let bytes = std::fs::read(&absolute);
        self.files.push(absolute);
        let bytes = bytes.map_err(|error| format!("{path} cannot be read: {error}"))?;
        if bytes.len() > MAX_FILE {
            return Err(format!("{path} is larger than {MAX_FILE} bytes"));
        }
        let text = String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8 text"))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }
}

fn accept(key: String) -> Result<Secret, String> {
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    if key.chars().any(char::is_control) {
        return Err("the key holds a control character".to_owned());
    }
    if key.trim() != key {
        return Err("the key begins or ends with a blank".to_owned());
    }
    Ok(Secret::new(key))
}

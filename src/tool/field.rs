//! Reading gateway.yaml field by field: every problem is collected with the path of its field.

use super::yaml::Node;

/// What is wrong with a file: one line per problem, in the order of the checks.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds a problem of the field at `path`.
    pub fn add(&mut self, path: &str, message: impl std::fmt::Display) {
        self.0.push(match path {
            "" => message.to_string(),
            _ => format!("{path}: {message}"),
        });
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The lines.
    pub fn into_lines(self) -> Vec<String> {
        self.0
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    /// Such as `virtual_keys.openai-1.timeout`; empty for the document.
    pub path: String,
    /// The value.
    pub node: &'a Node,
}

impl<'a> Field<'a> {
    /// The document itself.
    pub fn root(node: &'a Node) -> Self {
        Self { path: String::new(), node }
    }

    /// The text, which must not be empty.
    pub fn text(&self, problems: &mut Problems) -> Option<&'a str> {
        match self.node {
            Node::Text(text) if text.is_empty() => problems.add(&self.path, "must not be empty"),
            Node::Text(text) => return Some(text),
            other => self.mismatch("text", other, problems),
        }
        None
    }

    /// The entries of a mapping; none when the value is empty.
    pub fn entries(&self, problems: &mut Problems) -> Vec<(&'a str, Field<'a>)> {
        match self.node {
            Node::Map(entries) => {
                let field = |(key, node): &'a (String, Node)| {
                    (key.as_str(), Field { path: join(&self.path, key), node })
                };
                return entries.iter().map(field).collect();
            }
            Node::Null => {}
            other => self.mismatch("a mapping", other, problems),
        }
        Vec::new()
    }

    /// The items of a list.
    pub fn items(&self, problems: &mut Problems) -> Option<Vec<Field<'a>>> {
        let Node::List(items) = self.node else {
            self.mismatch("a list", self.node, problems);
            return None;
        };
        let field = |(at, node)| Field { path: format!("{}[{at}]", self.path), node };
        Some(items.iter().enumerate().map(field).collect())
    }

    /// Reports that the value is of another kind.
    pub fn mismatch(&self, wanted: &str, found: &Node, problems: &mut Problems) {
        problems.add(&self.path, format_args!("must be {wanted}, not {}", found.kind()));
    }
}

/// A mapping of a fixed set of keys.
#[derive(Debug)]
pub struct Fields<'a> {
    entries: Vec<(&'a str, Field<'a>)>,
}

impl<'a> Fields<'a> {
    /// Opens the mapping; keys that are not `known` are problems.
    pub fn open(field: &Field<'a>, known: &[&str], problems: &mut Problems) -> Self {
        let entries = field.entries(problems);
        for (key, entry) in &entries {
            if !known.contains(key) {
                let hint = suggest(key, known.iter().copied());
                problems.add(&entry.path, format_args!("unknown key{hint}"));
            }
        }
        Self { entries }
    }

    /// The field of that key; `None` when it is absent or empty.
    pub fn get(&self, key: &str) -> Option<&Field<'a>> {
        let found = self.entries.iter().find(|(name, _)| *name == key);
        found.map(|(_, field)| field).filter(|field| *field.node != Node::Null)
    }
}

/// `, did you mean "…"?` when one of `known` is close to `word`, else nothing.
pub fn suggest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> String {
    let score = |name: &'k str| (strsim::jaro_winkler(word, name), name);
    match known.map(score).max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((score, name)) if score >= 0.8 => format!(", did you mean {name:?}?"),
        _ => String::new(),
    }
}

fn join(path: &str, key: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let key = match key.bytes().all(plain) && !key.is_empty() {
        true => key.to_owned(),
        false => format!("{key:?}"),
    };
    match path {
        "" => key,
        _ => format!("{path}.{key}"),
    }
}

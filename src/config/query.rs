//! The query language of the strategy `conditional`: Portkey's operators on `metadata.*`,
//! `params.*` and `url.*`. Everything in a query must hold; Portkey stops at `$regex`, `$or` and
//! `$and` and ignores what stands beside them.

use super::reader::{Problems, note};
use crate::json::Object;
use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;
use serde_json::value::RawValue;
use std::cell::Cell;

/// Queries within queries, at most.
const MAX_DEPTH: usize = 8;
/// Longest pattern of a `$regex`, in bytes.
const MAX_PATTERN: usize = 1024;
/// Largest compiled `$regex`, and longest text that one is tried on, in bytes. Callers choose both,
/// and the time is their product.
const MAX_REGEX: usize = 32 << 10;
const MAX_TEXT: usize = 16 << 10;
/// Largest field of the body that is looked into, in bytes.
const MAX_BRANCH: usize = 1 << 20;
/// Bytes that may be parsed and matched for one request; a regular expression counts many times.
const BUDGET: usize = 16 << 20;
const REGEX_WEIGHT: usize = 256;

/// A checked query.
#[derive(Debug)]
pub enum Query {
    /// Every one holds.
    All(Vec<Query>),
    /// One holds.
    Any(Vec<Query>),
    /// A value is so.
    Is(Field, Test),
}

/// Where a value is looked up.
#[derive(Debug)]
pub struct Field {
    source: Source,
    /// Members within members.
    path: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Metadata,
    Params,
    Url,
}

/// What must be true of a value.
#[derive(Debug)]
pub enum Test {
    /// `$eq`, or a plain value.
    Equal(Value),
    /// `$ne`.
    NotEqual(Value),
    /// `$gt`, `$gte`, `$lt`, `$lte`: both sides as numbers.
    Order(Order, f64),
    /// `$in`.
    In(Vec<Value>),
    /// `$nin`.
    NotIn(Vec<Value>),
    /// `$regex`, anywhere in the text.
    Regex(Regex),
}

/// A comparison of numbers.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// `$gt`
    Greater,
    /// `$gte`
    GreaterOrEqual,
    /// `$lt`
    Less,
    /// `$lte`
    LessOrEqual,
}

/// What a request gives a query to look at.
pub struct Subject<'a> {
    /// The metadata object, if there is one.
    pub metadata: Option<&'a Value>,
    /// The raw JSON of a top-level field of the body.
    pub param: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The path without its query.
    pub pathname: &'a str,
    /// What is left of the work for this request: the caller chooses how much there is to do.
    budget: Cell<usize>,
}

impl<'a> Subject<'a> {
    /// A request before any work is done on it.
    pub fn new(
        metadata: Option<&'a Value>,
        param: &'a dyn Fn(&str) -> Option<&'a str>,
        pathname: &'a str,
    ) -> Self {
        Self { metadata, param, pathname, budget: Cell::new(BUDGET) }
    }

    /// Takes from the budget; `None` when it is not enough.
    fn spend(&self, work: usize) -> Option<()> {
        self.budget.set(self.budget.get().checked_sub(work)?);
        Some(())
    }

    /// The value of a field such as `metadata.user`.
    pub fn value(&self, field: &str) -> Option<Value> {
        Field::of(field)?.value(self)
    }
}

impl Query {
    /// Checks a query.
    pub fn read(json: &Value, path: &str, problems: &mut Problems) -> Option<Self> {
        read(json, path, MAX_DEPTH, problems)
    }

    /// How many tests there are, and how many of them are regular expressions.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::All(queries) | Self::Any(queries) => queries
                .iter()
                .map(Self::size)
                .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)),
            Self::Is(_, Test::Regex(_)) => (1, 1),
            Self::Is(..) => (1, 0),
        }
    }

    /// Whether the query holds.
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::All(queries) => queries.iter().all(|query| query.holds(subject)),
            Self::Any(queries) => queries.iter().any(|query| query.holds(subject)),
            Self::Is(field, test) => test.holds(field.value(subject).as_ref(), subject),
        }
    }
}

fn read(json: &Value, path: &str, depth: usize, problems: &mut Problems) -> Option<Query> {
    let Value::Object(members) = json else {
        note(problems, path, "must be an object");
        return None;
    };
    let Some(depth) = depth.checked_sub(1) else {
        note(problems, path, "is nested too deeply");
        return None;
    };
    let mut all = Vec::new();
    for (key, value) in members {
        let path = format!("{path}.{key}");
        match key.as_str() {
            "$and" => all.push(Query::All(list(value, &path, depth, problems)?)),
            "$or" => all.push(Query::Any(list(value, &path, depth, problems)?)),
            _ => tests(key, value, &path, &mut all, problems),
        }
    }
    Some(Query::All(all))
}

fn list(json: &Value, path: &str, depth: usize, problems: &mut Problems) -> Option<Vec<Query>> {
    let Value::Array(items) = json else {
        note(problems, path, "must be a list of queries");
        return None;
    };
    let items = items.iter().enumerate();
    items.map(|(at, item)| read(item, &format!("{path}[{at}]"), depth, problems)).collect()
}

fn tests(key: &str, value: &Value, path: &str, all: &mut Vec<Query>, problems: &mut Problems) {
    if Field::of(key).is_none() {
        note(problems, path, "must begin with metadata., params. or url.");
        return;
    }
    let found = match value {
        Value::Object(operators) => {
            operators.iter().filter_map(|(op, value)| operator(op, value, path, problems)).collect()
        }
        plain => vec![Test::Equal(plain.clone())],
    };
    all.extend(found.into_iter().filter_map(|test| Some(Query::Is(Field::of(key)?, test))));
}

fn operator(name: &str, value: &Value, path: &str, problems: &mut Problems) -> Option<Test> {
    let order =
        |order| number(value).map_or(Some(Test::In(Vec::new())), |n| Some(Test::Order(order, n)));
    match (name, value) {
        ("$eq", _) => Some(Test::Equal(value.clone())),
        ("$ne", _) => Some(Test::NotEqual(value.clone())),
        ("$gt", _) => order(Order::Greater),
        ("$gte", _) => order(Order::GreaterOrEqual),
        ("$lt", _) => order(Order::Less),
        ("$lte", _) => order(Order::LessOrEqual),
        ("$in", Value::Array(items)) => Some(Test::In(items.clone())),
        ("$nin", Value::Array(items)) => Some(Test::NotIn(items.clone())),
        ("$in" | "$nin", _) => {
            note(problems, &format!("{path}.{name}"), "must be a list");
            None
        }
        ("$regex", Value::String(pattern)) if pattern.len() <= MAX_PATTERN => {
            let regex = RegexBuilder::new(pattern).size_limit(MAX_REGEX).build();
            if regex.is_err() {
                let reason =
                    "must be a short regular expression without look-around and back-references";
                note(problems, &format!("{path}.$regex"), reason);
            }
            regex.ok().map(Test::Regex)
        }
        ("$regex", _) => {
            let reason = format!("must be a string of at most {MAX_PATTERN} bytes");
            note(problems, &format!("{path}.$regex"), reason);
            None
        }
        _ => {
            note(problems, path, format!("Unsupported operator used in the query router: {name}"));
            None
        }
    }
}

impl Field {
    fn of(key: &str) -> Option<Self> {
        let (source, rest) = key.split_once('.')?;
        let source = match source {
            "metadata" => Source::Metadata,
            "params" => Source::Params,
            "url" => Source::Url,
            _ => return None,
        };
        Some(Self { source, path: rest.split('.').map(str::to_owned).collect() })
    }

    fn value(&self, subject: &Subject<'_>) -> Option<Value> {
        let (first, rest) = self.path.split_first()?;
        match self.source {
            Source::Metadata => {
                let mut value = subject.metadata?.get(first)?;
                for name in rest {
                    value = match (value, name.parse::<usize>()) {
                        (Value::Array(items), Ok(at)) => items.get(at)?,
                        _ => value.get(name)?,
                    };
                }
                Some(value.clone())
            }
            Source::Params => {
                let raw = (subject.param)(first)?;
                subject.spend(raw.len().min(MAX_BRANCH) * self.path.len())?;
                leaf(raw, rest)
            }
            Source::Url => (first == "pathname").then(|| subject.pathname.into()),
        }
    }
}

/// A value within raw JSON. Only small ones are parsed: a body may be of any size.
fn leaf(raw: &str, path: &[String]) -> Option<Value> {
    let Some((name, rest)) = path.split_first() else {
        return serde_json::from_str(raw).ok().filter(|_| raw.len() <= MAX_TEXT);
    };
    if raw.len() > MAX_BRANCH {
        return None;
    }
    match name.parse::<usize>() {
        Ok(at) if raw.starts_with('[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            leaf(items.get(at)?.get(), rest)
        }
        _ => leaf(Object::parse(raw.as_bytes()).ok()?.get(name)?, rest),
    }
}

impl Test {
    fn holds(&self, value: Option<&Value>, subject: &Subject<'_>) -> bool {
        match self {
            Self::Equal(wanted) => value.is_some_and(|value| equal(value, wanted)),
            Self::NotEqual(unwanted) => !value.is_some_and(|value| equal(value, unwanted)),
            Self::In(items) => {
                value.is_some_and(|value| items.iter().any(|item| equal(item, value)))
            }
            Self::NotIn(items) => {
                !value.is_some_and(|value| items.iter().any(|item| equal(item, value)))
            }
            Self::Regex(regex) => match value {
                Some(Value::String(text)) => {
                    let work = text.len() * REGEX_WEIGHT;
                    text.len() <= MAX_TEXT && subject.spend(work).is_some() && regex.is_match(text)
                }
                Some(value @ (Value::Number(_) | Value::Bool(_))) => {
                    regex.is_match(&value.to_string())
                }
                _ => false,
            },
            Self::Order(order, bound) => value.and_then(number).is_some_and(|value| match order {
                Order::Greater => value > *bound,
                Order::GreaterOrEqual => value >= *bound,
                Order::Less => value < *bound,
                Order::LessOrEqual => value <= *bound,
            }),
        }
    }
}

/// Strict equality; numbers are equal by value.
fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// A number, or a text that begins with one, as JavaScript's `parseFloat` has it.
fn number(value: &Value) -> Option<f64> {
    let Value::String(text) = value else { return value.as_f64() };
    let text = text.trim_start();
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-' | 'e' | 'E'));
    // Longer than any number; only ASCII is left, so that every cut is one between characters.
    let end = end.unwrap_or(text.len()).min(400);
    let mut head = text.get(..end).unwrap_or_default();
    while !head.is_empty() {
        if let Ok(number) = head.parse() {
            return Some(number);
        }
        head = head.get(..head.len() - 1).unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests_of_queries {
    use super::*;
    use serde_json::json;

    fn ask(query: Value) -> bool {
        let metadata = json!({"plan": "paid", "age": 18, "n": "10.5x", "deep": {"a": [1, 2]}});
        let mut problems = Vec::new();
        let query = Query::read(&query, "q", &mut problems);
        assert_eq!(problems, []);
        let big = format!("[1{}]", ",1".repeat(MAX_BRANCH));
        let long = format!("\"1{}\"", "e".repeat(MAX_TEXT - 9));
        let body = [
            ("model", "\"gpt-4o-mini\""),
            ("max_tokens", "100"),
            ("stream", "true"),
            ("messages", r#"[{"role":"system"},{"role":"user"}]"#),
            ("big", &big),
            ("long", &long),
        ];
        let body_field =
            |name: &str| body.iter().find(|(key, _)| *key == name).map(|(_, raw)| *raw);
        let subject = Subject::new(Some(&metadata), &body_field, "/v1/chat/completions");
        query.unwrap().holds(&subject)
    }

    #[test]
    fn operators() {
        for (query, holds) in [
            (json!({"metadata.plan": "paid"}), true),
            (json!({"metadata.plan": {"$eq": "free"}}), false),
            (json!({"metadata.plan": {"$ne": "free"}}), true),
            (json!({"metadata.none": {"$ne": "free"}}), true),
            (json!({"metadata.none": {"$eq": null}}), false),
            (json!({"metadata.age": "18"}), false),
            (json!({"metadata.age": 18.0}), true),
            (json!({"metadata.age": {"$gt": 17, "$lt": "19"}}), true),
            (json!({"metadata.age": {"$gte": 18, "$lte": 17}}), false),
            (json!({"metadata.n": {"$gte": "10.5"}}), true),
            (json!({"metadata.plan": {"$gt": 1}}), false),
            (json!({"metadata.age": {"$gt": "x"}}), false),
            (json!({"metadata.plan": {"$in": ["free", "paid"]}}), true),
            (json!({"metadata.plan": {"$nin": ["free", "paid"]}}), false),
            (json!({"metadata.none": {"$nin": ["free"]}}), true),
            (json!({"metadata.plan": {"$regex": "^pa"}}), true),
            (json!({"metadata.plan": {"$regex": "^pa", "$ne": "paid"}}), false),
            (json!({"metadata.deep.a.1": 2}), true),
            (json!({"params.model": {"$regex": "mini$"}}), true),
            (json!({"params.max_tokens": {"$gte": 100}}), true),
            (json!({"params.stream": true}), true),
            (json!({"params.none.deeper": 1}), false),
            (json!({"params.messages.1.role": "user"}), true),
            (json!({"params.messages.9.role": "user"}), false),
            (json!({"params.big": {"$ne": "x"}}), true),
            (json!({"params.big.0": 1}), false),
            (json!({"params.long": {"$gt": 0}}), true),
            (json!({"url.pathname": "/v1/chat/completions"}), true),
            (json!({"$or": [{"metadata.age": 1}, {"metadata.plan": "paid"}]}), true),
            (json!({"$and": [{"metadata.age": 18}, {"metadata.plan": "free"}]}), false),
            (json!({"$or": [{"metadata.age": 18}], "metadata.plan": "free"}), false),
            (json!({"$and": [{"$or": [{"metadata.age": 1}, {"metadata.age": 18}]}]}), true),
            (json!({}), true),
        ] {
            assert_eq!(ask(query.clone()), holds, "{query}");
        }
    }

    #[test]
    fn what_is_no_query_is_noted() {
        let mut deep = json!({"metadata.a": 1});
        for _ in 0..9 {
            deep = json!({ "$and": [deep] });
        }
        for (query, path, reason) in [
            (json!([]), "q", "must be an object"),
            (json!({"plan": 1}), "q.plan", "must begin with metadata., params. or url."),
            (json!({"headers.a": 1}), "q.headers.a", "must begin with metadata., params. or url."),
            (json!({"$or": {}}), "q.$or", "must be a list of queries"),
            (json!({"$or": [1]}), "q.$or[0]", "must be an object"),
            (json!({"metadata.a": {"$in": 1}}), "q.metadata.a.$in", "must be a list"),
            (
                json!({"metadata.a": {"$exists": true}}),
                "q.metadata.a",
                "Unsupported operator used in the query router: $exists",
            ),
            (
                json!({"metadata.a": {"$regex": "([a-z"}}),
                "q.metadata.a.$regex",
                "must be a short regular expression without look-around and back-references",
            ),
            (
                json!({"metadata.a": {"$regex": "(((a{100}){100}){100}){100}"}}),
                "q.metadata.a.$regex",
                "must be a short regular expression without look-around and back-references",
            ),
            (
                json!({"metadata.a": {"$regex": 1}}),
                "q.metadata.a.$regex",
                "must be a string of at most 1024 bytes",
            ),
        ] {
            let mut problems = Vec::new();
            Query::read(&query, "q", &mut problems);
            let found: Vec<_> =
                problems.iter().map(|p| (p.path.as_str(), p.reason.as_str())).collect();
            assert_eq!(found, [(path, reason)], "{query}");
        }
        let mut problems = Vec::new();
        assert!(Query::read(&deep, "q", &mut problems).is_none());
        assert!(problems[0].reason.contains("too deeply"));
    }
}

//! What is measured.

use super::Checker;
use crate::tool::field::{Field, Fields};
use crate::tool::model::Metrics;
use crate::tool::yaml::Node;

/// Labels on top of ours, at most: each multiplies how many series there are.
const MAX_TAGS: usize = 8;
/// What the shared memory holds of them at most is 8 bytes each.
const MAX_SERIES: u64 = 100_000;

impl Checker<'_> {
    /// The section, or `false`: nothing is measured.
    pub(super) fn metrics(&mut self, field: &Field<'_>) -> Option<Metrics> {
        if *field.node == Node::Bool(false) {
            return None;
        }
        let known = ["tags", "models", "max_values", "max_series"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let usual = Metrics::default();
        let mut number =
            |name, max, default| self.number(fields.get(name), 1..=max).unwrap_or(default);
        let max_values = number("max_values", MAX_SERIES, usual.max_values);
        let max_series = number("max_series", MAX_SERIES, usual.max_series);
        let tags = fields.get("tags").map(|field| self.tags(field)).unwrap_or_default();
        let models = fields.get("models").map(|field| self.model_names(field)).unwrap_or_default();
        Some(Metrics { tags, models, max_values, max_series })
    }

    fn tags(&mut self, field: &Field<'_>) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        let items = field.items(&mut self.problems).unwrap_or_default();
        if items.len() > MAX_TAGS {
            self.problems.add(&field.path, format_args!("at most {MAX_TAGS} tags"));
        }
        for item in items {
            let Some(tag) = item.text(&mut self.problems) else { continue };
            if tag.len() > 64 || !tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                let message =
                    "a tag that is a label has letters, digits and \"_\" only, at most 64";
                self.problems.add(&item.path, message);
            } else if tags.iter().any(|other| other == tag) {
                self.problems.add(&item.path, format_args!("{tag:?} is there twice"));
            } else {
                tags.push(tag.to_owned());
            }
        }
        tags
    }

    fn model_names(&mut self, field: &Field<'_>) -> Vec<String> {
        let items = field.items(&mut self.problems).unwrap_or_default();
        let texts = items.iter().filter_map(|item| item.text(&mut self.problems));
        texts.map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::tool::check::check;

    fn problems(yaml: &str) -> Vec<String> {
        check(&format!("metrics: {yaml}"), &|_| None)
            .err()
            .map(|no| no.problems)
            .unwrap_or_default()
    }

    #[test]
    fn every_problem_has_its_path() {
        for (yaml, problem) in [
            (
                "{tags: [a-b]}",
                "metrics.tags[0]: a tag that is a label has letters, digits and \"_\" only, at most 64",
            ),
            ("{tags: [a, a]}", "metrics.tags[1]: \"a\" is there twice"),
            ("{tags: [a, b, c, d, e, f, g, h, i]}", "metrics.tags: at most 8 tags"),
            ("{max_values: 0}", "metrics.max_values: must be from 1 to 100000"),
            ("{models: 1}", "metrics.models: must be a list, not a number"),
            ("{tag: []}", "metrics.tag: unknown key, did you mean \"tags\"?"),
        ] {
            assert_eq!(problems(yaml), [problem], "{yaml}");
        }
        assert_eq!(problems("{tags: [_user, Team2], models: [m]}"), [""; 0]);
    }

    #[test]
    fn nothing_said_means_the_defaults_and_false_means_none() {
        let metrics = |yaml: &str| check(yaml, &|_| None).unwrap().metrics;
        assert_eq!(metrics("{}"), Some(super::Metrics::default()));
        assert_eq!(metrics("metrics: false"), None);
        let some = metrics("metrics: {tags: [t], max_series: 5}").unwrap();
        assert_eq!((some.tags, some.max_series, some.max_values), (vec!["t".to_owned()], 5, 100));
    }
}

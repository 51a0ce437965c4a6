//! From a config tree to the chain of targets of one request: every choice is made here, what is
//! left are targets and where each goes on after a failure.

use crate::config::query::Subject;
use crate::config::tree::{Condition, Kind, Node, Sticky, Strategy, Target};
use crate::error::Error;
use crate::plan::Fallback;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One target of the chain.
pub struct Step<'a> {
    /// Where it stands in the config.
    pub path: &'a str,
    /// The target.
    pub target: &'a Target,
    /// Where the request goes on, the outermost strategy first.
    pub fallbacks: Vec<Fallback>,
}

/// What choices depend on.
pub struct Choice<'a> {
    /// The request, for conditions and sticky choices.
    pub subject: Subject<'a>,
    /// A client header, for sticky choices.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// A new random number each time.
    pub random: &'a dyn Fn() -> u64,
    /// Whether a target should be avoided for the time being.
    pub avoid: &'a dyn Fn(&Target) -> bool,
}

/// The targets of a request, the first one first.
///
/// # Errors
/// No condition of a conditional strategy holds and it has no default.
pub fn chain<'a>(root: &'a Node, choice: &Choice<'_>) -> Result<Vec<Step<'a>>, Error> {
    let mut steps = Vec::new();
    follow(root, choice, &[], &mut steps)?;
    Ok(steps)
}

fn follow<'a>(
    node: &'a Node,
    choice: &Choice<'_>,
    outer: &[Fallback],
    steps: &mut Vec<Step<'a>>,
) -> Result<(), Error> {
    let (strategy, nodes) = match &node.kind {
        Kind::Target(target) => {
            steps.push(Step { path: &node.path, target, fallbacks: outer.to_vec() });
            return Ok(());
        }
        Kind::Strategy(strategy, nodes) => (strategy, nodes),
    };
    let chosen = match strategy {
        Strategy::Single => nodes.first(),
        Strategy::LoadBalance(sticky) => balance(node, nodes, sticky.as_ref(), choice),
        Strategy::Conditional(conditions, default) => {
            Some(condition(nodes, conditions, default.as_deref(), choice)?)
        }
        Strategy::Fallback(go_on) => {
            let fallback = |next| Fallback {
                on_status_codes: go_on.on_status_codes.clone(),
                on_content_policy: go_on.on_content_policy,
                next,
            };
            for (at, child) in nodes.iter().enumerate() {
                let start = steps.len();
                if at + 1 == nodes.len() {
                    return follow(child, choice, outer, steps);
                }
                // Where the next sibling begins is known when this one is done.
                follow(child, choice, &[outer, &[fallback(usize::MAX)]].concat(), steps)?;
                let next = steps.len();
                let own = steps.iter_mut().skip(start);
                own.filter_map(|step| step.fallbacks.get_mut(outer.len()))
                    .for_each(|fallback| fallback.next = next);
            }
            None
        }
    };
    chosen.map_or(Ok(()), |node| follow(node, choice, outer, steps))
}

fn balance<'a>(
    parent: &Node,
    nodes: &'a [Node],
    sticky: Option<&Sticky>,
    choice: &Choice<'_>,
) -> Option<&'a Node> {
    let random =
        sticky.and_then(|sticky| hash(parent, sticky, choice)).unwrap_or_else(choice.random);
    let avoided = |node: &&Node| match &node.kind {
        Kind::Target(target) => (choice.avoid)(target),
        Kind::Strategy(..) => false,
    };
    let good = nodes.iter().filter(|node| !avoided(node));
    pick(good, random).or_else(|| pick(nodes.iter(), random))
}

/// The node at a random place of the sum of all weights; `None` when that sum is 0.
fn pick<'a>(nodes: impl Iterator<Item = &'a Node> + Clone, random: u64) -> Option<&'a Node> {
    let total: f64 = nodes.clone().map(|node| node.weight).sum();
    // 53 random bits are a fraction from 0 to below 1.
    #[allow(clippy::cast_precision_loss)]
    let mut left = (random >> 11) as f64 / (1_u64 << 53) as f64 * total;
    let mut weighty = nodes.filter(|node| node.weight > 0.0);
    let mut last = weighty.next()?;
    loop {
        left -= last.weight;
        match weighty.next() {
            Some(node) if left >= 0.0 => last = node,
            _ => return Some(last),
        }
    }
}

/// A number that is the same for the same values; `None` when the request has none of them.
fn hash(node: &Node, sticky: &Sticky, choice: &Choice<'_>) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    // Or strategies within strategies would all choose alike.
    node.path.hash(&mut hasher);
    let mut found = false;
    for field in &sticky.fields {
        let value = match field.strip_prefix("headers.") {
            Some(name) => (choice.header)(&name.to_ascii_lowercase()).map(str::to_owned),
            None => choice.subject.value(field).map(|value| value.to_string()),
        };
        if let Some(value) = value {
            found = true;
            (field, value).hash(&mut hasher);
        }
    }
    found.then(|| hasher.finish())
}

fn condition<'a>(
    nodes: &'a [Node],
    conditions: &[Condition],
    default: Option<&str>,
    choice: &Choice<'_>,
) -> Result<&'a Node, Error> {
    let holding = conditions.iter().find(|condition| condition.query.holds(&choice.subject));
    let name = holding.map(|condition| condition.then.as_str()).or(default);
    let node = name.and_then(|name| nodes.iter().find(|node| node.name.as_deref() == Some(name)));
    node.ok_or_else(|| {
        let message = "Query router did not resolve to any valid target";
        Error::invalid("no_target", message)
            .with_hint("no condition holds and the strategy has no default")
            .with_param("x-portkey-config")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::{Anything, read};

    /// The chain of a config: each target's key, and its fallbacks as `codes>next`.
    fn follow_all(config: &str, random: u64, avoided: &[&str]) -> Vec<String> {
        let root = read(config, &Anything).unwrap();
        let subject = Subject::new(None, &|_| None, "/v1/x");
        let choice = Choice {
            subject,
            header: &|_| None,
            random: &|| random,
            avoid: &|target| avoided.contains(&target.virtual_key.as_deref().unwrap()),
        };
        let steps = chain(&root, &choice).unwrap();
        let fallbacks = |step: &Step<'_>| {
            let show = |one: &Fallback| {
                let codes =
                    one.on_status_codes.as_ref().map_or("*".to_owned(), |c| format!("{c:?}"));
                format!(" {codes}>{}", one.next)
            };
            step.fallbacks.iter().map(show).collect::<String>()
        };
        steps
            .iter()
            .map(|step| step.target.virtual_key.clone().unwrap() + &fallbacks(step))
            .collect()
    }

    fn of(mode: &str, targets: &[&str]) -> String {
        format!(r#"{{"strategy":{{"mode":{mode}}},"targets":[{}]}}"#, targets.join(","))
    }

    #[test]
    fn nested_fallbacks_know_where_each_goes_on() {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|key| format!(r#"{{"virtual_key":"{key}"}}"#));
        let inner = of(r#""fallback","on_status_codes":[500]"#, &[&a, &b]);
        let outer = of(r#""fallback""#, &[&inner, &c, &d]);
        assert_eq!(follow_all(&outer, 0, &[]), ["a *>2 [500]>1", "b *>2", "c *>3", "d"],);
        let last = of(r#""fallback""#, &[&c, &inner]);
        assert_eq!(follow_all(&last, 0, &[]), ["c *>1", "a [500]>2", "b"]);
    }

    #[test]
    fn sticky_choices_within_sticky_choices_are_independent() {
        let sticky = r#""loadbalance","sticky":{"hash_fields":["metadata.u"]}"#;
        let target = |key: &str| format!(r#"{{"virtual_key":"{key}"}}"#);
        let pair = |one, other| of(sticky, &[&target(one), &target(other)]);
        let root = read(&of(sticky, &[&pair("a", "b"), &pair("c", "d")]), &Anything).unwrap();
        let mut counts = std::collections::BTreeMap::new();
        for user in 0..400 {
            let metadata = serde_json::json!({ "u": user });
            let choice = Choice {
                subject: Subject::new(Some(&metadata), &|_| None, "/v1/x"),
                header: &|_| None,
                random: &|| 0,
                avoid: &|_| false,
            };
            let steps = chain(&root, &choice).unwrap();
            *counts.entry(steps[0].target.virtual_key.clone().unwrap()).or_insert(0) += 1;
        }
        assert!(counts.len() == 4 && counts.values().all(|count| *count > 60), "{counts:?}");
    }

    #[test]
    fn weights_share_the_range_of_random_numbers() {
        let target = |key: &str, weight: &str| format!(r#"{{"virtual_key":"{key}"{weight}}}"#);
        let [a, b, c] =
            [target("a", r#","weight":0"#), target("b", r#","weight":3"#), target("c", "")];
        let config = of(r#""loadbalance""#, &[&a, &b, &c]);
        for (random, chosen) in [(0, "b"), (u64::MAX / 4 * 3 - 9999, "b"), (u64::MAX, "c")] {
            assert_eq!(follow_all(&config, random, &[]), [chosen], "{random}");
        }
        assert_eq!(follow_all(&config, 0, &["b"]), ["c"]);
        assert_eq!(follow_all(&config, 0, &["b", "c"]), ["b"], "there is no other");
    }
}

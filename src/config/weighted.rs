//! Which saved configs Envoy itself splits by weight, so that operators see and shift the weights
//! in Envoy's own route.

use super::tree::{Kind, Node, Strategy, Target};
use crate::provider;

/// The clusters of a config whose top strategy is a plain `loadbalance` over distinct clusters,
/// with their weights; `None` for any other config.
pub fn split(root: &Node) -> Option<Vec<(String, u32)>> {
    let Kind::Strategy(Strategy::LoadBalance(None), nodes) = &root.kind else { return None };
    let mut clusters: Vec<(String, u32)> = Vec::with_capacity(nodes.len());
    let whole = nodes.iter().all(|node| node.weight.fract() == 0.0 && node.weight <= 1e6);
    let scale = if whole { 1.0 } else { 1000.0 };
    for node in nodes {
        let Kind::Target(target) = &node.kind else { return None };
        let cluster = cluster(target)?;
        let weight = (node.weight * scale).round();
        if clusters.iter().any(|(other, _)| *other == cluster) || weight > 1e6 {
            return None;
        }
        // Checked above: from 0 to 10^6.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        clusters.push((cluster, weight as u32));
    }
    clusters.iter().any(|(_, weight)| *weight > 0).then_some(clusters)
}

/// The cluster of a target that needs nothing but its cluster.
fn cluster(target: &Target) -> Option<String> {
    let settings = &target.settings;
    let plain = settings.custom_host.is_none()
        && settings.request_timeout.is_none()
        && target.api_key.is_none();
    match (&target.virtual_key, target.provider) {
        _ if !plain => None,
        (Some(slug), _) => Some(provider::virtual_key_cluster(slug, 0)),
        (None, Some(slug)) => Some(provider::provider_cluster(slug)),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tree::{Anything, read};

    #[test]
    fn a_plain_loadbalance_over_distinct_clusters_is_split() {
        let split = |targets: &str, more: &str| {
            let json =
                format!(r#"{{"strategy":{{"mode":"loadbalance"{more}}},"targets":[{targets}]}}"#);
            super::split(&read(&json, &Anything).unwrap())
        };
        let pair = |one: &str, other: &str| {
            format!(r#"{{"virtual_key":"a"{one}}},{{"provider":"openai"{other}}}"#)
        };
        let clusters = |one, other| {
            Some(vec![("vk.a".to_owned(), one), ("provider.openai".to_owned(), other)])
        };
        assert_eq!(split(&pair("", ""), ""), clusters(1, 1));
        assert_eq!(split(&pair(r#","weight":9"#, r#","weight":0"#), ""), clusters(9, 0));
        assert_eq!(split(&pair(r#","weight":0.7"#, r#","weight":0.3"#), ""), clusters(700, 300));
        assert_eq!(split(r#"{"virtual_key":"a"},{"virtual_key":"a"}"#, ""), None);
        assert_eq!(split(&pair(r#","request_timeout":5"#, ""), ""), None);
        assert_eq!(split(&pair("", r#","api_key":"k""#), ""), None);
        let sticky = r#","sticky":{"hash_fields":["metadata.user"]}"#;
        assert_eq!(split(&pair("", ""), sticky), None);
        assert_eq!(split(r#"{"targets":[{"provider":"openai"}]}"#, ""), None);
    }
}

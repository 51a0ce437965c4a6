//! Azure OpenAI: where its operations are. <https://learn.microsoft.com/azure/ai-services/openai/reference>
//!
//! A dated API version has the operations that run a model below a deployment. The version `v1`
//! has OpenAI's own paths, and the deployment is the model.

use super::setting::{Kind, Missing, Setting, Values};
use super::with_query;

const VERSION: &str = "api-version";
/// The version whose paths are OpenAI's.
const V1: &str = "v1";

/// The operations that run a model.
const OF_DEPLOYMENTS: [&str; 8] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/images/generations",
    "/images/edits",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
];

/// Portkey has no prefix for three of the names.
pub const SETTINGS: &[Setting] = &[
    Setting::new("resource_name", "azure-resource-name", Kind::Label),
    Setting::new("deployment_id", "azure-deployment-id", Kind::Segment).or("{model}"),
    Setting::new("api_version", "azure-api-version", Kind::Segment).or(V1),
    AD_TOKEN,
    AUTH_MODE,
];

/// Azure AI Foundry: its models of many vendors, and older endpoints of one model each.
pub const AI_SETTINGS: &[Setting] = &[
    Setting::new(
        "azure_foundry_url",
        "azure-foundry-url",
        Kind::Url(&[
            ".services.ai.azure.com",
            ".models.ai.azure.com",
            ".inference.ai.azure.com",
            ".inference.ml.azure.com",
            ".openai.azure.com",
            ".cognitiveservices.azure.com",
        ]),
    ),
    Setting::new("azure_api_version", "azure-api-version", Kind::Segment),
    Setting::new("azure_deployment_name", "azure-deployment-name", Kind::Segment),
    Setting::new("azure_extra_params", "azure-extra-params", Kind::Text).or("drop"),
    AD_TOKEN,
    AUTH_MODE,
];

/// A token of Microsoft Entra ID, instead of a key.
pub const AD_TOKEN: Setting = Setting::new("azure_ad_token", "azure-ad-token", Kind::Secret);

/// Portkey fetches a token for the caller's application or the machine's identity.
pub const AUTH_MODE: Setting = Setting::new(
    "azure_auth_mode",
    "azure-auth-mode",
    Kind::Refused("is not taken: the gateway fetches no token, send one as azure_ad_token"),
);

/// Path and query below the base URL of an operation that OpenAI has `below` `/v1`. Azure's own
/// clients, which put `/openai/deployments/...` behind the URL that they are given, are understood.
pub fn path(below: &str, settings: &Values) -> Result<String, Missing> {
    let missing = |name: &str| Missing(name.to_owned());
    let (path, query) = below.split_once('?').unwrap_or((below, ""));
    let path = path.strip_prefix("/openai").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    if path.starts_with("/deployments/") && query.split('&').any(is_version) {
        return Ok(join(&[path], query));
    }
    let version = settings.get("api_version").ok_or_else(|| missing("api_version"))?;
    if version == V1 {
        return Ok(join(&["/v1", path], query));
    }
    let mut query = with_query(&["?", query].concat(), VERSION, version).split_off(1);
    let deployment = || settings.get("deployment_id").ok_or_else(|| missing("deployment_id"));
    if OF_DEPLOYMENTS.contains(&path) {
        return Ok(join(&["/deployments/", deployment()?, path], &query));
    }
    if path == "/realtime" && !query.contains("&deployment=") {
        query.extend(["&deployment=", deployment()?]);
    }
    Ok(join(&[path], &query))
}

fn is_version(pair: &str) -> bool {
    pair.split('=').next() == Some(VERSION)
}

fn join(path: &[&str], query: &str) -> String {
    match query {
        "" => path.concat(),
        _ => [&path.concat(), "?", query].concat(),
    }
}

/// The model that the body must name, where it is a setting.
pub fn model(settings: &Values) -> Option<&str> {
    let version = settings.get("api_version").filter(|version| *version == V1);
    version.and(settings.get("deployment_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_deployments_are_in_the_path_or_in_the_query() {
        let values = |pairs: &[(&str, &str)]| {
            let mut values = Values::default();
            pairs.iter().for_each(|(name, value)| values.set(name, (*value).to_owned()));
            values
        };
        let dated = values(&[("api_version", "2024-10-21"), ("deployment_id", "d")]);
        let v1 = values(&[("api_version", "v1"), ("deployment_id", "d")]);
        let bare = values(&[("api_version", "2024-10-21")]);
        let query = "?api-version=2024-10-21";
        for (below, settings, expected) in [
            ("/chat/completions", &dated, format!("/deployments/d/chat/completions{query}")),
            (
                "/embeddings?a=1&api-version=2023-05-15",
                &dated,
                format!("/deployments/d/embeddings{query}&a=1"),
            ),
            ("/responses", &dated, format!("/responses{query}")),
            ("/files/f-1?x", &dated, format!("/files/f-1{query}&x")),
            ("/realtime?model=m", &dated, format!("/realtime{query}&model=m&deployment=d")),
            ("/deployments/e/x?api-version=1", &dated, "/deployments/e/x?api-version=1".into()),
            ("/openai/deployments/e/x?api-version=1", &v1, "/deployments/e/x?api-version=1".into()),
            ("/openaix", &v1, "/v1/openaix".into()),
            ("/deployments/e/x", &dated, format!("/deployments/e/x{query}")),
            ("/chat/completions", &v1, "/v1/chat/completions".into()),
            ("/files?limit=1", &v1, "/v1/files?limit=1".into()),
            ("/models", &bare, format!("/models{query}")),
        ] {
            assert_eq!(path(below, settings).unwrap(), expected, "{below}");
        }
        for (below, settings, name) in [
            ("/chat/completions", &bare, "deployment_id"),
            ("/models", &Values::default(), "api_version"),
        ] {
            assert_eq!(path(below, settings), Err(Missing(name.to_owned())));
        }
        assert_eq!((model(&v1), model(&dated)), (Some("d"), None));
    }
}

//! The upstream HTTP filters of a cluster, run once per attempt. What is further down the list
//! sees a request later and its answer earlier.

use serde_json::{Value, json};

use super::{PRIVATE_HEADERS, Places, extension, merge, plugin, secret};
use crate::config::settings::Role;
use crate::contract::{CREDENTIAL_HEADERS, header};
use crate::tool::model::{AwsCredentials, Exchange};
use crate::tool::upstream::{Credential, Signature, Upstream};

/// Credentials by prefix.
const CREDENTIAL_PREFIXES: [&str; 1] = ["x-amz-"];
/// What only Envoys tell each other, by prefix.
const ENVOY_PREFIXES: [&str; 2] = ["x-envoy-", "x-forwarded-"];
/// What only clients, the module and our listeners tell each other.
const OWN_PREFIX: &str = "x-portkey-";

/// The chain of a provider cluster.
pub(super) fn of_provider(upstream: &Upstream<'_>, places: &Places) -> Vec<Value> {
    let injector = upstream.credential.as_ref().map(|one| inject(one, places));
    // The module makes a token of a service account's key; every other credential passes it by.
    let (before, after) = match upstream.settings.service_account {
        true => (injector, None),
        false => (None, injector),
    };
    let mut filters = vec![strip()];
    filters.extend(before);
    filters.extend([plugin::filter(Role::Provider, places), guard(upstream.settings.relayed)]);
    filters.extend(after);
    filters.extend(upstream.signature.as_ref().map(|one| sign(one, places)));
    filters
}

/// The chain of a cluster whose listener needs the private headers.
pub(super) fn of_relay(places: &Places) -> Vec<Value> {
    vec![strip(), plugin::filter(Role::Provider, places)]
}

/// For a cluster without the module: the length that is left in the headers is that of the body
/// which an earlier attempt made. The client's own body would end too early, or never.
pub(super) fn without_length() -> Value {
    header_mutation(json!({ "request_mutations": [remove("content-length")] }))
}

/// Filters, and the one that ends each chain, as HTTP options of a cluster.
pub(super) fn chain(mut filters: Vec<Value>) -> Value {
    filters.push(extension(
        "envoy.filters.http.upstream_codec",
        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        json!({}),
    ));
    json!({ "http_filters": filters })
}

/// Removes what an earlier attempt left behind, except behind [`crate::contract::cluster::HOP`]:
/// there a request has headers of its own, and the credential in them is the one for this
/// provider, set in front of the hop.
fn strip() -> Value {
    let names = CREDENTIAL_HEADERS.iter().chain(&PRIVATE_HEADERS);
    let prefixes = CREDENTIAL_PREFIXES.iter().chain(&ENVOY_PREFIXES);
    let removals = names.map(|name| remove(name)).chain(prefixes.map(|name| remove_all(name)));
    let removals: Vec<Value> = removals.collect();
    let input = extension(
        "relayed",
        "envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
        json!({ "header_name": header::RELAYED }),
    );
    let skip = extension(
        "skip",
        "envoy.extensions.filters.common.matcher.action.v3.SkipFilter",
        json!({}),
    );
    extension(
        "portkey.strip",
        "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
        json!({
            "extension_config": header_mutation(json!({ "request_mutations": removals })),
            "xds_matcher": { "matcher_tree": {
                "input": input,
                "exact_match_map": { "map": { "1": { "action": skip } } },
            } },
        }),
    )
}

/// In front of whatever is not ours: it may neither see nor set what is private. `relayed`: one of
/// our listeners answers, whose mark is to be believed.
pub(super) fn guard(relayed: bool) -> Value {
    let prefixes = ENVOY_PREFIXES.iter().chain([&OWN_PREFIX]);
    let request: Vec<Value> = prefixes.map(|prefix| remove_all(prefix)).collect();
    let marks = PRIVATE_HEADERS.iter().filter(|name| !(relayed && **name == header::LOCAL));
    let response: Vec<Value> = marks.map(|name| remove(name)).collect();
    header_mutation(json!({ "request_mutations": request, "response_mutations": response }))
}

/// Changes headers.
pub(super) fn header_mutation(mutations: Value) -> Value {
    extension(
        "envoy.filters.http.header_mutation",
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        json!({ "mutations": mutations }),
    )
}

/// Removes that header.
pub(super) fn remove(name: &str) -> Value {
    json!({ "remove": name })
}

/// Removes all headers with that prefix.
pub(super) fn remove_all(prefix: &str) -> Value {
    json!({ "remove_on_match": { "key_matcher": { "prefix": prefix } } })
}

/// Adds a credential.
pub(super) fn inject(credential: &Credential<'_>, places: &Places) -> Value {
    let secret = secret::config(credential, places);
    let source = match credential.exchange {
        Some(exchange) => token(credential, exchange, secret),
        None => held(credential, secret),
    };
    extension(
        "envoy.filters.http.credential_injector",
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        json!({
            "overwrite": true,
            "allow_request_without_credential": false,
            "credential": source,
        }),
    )
}

fn held(credential: &Credential<'_>, secret: Value) -> Value {
    let mut generic = json!({ "credential": secret, "header": credential.header });
    if !credential.prefix.is_empty() {
        generic = merge(generic, json!({ "header_value_prefix": credential.prefix }));
    }
    extension(
        "envoy.http.injected_credentials.generic",
        "envoy.extensions.http.injected_credentials.generic.v3.Generic",
        generic,
    )
}

/// A token, which is always a bearer's in `Authorization`.
fn token(credential: &Credential<'_>, exchange: &Exchange, secret: Value) -> Value {
    let endpoint = json!({
        "uri": exchange.token_url,
        "cluster": token_cluster(credential),
        "timeout": "10s",
    });
    extension(
        "envoy.http.injected_credentials.oauth2",
        "envoy.extensions.http.injected_credentials.oauth2.v3.OAuth2",
        json!({
            "token_endpoint": endpoint,
            "scopes": exchange.scopes,
            // The first try comes before the client's secret.
            "token_fetch_retry_interval": "1s",
            "client_credentials": {
                "client_id": exchange.client_id,
                "client_secret": secret,
                // Envoy 1.40 knows no other way, whatever this says.
                "auth_type": "URL_ENCODED_BODY",
            },
        }),
    )
}

/// The cluster of the server that gives the tokens of a virtual key.
pub(super) fn token_cluster(credential: &Credential<'_>) -> String {
    format!("oauth2.{}", credential.file)
}

/// Signs what all filters before have made of the request. Only what AWS wants signed is: proxies
/// on the way may change the other headers.
fn sign(signature: &Signature<'_>, places: &Places) -> Value {
    let file = match signature.credentials {
        AwsCredentials::Keys { .. } => {
            Some((places.directory.join(secret::aws_path(signature.slug)), None))
        }
        AwsCredentials::File { path, profile } => Some((path.clone(), profile.as_deref())),
        AwsCredentials::Environment => None,
    };
    let provider = file.map_or(json!({}), |(path, profile)| {
        let directory = path.parent().unwrap_or(&path);
        let source = json!({ "filename": path, "watched_directory": { "path": directory } });
        let profile = profile.map_or(json!({}), |name| json!({ "profile": name }));
        json!({ "credential_provider": {
            "credentials_file_provider":
                merge(json!({ "credentials_data_source": source }), profile),
            // Or all other places would be looked at, too.
            "custom_credential_provider_chain": true,
        } })
    });
    let signing = json!({
        "service_name": signature.service,
        "region": signature.region,
        "match_included_headers": [{ "exact": "content-type" }],
    });
    extension(
        "envoy.filters.http.aws_request_signing",
        "envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning",
        merge(signing, provider),
    )
}

//! What Envoy puts into the requests of a virtual key, and where it has that from.

use std::path::PathBuf;

use super::Checker;
use crate::provider::BaseUrl;
use crate::tool::field::{Field, Fields};
use crate::tool::model::{Credential, Exchange, Origin};
use crate::tool::yaml::Node;

/// Credentials of one virtual key, at most: each has a cluster.
const MAX_CREDENTIALS: usize = 16;
/// The keys of a virtual key that say what Envoy injects.
pub(super) const WAYS: [&str; 4] = ["api_key", "api_keys", "entra", "oauth2"];
/// Where Microsoft Entra ID gives tokens, and what they are for with Azure OpenAI.
const ENTRA: (&str, &str) =
    ("https://login.microsoftonline.com", "https://cognitiveservices.azure.com/.default");

impl Checker<'_> {
    /// What Envoy may inject: `api_key`, each of `api_keys`, or a token for `entra` or `oauth2`.
    pub(super) fn credentials(&mut self, fields: &Fields<'_>) -> Vec<Credential> {
        let mut given = WAYS.iter().filter_map(|way| Some((*way, fields.get(way)?)));
        let Some((way, field)) = given.next() else { return Vec::new() };
        if let Some((_, other)) = given.next() {
            let message = format_args!("only one of {} may be there", WAYS.join(", "));
            self.problems.add(&other.path, message);
            return Vec::new();
        }
        match way {
            "entra" => self.entra(field).map(Credential::Exchanged).into_iter().collect(),
            "oauth2" => self.oauth2(field).map(Credential::Exchanged).into_iter().collect(),
            "api_keys" => self.keys(field),
            _ => self.origin(field).map(Credential::Held).into_iter().collect(),
        }
    }

    fn keys(&mut self, list: &Field<'_>) -> Vec<Credential> {
        let items = list.items(&mut self.problems).unwrap_or_default();
        if matches!(list.node, Node::List(_)) && !(1..=MAX_CREDENTIALS).contains(&items.len()) {
            let message = format_args!("must be from 1 to {MAX_CREDENTIALS} keys");
            self.problems.add(&list.path, message);
        }
        let origins = items.iter().filter_map(|item| self.origin(item));
        origins.map(Credential::Held).collect()
    }

    /// A secret itself, or the source of Envoy's secret discovery that has it.
    pub(super) fn origin(&mut self, field: &Field<'_>) -> Option<Origin> {
        match field.node {
            Node::Map(_) => self.discovered(field),
            _ => self.secret(field).map(Origin::Given),
        }
    }

    /// `{sds: {name, file, watch}}` or `{sds: {name, server}}`.
    fn discovered(&mut self, field: &Field<'_>) -> Option<Origin> {
        let outer = Fields::open(field, &["sds"], &mut self.problems);
        let field = self.needed(field, &outer, "sds")?;
        let fields = Fields::open(field, &["name", "file", "watch", "server"], &mut self.problems);
        let name = self.needed_text(field, &fields, "name")?;
        match (fields.get("file"), fields.get("server"), fields.get("watch")) {
            (Some(file), None, watch) => {
                let path = self.path(file)?;
                let watched = match watch {
                    Some(watch) => self.path(watch)?,
                    None => path.parent()?.to_owned(),
                };
                Some(Origin::File { name, path, watched })
            }
            (None, Some(server), None) => {
                let url = BaseUrl::parse(&self.url(server)?).ok()?;
                if !url.path.is_empty() {
                    self.problems.add(&server.path, "a gRPC server has no path");
                }
                Some(Origin::Server { name, url })
            }
            _ => {
                let message =
                    "needs either a file (and perhaps the directory to watch) or a server";
                self.problems.add(&field.path, message);
                None
            }
        }
    }

    fn path(&mut self, field: &Field<'_>) -> Option<PathBuf> {
        let text = field.text(&mut self.problems)?;
        match std::path::absolute(text) {
            Ok(path) => Some(path),
            Err(error) => {
                self.problems.add(&field.path, error);
                None
            }
        }
    }

    /// A client of Microsoft Entra ID.
    fn entra(&mut self, field: &Field<'_>) -> Option<Exchange> {
        let known = ["tenant_id", "client_id", "client_secret", "scope", "authority"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let tenant = self.needed_text(field, &fields, "tenant_id");
        if let (Some(tenant), Some(field)) = (&tenant, fields.get("tenant_id"))
            && !tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        {
            self.problems.add(&field.path, "must be an id or a domain");
            return None;
        }
        let client_id = self.needed_text(field, &fields, "client_id");
        let client_secret = self.client_secret(field, &fields);
        let scope = fields.get("scope").and_then(|field| field.text(&mut self.problems));
        let authority = match fields.get("authority") {
            Some(field) => self.url(field)?,
            None => ENTRA.0.to_owned(),
        };
        let authority = authority.trim_end_matches('/');
        Some(Exchange {
            token_url: format!("{authority}/{}/oauth2/v2.0/token", tenant?),
            client_id: client_id?,
            client_secret: client_secret?,
            scopes: vec![scope.unwrap_or(ENTRA.1).to_owned()],
        })
    }

    /// A client of any server of OAuth 2.0.
    fn oauth2(&mut self, field: &Field<'_>) -> Option<Exchange> {
        let known = ["token_url", "client_id", "client_secret", "scopes"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let client_id = self.needed_text(field, &fields, "client_id");
        let client_secret = self.client_secret(field, &fields);
        let scopes = fields.get("scopes").map(|field| self.some_texts(field)).unwrap_or_default();
        let url = self.needed(field, &fields, "token_url")?;
        Some(Exchange {
            token_url: self.url(url)?,
            client_id: client_id?,
            client_secret: client_secret?,
            scopes,
        })
    }

    fn client_secret(&mut self, item: &Field<'_>, fields: &Fields<'_>) -> Option<Origin> {
        let field = self.needed(item, fields, "client_secret")?;
        self.origin(field)
    }

    fn needed_text(&mut self, item: &Field<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
        let text = self.needed(item, fields, key)?.text(&mut self.problems);
        text.map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use crate::tool::check::check;
    use crate::tool::model::{Credential, Origin};

    fn key(more: &str) -> String {
        format!("virtual_keys: {{v: {{provider: openai, {more}}}}}")
    }

    #[test]
    fn every_problem_has_its_path() {
        let client = "client_id: c, client_secret: s";
        for (yaml, expected) in [
            (key("api_key: {}"), "v.api_key: needs sds"),
            (key("api_key: {sds: {file: /a}}"), "v.api_key.sds: needs name"),
            (key("api_key: {sds: {name: n}}"), "v.api_key.sds: needs either a file"),
            (
                key("api_key: {sds: {name: n, file: /a, server: 'http://h'}}"),
                "v.api_key.sds: needs either a file",
            ),
            (
                key("api_key: {sds: {name: n, server: 'http://h/p'}}"),
                "v.api_key.sds.server: a gRPC server has no path",
            ),
            (key("api_key: k, oauth2: {}"), "v.oauth2: only one of"),
            (key(&format!("oauth2: {{{client}}}")), "v.oauth2: needs token_url"),
            (
                key("oauth2: {token_url: 'https://t', client_id: c}"),
                "v.oauth2: needs client_secret",
            ),
            (
                key(&format!("entra: {{tenant_id: t, {client}}}")),
                "v.entra: openai takes no such token",
            ),
            (key(&format!("entra: {{tenant_id: a/b, {client}}}")), "v.entra.tenant_id: must be"),
            (
                "virtual_keys: {v: {provider: vertex-ai, \
                 vertex_service_account_json: {sds: {name: n, file: /a}}}}"
                    .to_owned(),
                "v.vertex_service_account_json: cannot be by sds",
            ),
        ] {
            let problems = check(&yaml, &|_| None).unwrap_err().problems;
            assert!(
                problems.iter().any(|one| one.starts_with(&format!("virtual_keys.{expected}"))),
                "{yaml}: {problems:?}"
            );
        }
    }

    #[test]
    fn where_secrets_are() {
        let yaml = key("api_key: {sds: {name: n, file: /a/b.json}}");
        let gateway = check(&yaml, &|_| None).unwrap();
        let [Credential::Held(Origin::File { name, path, watched })] =
            gateway.virtual_keys["v"].credentials.as_slice()
        else {
            panic!("no file");
        };
        assert_eq!(
            (name.as_str(), path.to_str(), watched.to_str()),
            ("n", Some("/a/b.json"), Some("/a"))
        );
        let yaml = "virtual_keys: {v: {provider: azure-openai, resource_name: r, \
                    entra: {tenant_id: t, client_id: c, client_secret: s}}}";
        let gateway = check(yaml, &|_| None).unwrap();
        let [Credential::Exchanged(exchange)] = gateway.virtual_keys["v"].credentials.as_slice()
        else {
            panic!("no token");
        };
        assert_eq!(exchange.token_url, "https://login.microsoftonline.com/t/oauth2/v2.0/token");
        assert_eq!(exchange.scopes, ["https://cognitiveservices.azure.com/.default"]);
    }
}

//! What an answer depends on beside the body: whatever differs here never shares an answer.

use super::canonical;
use super::form::Form;
use super::key::{Hash, Key};
use super::semantic::{Question, guard, turn};
use crate::config::registry::Upstream;
use crate::contract::CREDENTIAL_HEADERS;
use crate::http::Headers;
use crate::json::{Object, write_string};
use crate::plan::{Plan, Target};
use crate::provider::virtual_key_of;
use serde_json::Value;

/// A request whose answer may be kept.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The form of its answer.
    pub form: Form,
    /// All the client's headers.
    pub headers: &'a Headers,
    /// Who asks, where that is known.
    pub caller: Option<&'a str>,
    /// `x-portkey-cache-namespace`.
    pub namespace: Option<&'a str>,
    /// `x-portkey-metadata`, which keeps answers apart where no namespace is given.
    pub metadata: Option<&'a Value>,
    /// Where the request is to go.
    pub plan: &'a Plan,
    /// Where it is to go first.
    pub target: &'a Target,
    /// The cluster of that.
    pub upstream: &'a Upstream,
}

impl Identity<'_> {
    /// The key of the answer to that effective body, and the question in it; `None` when the body
    /// cannot be compared. `guarded`: see [`guard`].
    pub fn keys(&self, body: &Object<'_>, guarded: bool) -> Option<(Key, Option<Question>)> {
        let base = self.base()?;
        let mut exact = base.clone();
        exact.part("body", &effective(body)?);
        let question = turn::of(self.form, body).map(|turn| {
            let mut partition = base;
            partition.part("rest", &turn.rest);
            let guard = if guarded { guard::of(&turn.text) } else { 0 };
            Question { partition: partition.key(), guard, text: turn.text }
        });
        Some((exact.key(), question))
    }

    fn base(&self) -> Option<Hash> {
        let mut hash = Hash::new("answer");
        // Another version may translate otherwise.
        hash.part("version", env!("CARGO_PKG_VERSION").as_bytes());
        hash.part("form", self.form.as_str().as_bytes());
        hash.part("path", self.plan.path.as_bytes());
        self.tenant(&mut hash);
        self.place(&mut hash)?;
        match (self.namespace, self.metadata) {
            (Some(namespace), _) => hash.part("namespace", namespace.as_bytes()),
            (None, metadata) => {
                let mut text = Vec::new();
                if let Some(metadata) = metadata {
                    canonical::write(&mut text, &metadata.to_string())?;
                }
                hash.part("metadata", &text);
            }
        }
        Some(hash)
    }

    /// Who asks: the caller, every credential that it has shown, and the one that will be used for
    /// it. A caller's key may change.
    fn tenant(&self, hash: &mut Hash) {
        hash.optional("caller", self.caller);
        let key = ["x-portkey-api-key"];
        let key = key.iter().filter(|_| self.caller.is_none());
        for name in CREDENTIAL_HEADERS.iter().chain(key) {
            let values = self.headers.iter().filter(|(header, _)| header == name);
            values.for_each(|(name, value)| hash.part(name, value));
        }
        let key = self.target.api_key.as_ref().map(|secret| secret.0.as_str());
        hash.optional("api_key", key);
    }

    /// Whom is asked: cluster, account and place, and what beside the body is sent there.
    fn place(&self, hash: &mut Hash) -> Option<()> {
        // Every field is named, so that a new one has to be decided on.
        let Target {
            cluster,
            settings,
            custom_host,
            strict,
            forwarded,
            quirks,
            // A part of the tenant, and of the effective body.
            api_key: _,
            override_params: _,
            drop_params: _,
            // How the answer is got, but not what it says.
            option_index: _,
            timeout: _,
            hop: _,
            first_token_timeout: _,
            hold: _,
            retry: _,
            fallbacks: _,
            sibling: _,
            cache: _,
        } = self.target;
        let upstream = self.upstream;
        // Any credential of a virtual key will do.
        hash.part("cluster", virtual_key_of(cluster).unwrap_or(cluster).as_bytes());
        hash.part("provider", upstream.provider.slug.as_bytes());
        hash.part("strict", &[u8::from(*strict)]);
        hash.part("settings", &serde_json::to_vec(settings).ok()?);
        hash.part("quirks", &serde_json::to_vec(quirks).ok()?);
        match custom_host {
            Some(url) => hash.part("custom_host", url.as_bytes()),
            None => {
                let url = upstream.base.url(settings).ok()??;
                hash.part("authority", url.authority().as_bytes());
                hash.part("base_path", url.path.as_bytes());
            }
        }
        for (name, value) in &upstream.headers {
            hash.part(name, value.as_bytes());
        }
        for (name, value) in self.plan.headers.iter().chain(forwarded) {
            hash.part(name, value.as_bytes());
        }
        Some(())
    }
}

/// A body as it is compared: in canonical JSON, without what only says how the answer is sent.
fn effective(body: &Object<'_>) -> Option<Vec<u8>> {
    let sent = |name: &str| name == "stream" || name == "stream_options";
    let mut members: Vec<(&str, &str)> = body.iter().filter(|(name, _)| !sent(name)).collect();
    members.sort_unstable();
    let mut out = Vec::with_capacity(members.iter().map(|(key, raw)| key.len() + raw.len()).sum());
    for (name, raw) in members {
        write_string(&mut out, name);
        canonical::write(&mut out, raw)?;
    }
    Some(out)
}

//! The key file of a service account, as Google's console hands it out.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;

/// Longest private key in bytes; one of 4096 bits has 3300.
const MAX_KEY: usize = 16 << 10;
/// Longest e-mail address, key id or project id in bytes.
const MAX_NAME: usize = 320;
/// What the key begins with.
const PEM: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----"];
/// What Google's consoles have written over the years as `token_uri`.
const TOKEN_URIS: [&str; 3] = [
    super::TOKEN_URL,
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v4/token",
];

/// A service account and its private key. `Debug` shows neither.
pub struct ServiceAccount {
    /// Its e-mail address.
    pub(super) email: String,
    /// Names the key among those of the account.
    pub(super) key_id: Option<String>,
    /// In PEM.
    pub(super) private_key: String,
    /// The project that it belongs to.
    pub project_id: Option<String>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceAccount")
    }
}

#[derive(Serialize, Deserialize)]
struct File<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    client_email: Option<Cow<'a, str>>,
    #[serde(borrow)]
    private_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    private_key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    project_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token_uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    universe_domain: Option<Cow<'a, str>>,
}

impl ServiceAccount {
    /// Reads the text of a key file.
    ///
    /// # Errors
    /// What it must be; nothing of the text is quoted.
    pub fn parse(json: &str) -> Result<Self, &'static str> {
        const NO_FILE: &str = "must be the JSON of a service account's key file";
        let file: File<'_> = match json.trim_start().starts_with('{') {
            true => serde_json::from_str(json).map_err(|_| NO_FILE)?,
            false => return Err(NO_FILE),
        };
        if file.kind.is_some_and(|kind| kind != "service_account") {
            return Err("must be the key file of a service account, of type \"service_account\"");
        }
        if file.token_uri.is_some_and(|uri| !TOKEN_URIS.contains(&uri.as_ref())) {
            return Err("has a token_uri that is not Google's");
        }
        if file.universe_domain.is_some_and(|domain| domain != "googleapis.com") {
            return Err("has a universe_domain that is not googleapis.com");
        }
        let email = name(file.client_email).ok_or("needs a client_email")?;
        // Environment variables and shells like to escape line breaks twice.
        let key = file.private_key.map(|key| key.replace("\\n", "\n"));
        let private_key = key
            .filter(|key| key.len() <= MAX_KEY && PEM.iter().any(|begin| key.starts_with(begin)))
            .ok_or("needs a private_key in PEM")?;
        let (key_id, project_id) = (name(file.private_key_id), name(file.project_id));
        Ok(Self { email, key_id, private_key, project_id })
    }

    /// The key file again, with no more than is read of it, on one line.
    pub fn to_json(&self) -> String {
        let file = File {
            kind: None,
            client_email: Some((&*self.email).into()),
            private_key: Some((&*self.private_key).into()),
            private_key_id: self.key_id.as_deref().map(Into::into),
            project_id: self.project_id.as_deref().map(Into::into),
            token_uri: None,
            universe_domain: None,
        };
        // Strings always serialise.
        serde_json::to_string(&file).unwrap_or_default()
    }

    /// Stands for the account where its tokens are kept: only who has the key can name it.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.email, &self.private_key] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

fn name(text: Option<Cow<'_, str>>) -> Option<String> {
    text.filter(|text| !text.is_empty() && text.len() <= MAX_NAME).map(Cow::into_owned)
}

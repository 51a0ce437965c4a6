//! Google's service accounts: an access token for the key of an account, by OAuth 2.0's JWT bearer
//! grant (RFC 7523, <https://developers.google.com/identity/protocols/oauth2/service-account>).
//! No I/O: who calls signs, asks and keeps.

mod account;
mod cache;
mod exchange;
mod jwt;

pub use account::ServiceAccount;
pub use exchange::{Access, Exchange, access};
pub use jwt::{sign_arguments, signature};

/// The setting that holds an account's key file.
pub const KEY_FILE: &str = "vertex_service_account_json";
/// The setting that names a project; without it, it is the account's.
pub const PROJECT: &str = "vertex_project_id";

/// Where tokens are issued, whatever an account's `token_uri` says: that is the caller's text, and
/// this is the audience of every assertion.
pub const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// What an exchange needs of the world.
pub trait Vault {
    /// The RS256 signature of a text (RSASSA-PKCS1-v1_5 with SHA-256) with a private key in PEM;
    /// `None` when it is no such key.
    fn sign(&self, private_key: &str, text: &[u8]) -> Option<Vec<u8>>;
    /// What was last kept under a name.
    fn recall(&self, name: &str) -> Option<Vec<u8>>;
    /// Keeps a value for all workers.
    fn keep(&self, name: &str, value: &[u8]);
}

#[cfg(test)]
mod tests;

//! Tokens that all workers share, each under a name of a fixed set: what is shared is never
//! evicted. Two accounts under one name take turns.

use super::Vault;

/// The names' number is that of a byte's values.
fn name(fingerprint: &[u8; 32]) -> String {
    format!("google_token.{:02x}", fingerprint.first().unwrap_or(&0))
}

/// The token of an account, if it is good at `now`, Unix time in seconds.
pub(super) fn get(fingerprint: &[u8; 32], now: u64, vault: &dyn Vault) -> Option<String> {
    let kept = vault.recall(&name(fingerprint))?;
    let rest = kept.strip_prefix(fingerprint)?;
    let (until, token) = rest.split_first_chunk()?;
    let good = now < u64::from_le_bytes(*until);
    good.then(|| String::from_utf8(token.to_vec()).ok()).flatten()
}

/// Keeps the token of an account until a time.
pub(super) fn put(fingerprint: &[u8; 32], until: u64, token: &str, vault: &dyn Vault) {
    let value = [&fingerprint[..], &until.to_le_bytes(), token.as_bytes()].concat();
    vault.keep(&name(fingerprint), &value);
}

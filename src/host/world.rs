//! Chance, time and what all workers share.

use super::abi;
use crate::cache::shared::Shared;
use crate::caller::Tokens;
use crate::contract::metadata;
use crate::gateway::World;
use crate::service_account::{self, Vault};
use std::hash::{BuildHasher, Hasher, RandomState};

/// The Envoy that this VM runs in.
pub struct Envoy;

impl World for Envoy {
    fn random(&self) -> u64 {
        // Keys from the host's random numbers, and a hash that differs from state to state.
        RandomState::new().build_hasher().finish()
    }

    fn is_cooling(&self, cluster: &str) -> bool {
        let until = abi::shared_data(&key(cluster)).ok().flatten();
        let until = until.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        until > 0 && until > milliseconds()
    }

    fn now(&self) -> u64 {
        abi::now().unwrap_or_default()
    }

    fn shared(&self) -> Option<&dyn Shared> {
        Some(self)
    }

    fn tokens(&self) -> &dyn Tokens {
        self
    }
}

/// Envoy's filter for tokens notes in metadata what it has found, which no header can.
impl Tokens for Envoy {
    fn claim(&self, name: &str) -> Option<String> {
        let bytes = abi::property(&format!("{JWT}\0{}\0{name}", metadata::PAYLOAD)).ok()??;
        String::from_utf8(bytes).ok()
    }

    fn fault(&self) -> Option<String> {
        let path = format!("{JWT}\0{}\0message", metadata::FAULT);
        String::from_utf8(abi::property(&path).ok()??).ok()
    }
}

/// Path of the metadata.
const JWT: &str = "metadata\0filter_metadata\0envoy.filters.http.jwt_authn";

impl Shared for Envoy {
    fn get(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        abi::numbered_shared_data(name).ok().flatten()
    }

    fn set(&self, name: &str, value: &[u8]) {
        if let Err(error) = abi::set_shared_data(name, value) {
            log::error!("a shared value was not written: {error}");
        }
    }

    fn replace(&self, name: &str, value: &[u8], seen: u32) -> bool {
        abi::replace_shared_data(name, value, seen).unwrap_or_default()
    }
}

impl Vault for Envoy {
    fn sign(&self, private_key: &str, text: &[u8]) -> Option<Vec<u8>> {
        let arguments = service_account::sign_arguments(private_key, text);
        service_account::signature(&abi::call_foreign_function("sign", &arguments).ok()?)
    }

    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        abi::shared_data(name).ok().flatten()
    }

    fn keep(&self, name: &str, value: &[u8]) {
        if let Err(error) = abi::set_shared_data(name, value) {
            log::error!("{name} was not kept: {error}");
        }
    }
}

/// Unix time in milliseconds; 0 if the host has none.
pub fn milliseconds() -> u64 {
    abi::now().map_or(0, |nanoseconds| nanoseconds / 1_000_000)
}

/// Notes that a cluster is to be left alone. There is one key for each cluster, and no more.
pub fn cool(cluster: &str, pause: u64) {
    let until = milliseconds().saturating_add(pause);
    if let Err(error) = abi::set_shared_data(&key(cluster), &until.to_le_bytes()) {
        log::error!("the pause of a cluster was not noted: {error}");
    }
}

fn key(cluster: &str) -> String {
    format!("cooling.{cluster}")
}

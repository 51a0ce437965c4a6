//! What the module is told of callers, and what Envoy checks and counts of them.

use crate::config::caller;
use crate::tool::model::Gateway;

/// What the gateway role is told: no key, but its hash.
pub(super) fn settings(gateway: &Gateway) -> Option<caller::Callers> {
    let callers = gateway.callers.as_ref()?;
    let jwt = callers.jwt.as_ref();
    let jwt = jwt.map(|jwt| caller::Jwt { claim: jwt.claim.clone(), default: jwt.default.clone() });
    let rate_limit_service = callers.rate_limit_service.is_some();
    Some(caller::Callers { keys: callers.keys.clone(), jwt, rate_limit_service })
}

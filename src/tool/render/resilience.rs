//! What protects a cluster from too much, and from addresses that fail.

use serde_json::{Value, json};

use super::duration;
use crate::tool::model::{CircuitBreakers, Gateway};

/// The thresholds, as a field of a cluster.
pub(super) fn circuit_breakers(limits: &CircuitBreakers) -> Value {
    json!({ "circuit_breakers": { "thresholds": [{
        "max_connections": limits.max_connections,
        "max_pending_requests": limits.max_pending_requests,
        "max_requests": limits.max_requests,
        "max_retries": limits.max_retries,
    }] } })
}

/// The rule by which addresses are left out, as a field of a cluster: for clusters that may have
/// several. No retry helps a request that finds none.
pub(super) fn outlier_detection(gateway: &Gateway) -> Value {
    let Some(rule) = &gateway.outlier_detection else { return json!({}) };
    json!({ "outlier_detection": {
        "consecutive_5xx": rule.consecutive_5xx,
        "enforcing_consecutive_5xx": 100,
        "consecutive_gateway_failure": rule.consecutive_gateway_failure,
        "enforcing_consecutive_gateway_failure": 100,
        // By comparison with the other addresses, which nobody could foresee.
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        "interval": duration(rule.interval),
        "base_ejection_time": duration(rule.base_ejection_time),
        "max_ejection_percent": rule.max_ejection_percent,
        "always_eject_one_host": false,
    } })
}

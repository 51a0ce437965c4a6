//! `circuit_breakers` and `outlier_detection`.

use super::Checker;
use crate::tool::field::{Field, Fields};
use crate::tool::model::{CircuitBreakers, OutlierDetection};
use crate::tool::yaml::Node;

/// Largest threshold that Envoy takes.
const MAX_THRESHOLD: u64 = u32::MAX as u64;
/// Beside the addresses of a name stands one that refuses connections. With this share it is the
/// only one left in no case: of n + 1 never are n left out.
const MAX_EJECTED: u64 = 49;

impl Checker<'_> {
    pub(super) fn circuit_breakers(&mut self, field: &Field<'_>) -> CircuitBreakers {
        let known = ["max_connections", "max_pending_requests", "max_requests", "max_retries"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let usual = CircuitBreakers::default();
        let mut threshold =
            |name, default| self.number(fields.get(name), 1..=MAX_THRESHOLD).unwrap_or(default);
        CircuitBreakers {
            max_connections: threshold("max_connections", usual.max_connections),
            max_pending_requests: threshold("max_pending_requests", usual.max_pending_requests),
            max_requests: threshold("max_requests", usual.max_requests),
            max_retries: threshold("max_retries", usual.max_retries),
        }
    }

    /// A mapping, or `false`.
    pub(super) fn outlier_detection(&mut self, field: &Field<'_>) -> Option<OutlierDetection> {
        match field.node {
            Node::Bool(false) => return None,
            Node::Map(_) => {}
            Node::Bool(true) => {
                self.problems.add(&field.path, "must be a mapping or false");
                return None;
            }
            other => {
                field.mismatch("a mapping or false", other, &mut self.problems);
                return None;
            }
        }
        let known = [
            "consecutive_5xx",
            "consecutive_gateway_failure",
            "interval",
            "base_ejection_time",
            "max_ejection_percent",
        ];
        let fields = Fields::open(field, &known, &mut self.problems);
        let usual = OutlierDetection::default();
        let mut number =
            |name, range, default| self.number(fields.get(name), range).unwrap_or(default);
        let consecutive_5xx = number("consecutive_5xx", 1..=MAX_THRESHOLD, usual.consecutive_5xx);
        let consecutive_gateway_failure = number(
            "consecutive_gateway_failure",
            1..=MAX_THRESHOLD,
            usual.consecutive_gateway_failure,
        );
        let max_ejection_percent =
            number("max_ejection_percent", 1..=MAX_EJECTED, usual.max_ejection_percent);
        let mut time = |name, default| self.milliseconds(fields.get(name)).unwrap_or(default);
        Some(OutlierDetection {
            consecutive_5xx,
            consecutive_gateway_failure,
            interval: time("interval", usual.interval),
            base_ejection_time: time("base_ejection_time", usual.base_ejection_time),
            max_ejection_percent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::check::check;

    #[test]
    fn every_problem_has_its_path() {
        let threshold = "must be from 1 to 4294967295";
        for (yaml, expected) in [
            ("circuit_breakers: 1", "circuit_breakers: must be a mapping, not a number".to_owned()),
            (
                "circuit_breakers: {max_request: 1}",
                "circuit_breakers.max_request: unknown key, did you mean \"max_requests\"?"
                    .to_owned(),
            ),
            (
                "circuit_breakers: {max_retries: 0}",
                format!("circuit_breakers.max_retries: {threshold}"),
            ),
            (
                "circuit_breakers: {max_connections: 4294967296}",
                format!("circuit_breakers.max_connections: {threshold}"),
            ),
            ("outlier_detection: true", "outlier_detection: must be a mapping or false".to_owned()),
            (
                "outlier_detection: {consecutive_5xx: 0}",
                format!("outlier_detection.consecutive_5xx: {threshold}"),
            ),
            (
                "outlier_detection: {interval: 0}",
                "outlier_detection.interval: must be from 1 to 86400000".to_owned(),
            ),
            (
                "outlier_detection: {max_ejection_percent: 50}",
                "outlier_detection.max_ejection_percent: must be from 1 to 49".to_owned(),
            ),
        ] {
            let rejected = check(yaml, &|_| None).unwrap_err();
            assert_eq!(rejected.problems, [expected], "{yaml}");
        }
    }

    #[test]
    fn what_is_not_said_keeps_its_default() {
        let gateway = check(
            "circuit_breakers: {max_requests: 7}\noutlier_detection: {base_ejection_time: 9}",
            &|_| None,
        )
        .unwrap();
        let breakers = CircuitBreakers { max_requests: 7, ..CircuitBreakers::default() };
        assert_eq!(gateway.circuit_breakers, breakers);
        let rule = OutlierDetection { base_ejection_time: 9, ..OutlierDetection::default() };
        assert_eq!(gateway.outlier_detection, Some(rule));
        for (yaml, expected) in [
            ("", Some(OutlierDetection::default())),
            ("outlier_detection:", Some(OutlierDetection::default())),
            ("outlier_detection: {}", Some(OutlierDetection::default())),
            ("outlier_detection: false", None),
        ] {
            assert_eq!(check(yaml, &|_| None).unwrap().outlier_detection, expected, "{yaml}");
        }
    }
}

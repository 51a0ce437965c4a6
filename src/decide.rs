//! Whether, and where, a request goes on after an attempt.

use crate::plan::{Fallback, Plan, Target};
use crate::report::Position;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The provider's status, or the one that stands for its failure.
    pub status: u16,
    /// Why trying the same request again at the same place is useless, if it is.
    pub refusal: Option<Refusal>,
    /// Milliseconds that the provider wants to be left alone.
    pub retry_after: Option<u64>,
    /// Milliseconds that the request has been waiting between attempts already.
    pub waited: u64,
}

/// A request that its provider will never take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its content policy is against it.
    ContentPolicy,
    /// It is longer than the model's context.
    ContextLength,
}

/// Where a request goes on, and how long it waits before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// The place.
    pub at: Position,
    /// Whole seconds to wait.
    pub wait: u64,
}

/// Statuses that may be due to the credential that was used: no such key, no credit, no right, too
/// many requests.
const OF_CREDENTIALS: [u16; 4] = [401, 402, 403, 429];

/// What all pauses of a request together stay below, in milliseconds: Portkey's limit.
pub const MAX_PAUSE: u64 = 60_000;

impl Outcome {
    /// An answer, or a failure that a status stands for.
    pub fn of(status: u16) -> Self {
        Self { status, refusal: None, retry_after: None, waited: 0 }
    }

    /// Whether the provider did what it was asked for; 101 begins a WebSocket.
    pub fn is_success(&self) -> bool {
        matches!(self.status, 101 | 200..=299)
    }
}

/// The place after `at`; `None` when the outcome is the client's. `avoid` tells of targets that
/// are not to be gone to while there is another.
pub fn next(
    plan: &Plan,
    at: Position,
    outcome: Outcome,
    avoid: &dyn Fn(&Target) -> bool,
) -> Option<Next> {
    let target = plan.targets.get(at.target)?;
    let to = |target| Some(Next { at: Position { target, tries: 1 }, wait: 0 });
    let sibling = sibling(target, outcome);
    if let Some(rested) = sibling.and_then(|first| rested_sibling(plan, first, avoid)) {
        return to(rested);
    }
    if let Some(wait) = retry(target, at, outcome) {
        return Some(Next { at: Position { tries: at.tries + 1, ..at }, wait });
    }
    let place = fall_back(&target.fallbacks, outcome).or(sibling)?;
    to(past_avoided(plan, place, outcome, avoid).unwrap_or(place))
}

/// Index of the target that a request begins at: the plan's first one, or if that is to be avoided,
/// the one after it as if it had answered 429.
pub fn first(plan: &Plan, avoid: &dyn Fn(&Target) -> bool) -> usize {
    if plan.targets.len() < 2 {
        return plan.first;
    }
    past_avoided(plan, plan.first, Outcome::of(429), avoid).unwrap_or(plan.first)
}

/// The first place from `at` on that is not to be avoided. The same outcome is assumed of those
/// that are; their siblings are other places.
fn past_avoided(
    plan: &Plan,
    mut at: usize,
    outcome: Outcome,
    avoid: &dyn Fn(&Target) -> bool,
) -> Option<usize> {
    while let Some(target) = plan.targets.get(at).filter(|target| avoid(target)) {
        let next = target.sibling.or_else(|| fall_back(&target.fallbacks, outcome));
        at = next.filter(|next| *next > at)?;
    }
    Some(at)
}

/// The next credential of a virtual key, where the outcome may be due to this one.
fn sibling(target: &Target, outcome: Outcome) -> Option<usize> {
    let due = OF_CREDENTIALS.contains(&outcome.status) && outcome.refusal.is_none();
    target.sibling.filter(|_| due)
}

/// The first of a target and those with further credentials that is not to be avoided.
fn rested_sibling(plan: &Plan, mut at: usize, avoid: &dyn Fn(&Target) -> bool) -> Option<usize> {
    while let Some(target) = plan.targets.get(at).filter(|target| avoid(target)) {
        at = target.sibling.filter(|next| *next > at)?;
    }
    Some(at)
}

/// Seconds to wait before the same target is tried again, if it is.
fn retry(target: &Target, at: Position, outcome: Outcome) -> Option<u64> {
    let retry = &target.retry;
    let asked = retry.on_status_codes.contains(&outcome.status) && at.tries <= retry.attempts;
    if !asked || outcome.refusal.is_some() {
        return None;
    }
    match outcome.retry_after.filter(|_| retry.use_retry_after && outcome.status == 429) {
        Some(pause) if pause.saturating_add(outcome.waited) >= MAX_PAUSE => None,
        Some(pause) => Some(pause.div_ceil(1000)),
        // Portkey waits 1, 2, 4, 8, 16 s.
        None => Some(1 << (at.tries.clamp(1, 5) - 1)),
    }
}

/// Where a request goes on from a target with these fallbacks; `None` when the outcome is the
/// client's.
pub fn fall_back(fallbacks: &[Fallback], outcome: Outcome) -> Option<usize> {
    let goes_on = |statuses: &Option<Vec<u16>>| match statuses {
        Some(statuses) => statuses.contains(&outcome.status),
        None => !outcome.is_success(),
    };
    let refused = outcome.refusal == Some(Refusal::ContentPolicy);
    let mut inner_first = fallbacks.iter().rev();
    inner_first
        .find(|fallback| {
            goes_on(&fallback.on_status_codes) && (fallback.on_content_policy || !refused)
        })
        .map(|fallback| fallback.next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::plan::{Fallback, Retry};

    fn fallback(codes: Option<&[u16]>, next: usize) -> Fallback {
        let on_status_codes = codes.map(<[u16]>::to_vec);
        Fallback { on_status_codes, on_content_policy: true, next }
    }

    /// Targets 0 and 1 within a fallback on 500, that one and target 2 within another on any.
    fn plan() -> Plan {
        let mut plan = Plan::new(String::new(), Endpoint::ChatCompletions);
        let retry = Retry { attempts: 2, on_status_codes: vec![429], use_retry_after: true };
        let outer = fallback(None, 2);
        let inner = fallback(Some(&[500]), 1);
        plan.targets.push(Target {
            retry,
            fallbacks: vec![outer.clone(), inner],
            cluster: "a".into(),
            ..Target::default()
        });
        plan.targets.push(Target {
            fallbacks: vec![outer],
            cluster: "b".into(),
            ..Target::default()
        });
        plan.targets.push(Target { cluster: "c".into(), ..Target::default() });
        plan
    }

    fn place(at: (usize, u32), outcome: Outcome) -> Option<(usize, u32, u64)> {
        let at = Position { target: at.0, tries: at.1 };
        next(&plan(), at, outcome, &|_| false)
            .map(|next| (next.at.target, next.at.tries, next.wait))
    }

    #[test]
    fn retries_come_first_then_the_inner_fallback_then_the_outer() {
        let of = Outcome::of;
        assert_eq!(place((0, 1), of(429)), Some((0, 2, 1)));
        assert_eq!(place((0, 2), of(429)), Some((0, 3, 2)));
        assert_eq!(place((0, 3), of(429)), Some((2, 1, 0)), "429 is not the inner fallback's");
        assert_eq!(place((0, 1), of(500)), Some((1, 1, 0)), "500 is not retried");
        assert_eq!(place((1, 1), of(500)), Some((2, 1, 0)));
        assert_eq!(place((2, 1), of(500)), None);
        assert_eq!(place((0, 1), of(200)), None);
        assert_eq!(place((0, 1), of(101)), None, "a WebSocket is open");
        assert_eq!(place((7, 1), of(500)), None);
    }

    #[test]
    fn a_pause_is_waited_for_unless_it_is_too_long() {
        let asked = |retry_after| Outcome { retry_after: Some(retry_after), ..Outcome::of(429) };
        assert_eq!(place((0, 1), asked(1200)), Some((0, 2, 2)));
        assert_eq!(place((0, 1), asked(0)), Some((0, 2, 0)));
        assert_eq!(place((0, 1), asked(60_000)), Some((2, 1, 0)));
        assert_eq!(place((0, 1), Outcome { waited: 58_000, ..asked(2000) }), Some((2, 1, 0)));
        assert_eq!(place((0, 1), asked(u64::MAX)), Some((2, 1, 0)));
    }

    #[test]
    fn a_refusal_is_not_tried_again_at_the_same_target() {
        let mut plan = plan();
        plan.targets[0].retry.on_status_codes = vec![400];
        let refused = |refusal| Outcome { refusal: Some(refusal), ..Outcome::of(400) };
        let go = |plan: &Plan, refusal| {
            next(plan, plan.start(), refused(refusal), &|_| false).map(|next| next.at.target)
        };
        assert_eq!(go(&plan, Refusal::ContextLength), Some(2));
        assert_eq!(go(&plan, Refusal::ContentPolicy), Some(2));
        plan.targets[0].fallbacks[0].on_content_policy = false;
        assert_eq!(go(&plan, Refusal::ContextLength), Some(2));
        assert_eq!(go(&plan, Refusal::ContentPolicy), None);
    }

    #[test]
    fn an_avoided_target_is_skipped_while_there_is_another() {
        let go = |avoided: &[&str]| {
            let avoid = |target: &Target| avoided.contains(&target.cluster.as_str());
            next(&plan(), plan().start(), Outcome::of(500), &avoid).map(|next| next.at.target)
        };
        assert_eq!(go(&["b"]), Some(2));
        assert_eq!(go(&["b", "c"]), Some(1));
        assert_eq!(go(&["c"]), Some(1));
    }

    /// Targets 0 and 1 with two credentials of one virtual key, and target 2 as their fallback.
    fn siblings() -> Plan {
        let mut plan = Plan::new(String::new(), Endpoint::ChatCompletions);
        let retry = Retry { attempts: 1, on_status_codes: vec![429], use_retry_after: false };
        let shared = Target { retry, fallbacks: vec![fallback(None, 2)], ..Target::default() };
        let (one, other) = ("a".to_owned(), "a@2".to_owned());
        plan.targets.push(Target { cluster: one, sibling: Some(1), ..shared.clone() });
        plan.targets.push(Target { cluster: other, ..shared });
        plan.targets.push(Target { cluster: "c".into(), ..Target::default() });
        plan
    }

    #[test]
    fn another_credential_comes_before_retries_and_fallbacks() {
        let go = |target, status, avoided: &[&str]| {
            let avoid = |target: &Target| avoided.contains(&target.cluster.as_str());
            let at = Position { target, tries: 1 };
            next(&siblings(), at, Outcome::of(status), &avoid)
                .map(|next| (next.at.target, next.at.tries, next.wait))
        };
        for status in [401, 402, 403, 429] {
            assert_eq!(go(0, status, &[]), Some((1, 1, 0)), "{status}");
        }
        assert_eq!(go(0, 500, &[]), Some((2, 1, 0)), "no other credential helps");
        assert_eq!(go(1, 401, &[]), Some((2, 1, 0)));
        assert_eq!(go(1, 429, &[]), Some((1, 2, 1)), "the last credential is tried again");
        assert_eq!(go(0, 401, &["a@2"]), Some((2, 1, 0)), "a credential that rests is left alone");
        assert_eq!(go(0, 429, &["a@2"]), Some((0, 2, 1)));
        let refused = Outcome { refusal: Some(Refusal::ContentPolicy), ..Outcome::of(403) };
        let at = Position { target: 0, tries: 1 };
        let next_at = |plan: &Plan| next(plan, at, refused, &|_| false).map(|next| next.at.target);
        assert_eq!(next_at(&siblings()), Some(2), "a refusal is none of the credential's");
    }

    #[test]
    fn with_nowhere_else_to_go_a_credential_that_rests_is_tried() {
        let mut plan = siblings();
        plan.targets.truncate(2);
        for target in &mut plan.targets {
            (target.fallbacks, target.retry) = (Vec::new(), Retry::default());
        }
        let avoid = |_: &Target| true;
        let next = next(&plan, plan.start(), Outcome::of(401), &avoid);
        assert_eq!(next.map(|next| next.at.target), Some(1));
        assert_eq!(first(&plan, &avoid), 0);
        assert_eq!(first(&plan, &|target: &Target| target.cluster == "a"), 1);
    }
}

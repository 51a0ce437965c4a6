//! From the targets of a config to those of a plan: a virtual key of several credentials becomes a
//! target for each, and one that may not be used leaves the chain.

use crate::decide::{self, Outcome};
use crate::error::Error;
use crate::plan::{Fallback, Target};

/// A target of the chain.
pub struct Candidate {
    /// The target, with the chain's places in its fallbacks.
    pub target: Target,
    /// The clusters of its credentials in the order in which they are to be tried, at least one; or
    /// why it may not be used.
    pub clusters: Result<Vec<String>, Error>,
}

/// The targets of the plan, and the index of the first one. A target that may not be used counts as
/// one that has answered with the status of its error.
///
/// # Errors
/// That of the target at which the request ends, if it gets to none that may be used.
pub fn unfold(candidates: Vec<Candidate>) -> Result<(Vec<Target>, usize), Error> {
    let places = places(&candidates);
    let first = match places.first() {
        Some(Place::Target(first)) => *first,
        Some(Place::Refusal(at)) => return Err(refusal(candidates, *at)),
        None => return Ok((Vec::new(), 0)),
    };
    let mut targets = Vec::with_capacity(candidates.len());
    for Candidate { mut target, clusters } in candidates {
        let Ok(clusters) = clusters else { continue };
        target.fallbacks =
            target.fallbacks.into_iter().filter_map(|it| moved(it, &places)).collect();
        let last = targets.len() + clusters.len().saturating_sub(1);
        for cluster in clusters {
            let next = targets.len() + 1;
            let sibling = Some(next).filter(|next| *next <= last);
            targets.push(Target { cluster, sibling, ..target.clone() });
        }
    }
    Ok((targets, first))
}

/// Where a request gets to that goes to a place of the chain.
#[derive(Clone, Copy)]
enum Place {
    /// To this target of the plan.
    Target(usize),
    /// No further than to this place of the chain.
    Refusal(usize),
}

fn places(candidates: &[Candidate]) -> Vec<Place> {
    let mut targets = 0;
    let mut places: Vec<Place> = Vec::with_capacity(candidates.len());
    for (at, candidate) in candidates.iter().enumerate() {
        places.push(match &candidate.clusters {
            Ok(_) => Place::Target(targets),
            Err(_) => Place::Refusal(at),
        });
        targets += candidate.clusters.as_ref().map_or(0, Vec::len);
    }
    // Fallbacks lead forwards, so that what follows is settled already.
    for (at, candidate) in candidates.iter().enumerate().rev() {
        let Err(error) = &candidate.clusters else { continue };
        let outcome = Outcome::of(error.status);
        let next = decide::fall_back(&candidate.target.fallbacks, outcome);
        let next = next.filter(|next| *next > at).and_then(|next| places.get(next)).copied();
        if let (Some(next), Some(place)) = (next, places.get_mut(at)) {
            *place = next;
        }
    }
    places
}

/// A fallback with its index in the plan; `None` when it leads to nothing that may be used.
fn moved(fallback: Fallback, places: &[Place]) -> Option<Fallback> {
    match places.get(fallback.next) {
        Some(Place::Target(next)) => Some(Fallback { next: *next, ..fallback }),
        _ => None,
    }
}

fn refusal(candidates: Vec<Candidate>, at: usize) -> Error {
    let refused = candidates.into_iter().nth(at).and_then(|candidate| candidate.clusters.err());
    refused.unwrap_or_else(|| Error::gateway("no_target", "The config leads to no target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fallback(codes: Option<&[u16]>, next: usize) -> Fallback {
        let on_status_codes = codes.map(<[u16]>::to_vec);
        Fallback { on_status_codes, on_content_policy: true, next }
    }

    fn of(clusters: &[&str], fallbacks: Vec<Fallback>) -> Candidate {
        let clusters = clusters.iter().map(|name| (*name).to_owned()).collect();
        Candidate { target: Target { fallbacks, ..Target::default() }, clusters: Ok(clusters) }
    }

    fn refused(status: u16, fallbacks: Vec<Fallback>) -> Candidate {
        let error = Error::client(status, "refused", status.to_string());
        Candidate { target: Target { fallbacks, ..Target::default() }, clusters: Err(error) }
    }

    /// Each target as `cluster sibling fallbacks`, and the first one.
    fn show(candidates: Vec<Candidate>) -> (Vec<String>, usize) {
        let (targets, first) = unfold(candidates).unwrap();
        let line = |target: &Target| {
            let next: Vec<_> = target.fallbacks.iter().map(|fallback| fallback.next).collect();
            format!("{} {:?} {next:?}", target.cluster, target.sibling)
        };
        (targets.iter().map(line).collect(), first)
    }

    #[test]
    fn credentials_are_targets_and_fallbacks_lead_past_them() {
        let chain = vec![
            of(&["a@2", "a"], vec![fallback(None, 1)]),
            of(&["b"], vec![fallback(None, 2)]),
            of(&["c", "c@2"], Vec::new()),
        ];
        let expected =
            ["a@2 Some(1) [2]", "a None [2]", "b None [3]", "c Some(4) []", "c@2 None []"];
        assert_eq!(show(chain), (expected.map(str::to_owned).to_vec(), 0));
    }

    #[test]
    fn what_may_not_be_used_is_passed_by_as_its_status_says() {
        let chain = |codes: Option<&[u16]>| {
            vec![
                refused(401, vec![fallback(codes, 1)]),
                of(&["b"], vec![fallback(None, 2)]),
                refused(412, vec![fallback(None, 3)]),
                of(&["d"], Vec::new()),
            ]
        };
        let expected = (vec!["b None [1]".to_owned(), "d None []".to_owned()], 0);
        assert_eq!(show(chain(None)), expected);
        assert_eq!(show(chain(Some(&[401]))), expected);
        assert_eq!(unfold(chain(Some(&[500]))).unwrap_err().status, 401);
        let inner_and_outer = vec![
            refused(401, vec![fallback(None, 2), fallback(Some(&[500]), 1)]),
            of(&["b"], vec![fallback(None, 2)]),
            of(&["c"], Vec::new()),
        ];
        let expected = (vec!["b None [1]".to_owned(), "c None []".to_owned()], 1);
        assert_eq!(show(inner_and_outer), expected);
        let last = vec![of(&["a"], vec![fallback(None, 1)]), refused(401, Vec::new())];
        assert_eq!(
            show(last),
            (vec!["a None []".to_owned()], 0),
            "the answer of a is the client's"
        );
        let all = vec![refused(401, vec![fallback(None, 1)]), refused(412, Vec::new())];
        assert_eq!(unfold(all).unwrap_err().status, 412);
    }
}

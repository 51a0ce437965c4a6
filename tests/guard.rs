//! The guard of the semantic cache over the pairs of `tests/cache`, without the model.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use portkey_envoy::cache::semantic::guard;

#[test]
fn no_near_miss_passes_and_few_paraphrases_do_not() {
    let pairs = include_str!("cache/pairs.tsv");
    let (mut passing, mut paraphrases, mut near) = (0, 0, 0);
    let (mut refused, mut missed) = (Vec::new(), Vec::new());
    for line in pairs.lines() {
        let texts: Vec<&str> = line.split('\t').collect();
        let [base, same @ .., one, other] = texts.as_slice() else { panic!("{line}") };
        for text in same {
            paraphrases += 1;
            match guard::of(base) == guard::of(text) {
                true => passing += 1,
                false => refused.push(*text),
            }
        }
        for text in [one, other] {
            near += 1;
            if guard::of(base) == guard::of(text) {
                missed.push(format!("{base} | {text}"));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!((paraphrases, near), (200, 200));
    assert!(passing >= 180, "{passing}: {refused:#?}");
}

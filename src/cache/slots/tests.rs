use super::*;
use crate::cache::key::Hash;
use crate::cache::shared::Memory;
use std::collections::HashMap;

const LIMITS: Limits = Limits { entries: 4096, bytes: 1 << 20, entry_bytes: 1 << 16 };
const FOREVER: u64 = u64::MAX;

fn key(number: u64) -> Key {
    let mut hash = Hash::new("test");
    hash.part("number", &number.to_le_bytes());
    hash.key()
}

fn store(memory: &Memory, limits: Limits) -> Slots<'_> {
    let slots = Slots::new(memory, limits);
    slots.lay_out();
    slots
}

#[test]
fn what_is_put_is_found_until_it_is_over() {
    let memory = Memory::default();
    let slots = store(&memory, LIMITS);
    assert_eq!(slots.get(&key(1), 5), None);
    slots.put(&key(1), b"one".to_vec(), 10, 5, 0);
    slots.put(&key(2), b"two".to_vec(), 20, 5, 0);
    assert_eq!(slots.get(&key(1), 9).as_deref(), Some(&b"one"[..]));
    assert_eq!(slots.get(&key(1), 10), None);
    assert_eq!(slots.get(&key(2), 10).as_deref(), Some(&b"two"[..]));
    slots.put(&key(2), b"three".to_vec(), 30, 21, 0);
    assert_eq!(slots.get(&key(2), 22).as_deref(), Some(&b"three"[..]));
    assert_eq!(read_number(&memory.get(TOTAL).unwrap().0), 3 + 5 + 2 * OVERHEAD);
}

#[test]
fn a_store_that_was_not_laid_out_keeps_nothing() {
    let memory = Memory::default();
    let slots = Slots::new(&memory, LIMITS);
    slots.put(&key(1), b"one".to_vec(), FOREVER, 1, 0);
    assert_eq!(slots.get(&key(1), 2), None);
    assert_eq!(memory.size(), 0);
}

#[test]
fn a_value_of_another_key_is_no_answer() {
    let memory = Memory::default();
    let slots = store(&memory, LIMITS);
    slots.put(&key(1), b"one".to_vec(), FOREVER, 1, 0);
    let bucket = slots.bucket(&key(1));
    let way = slots.directory(bucket).unwrap().0.iter().position(|place| place.size > 0).unwrap();
    for other in [[b"two".as_slice(), &key(2).0].concat(), b"short".to_vec(), Vec::new()] {
        memory.set(&place_name(bucket, way), &other);
        assert_eq!(slots.get(&key(1), 2), None);
    }
    for bytes in [&[0xff; 7][..], &[0xff; 1000]] {
        memory.set(&directory_name(bucket), bytes);
        assert_eq!(slots.get(&key(1), 2), None);
    }
}

#[test]
fn bytes_and_names_stay_bounded_under_churn() {
    let memory = Memory::default();
    let slots = store(&memory, LIMITS);
    let mut names = 0;
    for number in 0..20_000_u64 {
        let size = 100 + usize::try_from(number * 7919 % 4000).unwrap();
        slots.put(&key(number), vec![b'x'; size], FOREVER, number, number * 31);
        let total = read_number(&memory.get(TOTAL).unwrap().0);
        assert!(total <= LIMITS.bytes, "{total}");
        if number == 10_000 {
            names = memory.0.borrow().len();
        }
    }
    let directories = 4096 / WAYS * WAYS * PLACE;
    let stored = memory.size() - directories;
    assert!(stored < 1 << 20, "{stored}");
    assert!(names <= 4096 + 4096 / WAYS + 2, "{names}");
    let kept = (0..20_000).filter(|number| slots.get(&key(*number), 20_000).is_some()).count();
    // 1 MiB over 2100 + 256 bytes each.
    assert!((380..=450).contains(&kept), "{kept}");
    let newest = (19_900..20_000).filter(|number| slots.get(&key(*number), 20_001).is_some());
    assert!(newest.count() > 95);
}

#[test]
fn sparse_stores_are_swept_too() {
    let memory = Memory::default();
    let limits = Limits { entries: 65_536, bytes: 1 << 20, entry_bytes: 1 << 18 };
    let slots = store(&memory, limits);
    for number in 0..50 {
        slots.put(&key(number), vec![b'x'; 200_000], FOREVER, number, number);
        assert!(read_number(&memory.get(TOTAL).unwrap().0) <= limits.bytes);
    }
    assert!(slots.get(&key(49), 50).is_some());
    slots.put(&key(50), vec![b'x'; 300_000], FOREVER, 50, 50);
    assert!(slots.get(&key(50), 51).is_none(), "larger than an entry may be");
}

/// Hits of the same requests in the store and in a true LRU of the same bytes.
#[test]
fn the_hit_rate_is_that_of_an_lru() {
    let memory = Memory::default();
    let slots = store(&memory, LIMITS);
    let size = 1000;
    let capacity = usize::try_from(LIMITS.bytes / (size + OVERHEAD)).unwrap();
    let (mut hits, mut ideal) = (0, 0);
    let mut used: HashMap<u64, u64> = HashMap::new();
    let mut random = 1;
    for now in 1..12_000 {
        random = next(random);
        // Small numbers far more often than large ones.
        let number = random % (1 + next(random.wrapping_add(now)) % 3000);
        match slots.get(&key(number), now) {
            Some(_) => hits += 1,
            None => slots.put(&key(number), vec![0; size as usize], FOREVER, now, random),
        }
        ideal += u32::from(used.insert(number, now).is_some());
        if used.len() > capacity {
            let oldest = *used.iter().min_by_key(|(_, used)| **used).unwrap().0;
            used.remove(&oldest);
        }
    }
    let ratio = f64::from(hits) / f64::from(ideal);
    assert!((0.95..=1.02).contains(&ratio), "{hits} of {ideal}");
}

#[test]
fn another_layout_empties_the_store() {
    let memory = Memory::default();
    let slots = store(&memory, LIMITS);
    slots.put(&key(1), b"one".to_vec(), FOREVER, 1, 0);
    slots.lay_out();
    assert!(slots.get(&key(1), 2).is_some(), "the same layout");
    let smaller = store(&memory, Limits { entries: 64, ..LIMITS });
    assert_eq!(smaller.get(&key(1), 2), None);
    assert_eq!(read_number(&memory.get(TOTAL).unwrap().0), 0);
    let places = memory.0.borrow();
    let left = places.iter().filter(|(name, _)| name.matches('.').count() == 2);
    assert!(left.clone().count() == 1 && left.clone().all(|(_, (value, _))| value.is_empty()));
}

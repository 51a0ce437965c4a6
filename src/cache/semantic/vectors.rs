//! The vector store inside the process: every vector of a partition is compared.
//!
//! Vectors are in chunks that are entries of the store of answers, under its limits and its
//! eviction; a partition has a ring of them, so that its oldest vectors go first.

use super::embedding::dot;
use super::{Match, Point};
use crate::cache::key::Key;
use crate::cache::slots::Slots;

/// Bytes of a chunk, about.
const CHUNK: usize = 64 << 10;
/// What a vector has in front of it: the key of the answer, its end, the guard.
const HEAD: usize = 32 + 8 + 8;
/// How long an unused chunk lives, in milliseconds: its vectors have an end of their own.
const LIFE: u64 = 90 * 24 * 3600 * 1000;

/// The vectors in a store.
pub struct Vectors<'a> {
    /// Where they are.
    pub slots: &'a Slots<'a>,
    /// Vectors of a partition, rounded up to whole chunks.
    pub limit: u64,
}

impl Vectors<'_> {
    /// The most similar questions that are at least so similar, the best first.
    pub fn search(&self, point: &Point, threshold: f32, now: u64) -> Vec<Match> {
        let mut found = Vec::new();
        for chunk in 0..self.chunks(point) {
            let Some(bytes) = self.slots.get(&point.partition.derive("chunk", chunk), now) else {
                continue;
            };
            for item in bytes.chunks_exact(item_size(point)) {
                found.extend(compare(item, point, now).filter(|one| one.similarity >= threshold));
            }
        }
        found.sort_by(|one, other| other.similarity.total_cmp(&one.similarity));
        found.truncate(super::qdrant::LIMIT);
        found
    }

    /// Adds a question whose answer is kept under that key until `expires`.
    pub fn add(&self, point: &Point, key: &Key, expires: u64, now: u64, random: u64) {
        let cursor = point.partition.derive("cursor", 0);
        let at = self.slots.get(&cursor, now).and_then(|bytes| Some(*bytes.first_chunk()?));
        let at = at.map_or(0, u64::from_le_bytes) % self.chunks(point);
        let name = point.partition.derive("chunk", at);
        let mut chunk = self.slots.get(&name, now).unwrap_or_default();
        let size = item_size(point);
        // The same question again, or one that is over.
        let mut kept = Vec::with_capacity(chunk.len() + size);
        for item in chunk.chunks_exact(size).filter(|item| !item.starts_with(&key.0)) {
            kept.extend_from_slice(item);
        }
        std::mem::swap(&mut chunk, &mut kept);
        write(&mut chunk, point, key, expires);
        let full = chunk.len() + size > CHUNK.max(size);
        self.slots.put(&name, chunk, now.saturating_add(LIFE), now, random);
        if full {
            let next = (at + 1) % self.chunks(point);
            self.slots.put(&point.partition.derive("chunk", next), Vec::new(), now, now, random);
            let bytes = next.to_le_bytes().to_vec();
            self.slots.put(&cursor, bytes, now.saturating_add(LIFE), now, random);
        }
    }

    fn chunks(&self, point: &Point) -> u64 {
        let each = (CHUNK / item_size(point)).max(1) as u64;
        self.limit.div_ceil(each).max(1)
    }
}

fn item_size(point: &Point) -> usize {
    HEAD + 4 * point.vector.len()
}

fn write(out: &mut Vec<u8>, point: &Point, key: &Key, expires: u64) {
    out.extend_from_slice(&key.0);
    out.extend_from_slice(&expires.to_le_bytes());
    out.extend_from_slice(&point.guard.to_le_bytes());
    for value in &point.vector {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn compare(item: &[u8], point: &Point, now: u64) -> Option<Match> {
    let (key, rest) = item.split_first_chunk()?;
    let (expires, rest) = rest.split_first_chunk()?;
    let (guard, rest) = rest.split_first_chunk()?;
    if u64::from_le_bytes(*expires) <= now || u64::from_le_bytes(*guard) != point.guard {
        return None;
    }
    let vector: Vec<f32> =
        rest.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Some(Match { key: Key(*key), similarity: dot(&vector, &point.vector) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::key::Hash;
    use crate::cache::semantic::Question;
    use crate::cache::shared::Memory;
    use crate::cache::slots::Limits;

    const LIMITS: Limits = Limits { entries: 4096, bytes: 8 << 20, entry_bytes: 1 << 20 };

    fn key(name: &str) -> Key {
        Hash::new(name).key()
    }

    fn point(partition: &str, guard: u64, vector: &[f32]) -> Point {
        let question = Question { partition: key(partition), guard, text: String::new() };
        Point::new(&question, "model", vector.to_vec())
    }

    /// A vector of length 1 at that angle, in degrees.
    fn at(angle: f32) -> [f32; 2] {
        [angle.to_radians().cos(), angle.to_radians().sin()]
    }

    #[test]
    fn the_most_similar_of_the_partition_is_found() {
        let memory = Memory::default();
        let slots = Slots::new(&memory, LIMITS);
        slots.lay_out();
        let vectors = Vectors { slots: &slots, limit: 100 };
        for (name, guard, angle, expires) in [
            ("far", 0, 60.0, 99),
            ("near", 0, 10.0, 99),
            ("other", 1, 0.0, 99),
            ("over", 0, 1.0, 5),
        ] {
            vectors.add(&point("p", guard, &at(angle)), &key(name), expires, 1, 0);
        }
        let found = vectors.search(&point("p", 0, &at(0.0)), 0.95, 6);
        assert_eq!(found.iter().map(|one| one.key).collect::<Vec<_>>(), [key("near")]);
        assert!((found[0].similarity - 0.9848).abs() < 1e-3);
        assert!(vectors.search(&point("p", 0, &at(0.0)), 0.99, 6).is_empty());
        assert_eq!(vectors.search(&point("p", 0, &at(0.0)), 0.4, 6).len(), 2);
        for stranger in [point("q", 0, &at(10.0)), point("p", 0, &[1.0, 0.0, 0.0])] {
            assert!(vectors.search(&stranger, -1.0, 6).is_empty());
        }
        vectors.add(&point("p", 0, &at(20.0)), &key("near"), 99, 7, 0);
        assert_eq!(vectors.search(&point("p", 0, &at(0.0)), 0.4, 8).len(), 2, "added again");
    }

    #[test]
    fn a_partition_is_a_ring() {
        let memory = Memory::default();
        let slots = Slots::new(&memory, LIMITS);
        slots.lay_out();
        let vectors = Vectors { slots: &slots, limit: 100 };
        let wide = |number: u32| {
            let mut vector = vec![0.0; 1024];
            vector[number as usize % 1024] = 1.0;
            point("p", 0, &vector)
        };
        for number in 0..500 {
            let key = key(&number.to_string());
            vectors.add(&wide(number), &key, u64::MAX, u64::from(number), u64::from(number));
        }
        let finds = |number: u32| !vectors.search(&wide(number), 0.9, 500).is_empty();
        let kept = (0..500).filter(|number| finds(*number)).count();
        assert!((80..=120).contains(&kept), "{kept}");
        assert!((420..500).all(finds));
        assert!(memory.size() < 2 << 20, "{}", memory.size());
    }
}

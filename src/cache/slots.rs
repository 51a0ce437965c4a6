//! The store inside the process: bounded in entries and bytes, least recently used first to go.
//!
//! [`Shared`] never forgets a name, so that there is a fixed set of them: a number of buckets with
//! [`WAYS`] places each. A bucket's directory says what is in its places; the value of a place
//! carries the key that it belongs to, so that a reader who comes between two writes finds nothing
//! instead of something else. Bytes are counted over all buckets; whoever goes over the limit drops
//! the oldest of a few buckets picked at random, as Redis does.

use super::key::Key;
use super::shared::Shared;

/// Places of a bucket.
pub const WAYS: usize = 8;
/// Buckets with entries that are looked at to find the oldest entry.
const SAMPLES: usize = 8;
/// Bytes that an entry takes beside its value: names and nodes of the host's map.
const OVERHEAD: u64 = 256;
/// Tries at a write that others get in the way of.
const TRIES: usize = 16;

/// Limits of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries, rounded up to whole buckets.
    pub entries: u64,
    /// Bytes of all entries.
    pub bytes: u64,
    /// Bytes of one entry.
    pub entry_bytes: u64,
}

/// The store.
pub struct Slots<'a> {
    shared: &'a dyn Shared,
    limits: Limits,
}

/// What a directory says of one place; one that is empty has no size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    key: [u8; 32],
    /// When it was last used, and when it is over: Unix time in milliseconds.
    used: u64,
    expires: u64,
    size: u64,
}

type Directory = [Place; WAYS];

impl<'a> Slots<'a> {
    /// The store in that memory. All workers must use the same limits.
    pub fn new(shared: &'a dyn Shared, limits: Limits) -> Self {
        Self { shared, limits }
    }

    /// Lays the store out; to be called before it is used. Another number of buckets than before
    /// empties it.
    pub fn lay_out(&self) {
        let before = self.shared.get(LAYOUT).map_or(0, |(value, _)| read_number(&value));
        if before == self.buckets() {
            return;
        }
        for bucket in 0..before {
            let directory = self.directory(bucket).map(|(directory, _)| directory);
            for (way, place) in directory.unwrap_or_default().iter().enumerate() {
                if place.size > 0 {
                    self.shared.set(&place_name(bucket, way), b"");
                }
            }
        }
        // Or two workers could both be the first to write one of these.
        for bucket in 0..before.max(self.buckets()) {
            self.shared.set(&directory_name(bucket), b"");
        }
        self.shared.set(TOTAL, &0_u64.to_le_bytes());
        self.shared.set(LAYOUT, &self.buckets().to_le_bytes());
    }

    /// The value of a key that is not over.
    pub fn get(&self, key: &Key, now: u64) -> Option<Vec<u8>> {
        let bucket = self.bucket(key);
        let (mut directory, seen) = self.directory(bucket)?;
        let way = directory.iter().position(|place| place.size > 0 && place.key == key.0)?;
        let place = directory.get_mut(way).filter(|place| place.expires > now)?;
        let (mut value, _) = self.shared.get(&place_name(bucket, way))?;
        let (_, owner) = value.split_last_chunk::<32>()?;
        if *owner != key.0 {
            return None;
        }
        value.truncate(value.len() - key.0.len());
        if place.used < now {
            place.used = now;
            // Somebody else's news of the bucket matter more.
            self.shared.replace(&directory_name(bucket), &encode(&directory), seen);
        }
        Some(value)
    }

    /// Keeps a value until `expires`; `random` is a new random number. A value that is too large
    /// for the store is not kept.
    pub fn put(&self, key: &Key, mut value: Vec<u8>, expires: u64, now: u64, random: u64) {
        let size = value.len() as u64 + OVERHEAD;
        if size > self.limits.entry_bytes.min(self.limits.bytes) {
            return;
        }
        let bucket = self.bucket(key);
        let place = Place { key: key.0, used: now, expires, size };
        let Some((way, freed)) = self.occupy(bucket, place, now) else { return };
        value.extend_from_slice(&key.0);
        self.shared.set(&place_name(bucket, way), &value);
        let total = self.count(size, freed);
        self.shrink(total, now, random);
    }

    /// Takes a place of the bucket; gives its number and the bytes that were in it.
    fn occupy(&self, bucket: u64, new: Place, now: u64) -> Option<(usize, u64)> {
        for _ in 0..TRIES {
            let (mut directory, seen) = self.directory(bucket)?;
            let own = directory.iter().position(|place| place.key == new.key && place.size > 0);
            // An empty place was never used; one that is over may as well be.
            let oldest = |(_, place): &(usize, &Place)| match place.expires > now {
                true => place.used,
                false => 0,
            };
            let way = own
                .or_else(|| directory.iter().enumerate().min_by_key(oldest).map(|(way, _)| way))?;
            let place = directory.get_mut(way)?;
            let freed = place.size;
            *place = new;
            if self.shared.replace(&directory_name(bucket), &encode(&directory), seen) {
                return Some((way, freed));
            }
        }
        None
    }

    /// Drops entries until the bytes are within the limit.
    fn shrink(&self, mut total: u64, now: u64, random: u64) {
        let mut random = random | 1;
        for _ in 0..WAYS * TRIES {
            if total <= self.limits.bytes {
                return;
            }
            total = match self.drop_oldest(&mut random, now) {
                Some(freed) => self.count(0, freed),
                None => return,
            };
        }
    }

    /// Drops the oldest entry of a few buckets; gives its bytes.
    fn drop_oldest(&self, random: &mut u64, now: u64) -> Option<u64> {
        let mut found = 0;
        let mut oldest: Option<(u64, u64, usize, Directory, u32)> = None;
        *random = next(*random);
        for step in 0..self.buckets() {
            let bucket = random.wrapping_add(step) % self.buckets();
            let Some((directory, seen)) = self.directory(bucket) else { continue };
            let places = directory.iter().enumerate().filter(|(_, place)| place.size > 0);
            let age = |place: &Place| if place.expires > now { place.used } else { 0 };
            let Some((way, place)) = places.min_by_key(|(_, place)| age(place)) else { continue };
            if oldest.as_ref().is_none_or(|(least, ..)| age(place) < *least) {
                oldest = Some((age(place), bucket, way, directory, seen));
            }
            found += 1;
            if found == SAMPLES {
                break;
            }
        }
        let (_, bucket, way, mut directory, seen) = oldest?;
        let freed = std::mem::take(directory.get_mut(way)?).size;
        if !self.shared.replace(&directory_name(bucket), &encode(&directory), seen) {
            // It is in use.
            return Some(0);
        }
        self.shared.set(&place_name(bucket, way), b"");
        Some(freed)
    }

    /// Counts bytes that came and that went; gives the new sum.
    fn count(&self, added: u64, freed: u64) -> u64 {
        for _ in 0..TRIES * TRIES {
            let Some((value, seen)) = self.shared.get(TOTAL) else { return 0 };
            let total = read_number(&value).saturating_add(added).saturating_sub(freed);
            if self.shared.replace(TOTAL, &total.to_le_bytes(), seen) {
                return total;
            }
        }
        0
    }

    fn buckets(&self) -> u64 {
        self.limits.entries.div_ceil(WAYS as u64).max(1)
    }

    fn bucket(&self, key: &Key) -> u64 {
        key.number() % self.buckets()
    }

    /// What is in a bucket, and the number of that state; `None` before the store is laid out.
    fn directory(&self, bucket: u64) -> Option<(Directory, u32)> {
        let (bytes, seen) = self.shared.get(&directory_name(bucket))?;
        let mut directory = Directory::default();
        for (place, bytes) in directory.iter_mut().zip(bytes.chunks_exact(PLACE)) {
            *place = Place::decode(bytes).unwrap_or_default();
        }
        Some((directory, seen))
    }
}

/// Number of buckets, and bytes of all entries.
const LAYOUT: &str = "cache.layout";
const TOTAL: &str = "cache.bytes";

fn directory_name(bucket: u64) -> String {
    format!("cache.{bucket}")
}

fn place_name(bucket: u64, way: usize) -> String {
    format!("cache.{bucket}.{way}")
}

/// Bytes of an encoded place.
const PLACE: usize = 56;

impl Place {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk()?;
        let (used, rest) = rest.split_at_checked(8)?;
        let (expires, size) = rest.split_at_checked(8)?;
        let [used, expires, size] = [used, expires, size].map(read_number);
        Some(Self { key: *key, used, expires, size })
    }
}

fn encode(directory: &Directory) -> Vec<u8> {
    let mut out = Vec::with_capacity(WAYS * PLACE);
    for place in directory {
        out.extend_from_slice(&place.key);
        for number in [place.used, place.expires, place.size] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    out
}

fn read_number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The next of a row of random numbers (xorshift64).
fn next(mut number: u64) -> u64 {
    number ^= number << 13;
    number ^= number >> 7;
    number ^ (number << 17)
}

#[cfg(test)]
mod tests;

//! The way of a request through the cache: the equal one, one that is under way, then one that means
//! the same; whatever fails or takes too long is a miss.

use super::entry::Entry;
use super::flights::Flights;
use super::job::Job;
use super::key::Key;
use super::recording::Kept;
use super::redis;
use super::semantic::vectors::Vectors;
use super::semantic::{Match, Point, Question, embedding, qdrant};
use super::shared::Shared;
use super::slots::{Limits, Slots};
use crate::call::{Answer, Call};
use crate::config::settings::{Cache, Semantic};
use crate::contract::{cluster, header};

/// Between two looks at whether an equal request has got its answer, in milliseconds.
const PAUSE: u64 = 20;

/// What the cache works with.
#[derive(Clone, Copy)]
pub struct Stores<'a> {
    /// Its settings.
    pub settings: &'a Cache,
    /// The memory of all workers.
    pub shared: &'a dyn Shared,
    /// Requests under way on this worker.
    pub flights: &'a Flights,
    /// Unix time in milliseconds.
    pub now: u64,
    /// A new random number.
    pub random: u64,
}

/// A request that is looked up.
#[derive(Debug)]
pub struct Lookup {
    key: Key,
    question: Option<Question>,
    /// No kept answer will do.
    refresh: bool,
    /// When the calls must be over: Unix time in milliseconds.
    deadline: u64,
    /// When it has waited long enough for an equal request.
    patience: u64,
    waited: bool,
    phase: Phase,
    point: Option<Point>,
    trace_id: String,
    /// Who asks.
    caller: Option<String>,
    /// Others may wait for this one.
    leads: bool,
    searched: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The store is asked for the equal request.
    Exact,
    /// An equal request is under way.
    Waiting,
    /// The model is asked for the vector.
    Embedding,
    /// The vector store is asked.
    Search,
    /// The store is asked for the answer to a question that means the same.
    Similar(Match),
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Make this call, and come back with its answer.
    Call(Call),
    /// This is the answer.
    Hit(Box<Hit>),
    /// The provider must be asked.
    Miss,
}

/// An answer that was found.
#[derive(Debug)]
pub struct Hit {
    /// The answer.
    pub entry: Entry,
    /// The cosine, where the question was another one.
    pub similarity: Option<f32>,
}

impl Lookup {
    /// A request of that key.
    pub fn new(
        key: Key,
        question: Option<Question>,
        refresh: bool,
        trace_id: String,
        caller: Option<String>,
    ) -> Self {
        Self {
            key,
            question,
            refresh,
            deadline: 0,
            patience: 0,
            waited: false,
            phase: Phase::Exact,
            point: None,
            trace_id,
            caller,
            leads: false,
            searched: false,
        }
    }

    /// Begins.
    pub fn start(&mut self, stores: &Stores<'_>) -> Next {
        self.deadline = stores.now.saturating_add(stores.settings.timeout);
        let patience = stores.settings.single_flight.unwrap_or_default();
        self.patience = stores.now.saturating_add(patience);
        match self.refresh {
            true => self.embed(stores),
            false => self.exact(stores),
        }
    }

    /// Goes on after a call; `None` when it failed.
    pub fn on_answer(&mut self, stores: &Stores<'_>, answer: Option<Answer>) -> Next {
        let body = answer.filter(|answer| answer.status == 200).map(|answer| answer.body);
        let body = body.unwrap_or_default();
        match self.phase {
            Phase::Exact => {
                let entry = redis::found(&body);
                let entry = entry.and_then(|bytes| Entry::decode(bytes, &self.key, stores.now));
                self.after_exact(stores, entry)
            }
            Phase::Waiting => {
                self.deadline = stores.now.saturating_add(stores.settings.timeout);
                self.exact(stores)
            }
            Phase::Embedding => self.on_vector(stores, &body),
            Phase::Search => {
                let threshold = stores.settings.semantic.as_ref().map_or(2.0, |one| one.threshold);
                self.similar(stores, &qdrant::found(&body, threshold))
            }
            Phase::Similar(found) => {
                let entry = redis::found(&body)
                    .and_then(|bytes| Entry::decode(bytes, &found.key, stores.now));
                entry.map_or(Next::Miss, |entry| hit(entry, Some(found.similarity)))
            }
        }
    }

    /// Where the question is, if it was embedded.
    pub fn into_point(self) -> Option<Point> {
        self.point
    }

    /// The key of the equal request.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Whether others wait for the end of this request.
    pub fn leads(&self) -> bool {
        self.leads
    }

    /// Whether a question that means the same was looked for.
    pub fn is_semantic(&self) -> bool {
        self.searched
    }

    fn exact(&mut self, stores: &Stores<'_>) -> Next {
        self.phase = Phase::Exact;
        match &stores.settings.redis {
            Some(server) => self.call(stores, redis::get(server, &self.key)),
            None => {
                let entry = local(stores, &self.key);
                self.after_exact(stores, entry)
            }
        }
    }

    fn after_exact(&mut self, stores: &Stores<'_>, entry: Option<Entry>) -> Next {
        if let Some(entry) = entry {
            return hit(entry, None);
        }
        if let Some(most) = stores.settings.single_flight {
            let (now, flights) = (stores.now, stores.flights);
            if flights.has(&self.key, now) && now < self.patience {
                (self.phase, self.waited) = (Phase::Waiting, true);
                return Next::Call(Call::pause(PAUSE));
            }
            // Or those that have waited for an answer that is not kept would wait for each other.
            self.leads = !self.waited && flights.begin(&self.key, now.saturating_add(most), now);
        }
        self.embed(stores)
    }

    fn embed(&mut self, stores: &Stores<'_>) -> Next {
        let (Some(semantic), Some(question)) = (&stores.settings.semantic, &self.question) else {
            return Next::Miss;
        };
        let body = embedding::request(&semantic.model, semantic.dimensions, &question.text);
        let name = cluster::GATEWAY;
        let mut call = Call::json(name, name, "POST", "/v1/embeddings", body);
        call.headers.push("x-portkey-provider", semantic.provider.as_str());
        // Its body has words of a client that may not want them logged.
        call.headers.push("x-portkey-debug", "false");
        if !self.trace_id.is_empty() {
            call.headers.push("x-portkey-trace-id", self.trace_id.as_str());
        }
        if let Some(caller) = &self.caller {
            call.headers.push(header::CALLER, caller);
        }
        self.phase = Phase::Embedding;
        self.searched = true;
        self.call(stores, call)
    }

    fn on_vector(&mut self, stores: &Stores<'_>, body: &[u8]) -> Next {
        let (Some(semantic), Some(question)) = (&stores.settings.semantic, &self.question) else {
            return Next::Miss;
        };
        let Some(vector) = embedding::vector(body) else { return Next::Miss };
        let point = Point::new(question, &semantic.model, vector);
        let next = match &semantic.qdrant {
            _ if self.refresh => Next::Miss,
            Some(server) => {
                let collection = collection(semantic, &point);
                let (path, body) =
                    qdrant::search(&collection, &point, semantic.threshold, stores.now);
                self.phase = Phase::Search;
                self.call(stores, Call::to(server, "POST", &path, body))
            }
            None => {
                let slots = slots(stores);
                let vectors = Vectors { slots: &slots, limit: semantic.max_vectors };
                let found = vectors.search(&point, semantic.threshold, stores.now);
                self.similar(stores, &found)
            }
        };
        self.point = Some(point);
        next
    }

    fn similar(&mut self, stores: &Stores<'_>, found: &[Match]) -> Next {
        if let (Some(server), Some(best)) = (&stores.settings.redis, found.first()) {
            self.phase = Phase::Similar(*best);
            return self.call(stores, redis::get(server, &best.key));
        }
        let mut entries =
            found.iter().filter_map(|one| Some((local(stores, &one.key)?, one.similarity)));
        entries.next().map_or(Next::Miss, |(entry, similarity)| hit(entry, Some(similarity)))
    }

    /// The call, in what is left of the time.
    fn call(&self, stores: &Stores<'_>, call: Call) -> Next {
        match self.deadline.saturating_sub(stores.now) {
            0 => Next::Miss,
            left => Next::Call(call.within(left)),
        }
    }
}

fn hit(entry: Entry, similarity: Option<f32>) -> Next {
    Next::Hit(Box::new(Hit { entry, similarity }))
}

fn local(stores: &Stores<'_>, key: &Key) -> Option<Entry> {
    Entry::decode(slots(stores).get(key, stores.now)?, key, stores.now)
}

/// The store inside the process.
pub fn slots<'a>(stores: &Stores<'a>) -> Slots<'a> {
    Slots::new(stores.shared, limits(stores.settings))
}

/// The limits of the store inside the process.
pub fn limits(settings: &Cache) -> Limits {
    Limits {
        entries: settings.max_entries,
        bytes: settings.max_bytes,
        // Of an entry with its head, and of a chunk of vectors.
        entry_bytes: settings.max_entry_bytes + (128 << 10),
    }
}

fn collection(semantic: &Semantic, point: &Point) -> String {
    qdrant::collection(&semantic.collection, &semantic.model, point.vector.len())
}

/// Keeps an answer; gives what is to be sent to other servers for it.
pub fn keep(stores: &Stores<'_>, kept: &Kept) -> Vec<Job> {
    let Kept { key, entry, point } = kept;
    let (now, expires, random) = (stores.now, entry.about.expires, stores.random);
    let mut jobs = Vec::new();
    let slots = slots(stores);
    match &stores.settings.redis {
        Some(server) => {
            let life = expires.saturating_sub(now);
            jobs.push(Job::new(redis::set(server, key, &entry.encode(), life), Vec::new()));
        }
        None => slots.put(key, entry.encode(), expires, now, random),
    }
    let (Some(semantic), Some(point)) = (&stores.settings.semantic, point) else { return jobs };
    let Some(server) = &semantic.qdrant else {
        let vectors = Vectors { slots: &slots, limit: semantic.max_vectors };
        vectors.add(point, key, expires, now, random.rotate_left(32));
        return jobs;
    };
    let collection = collection(semantic, point);
    let put = |(path, body): (String, Vec<u8>)| Call::to(server, "PUT", &path, body);
    let add = put(qdrant::upsert(&collection, point, key, expires));
    let mut when_missing: Vec<Call> =
        qdrant::create(&collection, point.vector.len()).map(put).into();
    when_missing.push(add.clone());
    jobs.push(Job::new(add, when_missing));
    jobs
}

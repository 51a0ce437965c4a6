//! Answers to questions that mean the same: an embedding of the last user turn, compared with
//! those of earlier requests that agree in everything else.

pub mod embedding;
pub mod guard;
pub mod qdrant;
pub mod turn;
pub mod vectors;

use super::key::{Hash, Key};

/// What is searched for, and what a question is indexed under.
#[derive(Debug, Clone)]
pub struct Question {
    /// The hash of all that is not embedded: only questions of the same partition are compared.
    pub partition: Key,
    /// See [`guard`].
    pub guard: u64,
    /// The last user turn.
    pub text: String,
}

/// A question and where it is in the space of the embedding model.
#[derive(Debug, Clone)]
pub struct Point {
    /// Partition of the question, of the model and of the vector's length.
    pub partition: Key,
    /// See [`guard`].
    pub guard: u64,
    /// A vector of length 1.
    pub vector: Vec<f32>,
}

/// A question that was found, and how similar it is: the cosine of the angle between the vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Where its answer is kept.
    pub key: Key,
    /// From -1 to 1.
    pub similarity: f32,
}

impl Point {
    /// The point of a question in the space of a model.
    pub fn new(question: &Question, model: &str, vector: Vec<f32>) -> Self {
        let mut hash = Hash::new("vectors");
        hash.part("partition", &question.partition.0);
        hash.part("model", model.as_bytes());
        hash.part("dimension", &(vector.len() as u64).to_le_bytes());
        Self { partition: hash.key(), guard: question.guard, vector }
    }
}

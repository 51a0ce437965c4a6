//! The embedding of a text, asked of this gateway itself.

use crate::dialect::raw::object_in;
use serde::Serialize;

/// Longest vector.
const MAX_DIMENSION: usize = 8192;

/// The body of a request in OpenAI's format.
pub fn request(model: &str, dimensions: Option<u32>, text: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Request<'a> {
        model: &'a str,
        input: &'a str,
        encoding_format: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        dimensions: Option<u32>,
    }
    let request = Request { model, input: text, encoding_format: "float", dimensions };
    // Strings and numbers always serialise.
    serde_json::to_vec(&request).unwrap_or_default()
}

/// The vector of an answer in OpenAI's format, scaled to length 1; `None` when there is none that
/// can be compared.
pub fn vector(body: &[u8]) -> Option<Vec<f32>> {
    members! {
        struct Answer {
            data: Vec<Item>,
        }

        struct Item {
            embedding: Vec<f32>,
        }
    }
    let Answer { mut data } = object_in(body)?;
    let mut vector = data.pop().filter(|_| data.is_empty())?.embedding;
    let length = dot(&vector, &vector).sqrt();
    if !(length.is_finite() && length > 0.0) || vector.len() > MAX_DIMENSION {
        return None;
    }
    vector.iter_mut().for_each(|value| *value /= length);
    Some(vector)
}

/// The sum of the products; of two vectors of length 1 the cosine of their angle.
pub fn dot(one: &[f32], other: &[f32]) -> f32 {
    // Several sums at once: one alone would have to wait for itself.
    let mut sums = [0.0_f32; 8];
    let (heads, tail) = one.as_chunks::<8>();
    let (others, rest) = other.as_chunks::<8>();
    for (one, other) in heads.iter().zip(others) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * other;
        }
    }
    sums.iter().sum::<f32>() + tail.iter().zip(rest).map(|(one, other)| one * other).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_length_1_or_is_none() {
        let answer = |vector: &str| format!(r#"{{"data":[{{"embedding":{vector}}}],"x":1}}"#);
        assert_eq!(vector(answer("[3,4]").as_bytes()), Some(vec![0.6, 0.8]));
        let long = format!("[{}1]", "0,".repeat(MAX_DIMENSION));
        for bad in ["[]", "[0,0]", "[1e39]", "[null]", "\"AAAA\"", &long] {
            assert_eq!(vector(answer(bad).as_bytes()), None, "{bad:.20}");
        }
        for bad in ["", "{}", r#"{"data":[]}"#, r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#]
        {
            assert_eq!(vector(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn products_of_any_length() {
        let one: Vec<f32> = (0..19_u8).map(f32::from).collect();
        assert!((dot(&one, &one) - 2109.0).abs() < 1e-3);
        assert_eq!(dot(&[], &[1.0]), 0.0);
        assert_eq!(dot(&[1.0, 2.0], &[3.0]), 3.0);
    }
}

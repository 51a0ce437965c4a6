//! OpenAI's legacy completions (<https://platform.openai.com/docs/api-reference/completions>) for
//! their clients: a prompt is the one message of a user.

mod answer;
pub mod request;
pub mod response;
pub mod stream;

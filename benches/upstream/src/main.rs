//! A provider that answers at once. One thread, loopback only; prints its port.
//!
//! A path with `/status/503` gets that status; all others get an answer in the format that the
//! path speaks, as JSON, or as a stream of [`CHUNKS`] chunks where the request asks for one. On a
//! path with `/slow/` [`PAUSE`] lies between two chunks.

mod answer;

use answer::Answer;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;
use tokio::net::TcpListener;

/// Chunks of a stream.
const CHUNKS: usize = 200;
/// Between two chunks of a slow stream.
const PAUSE: Duration = Duration::from_millis(300);

type Body = UnsyncBoxBody<Bytes, Infallible>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            // Connections lie idle while others have their turn.
            http.header_read_timeout(None);
            // A client that leaves is no news here.
            let _ = http.serve_connection(TokioIo::new(socket), service_fn(serve)).await;
        });
    }
}

async fn serve(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let mut head = Vec::new();
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref()
            && head.len() < 4096
        {
            head.extend_from_slice(data);
        }
    }
    let answer = Answer::to(&path, &head);
    let response = Response::builder()
        .status(answer.status)
        .header("content-type", answer.content_type)
        .header("date", "Thu, 01 Jan 2026 00:00:00 GMT");
    let body = match answer.stream {
        false => Full::new(answer.whole).boxed_unsync(),
        true => stream(&answer, path.contains("/slow/")),
    };
    Ok(response.body(body).unwrap_or_default())
}

fn stream(answer: &Answer, slow: bool) -> Body {
    let (first, chunk, last) = (answer.first.clone(), answer.chunk.clone(), answer.last.clone());
    let stream = futures_util::stream::unfold(0, move |number| {
        let piece = match number {
            0 => Some(first.clone()),
            1..=CHUNKS => Some(chunk.clone()),
            _ if number == CHUNKS + 1 => Some(last.clone()),
            _ => None,
        };
        async move {
            match slow {
                true => tokio::time::sleep(PAUSE).await,
                // So that each chunk is written by itself.
                false => tokio::task::yield_now().await,
            }
            piece.map(|piece| (Ok::<_, Infallible>(Frame::data(piece)), number + 1))
        }
    });
    StreamBody::new(stream).boxed_unsync()
}

//! A client of `POST /v1/movies/import` that sends and reads at the same time, as fast as it is told to.

use std::{convert::Infallible, time::Duration};

use futures::{SinkExt, channel::mpsc};
use reqwest::{
    Body, Response,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::Value;

use crate::client::http;

/// A whole catalog takes a while; this bounds a hang.
const TIMEOUT: Duration = Duration::from_secs(600);
/// What has been sent, and is not on its way yet.
const CHUNKS_AHEAD: usize = 8;

/// The half of an import that sends. The body ends when it is dropped.
#[derive(Debug)]
pub struct Sending(mpsc::Sender<Result<Vec<u8>, Infallible>>);

impl Sending {
    /// Sends a piece of the body, which need not be whole lines. Waits while nobody takes it; false when nobody ever
    /// will, for the connection has ended.
    pub async fn send(&mut self, piece: impl Into<Vec<u8>>) -> bool {
        self.0.send(Ok(piece.into())).await.is_ok()
    }
}

/// The half that reads. Dropped before the end, it ends the connection.
#[derive(Debug)]
pub struct Results {
    response: Response,
    unread: Vec<u8>,
}

impl Results {
    /// The next line's result, as it comes; none at the end of the response.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let result = serde_json::from_slice(&line);
                return Some(result.unwrap_or_else(|error| panic!("{line:?}: {error}")));
            }
            let chunk = self.response.chunk().await.expect("the response is whole");
            let Some(chunk) = chunk else {
                assert!(self.unread.is_empty(), "the last result has no end: {self:?}");
                return None;
            };
            self.unread.extend_from_slice(&chunk);
        }
    }

    /// All that are left.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut rest = Vec::new();
        while let Some(result) = self.next().await {
            rest.push(result);
        }
        rest
    }
}

/// Begins an import at the command API of that base URL.
///
/// # Panics
/// When it is not answered with 200: then there is nothing to read.
pub async fn begin(base: &str, token: &str, key: Option<&str>) -> (Sending, Results) {
    let (sender, body) = mpsc::channel(CHUNKS_AHEAD);
    let mut request = http()
        .post(format!("{base}/v1/movies/import"))
        .timeout(TIMEOUT)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/x-ndjson");
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let response = request.body(Body::wrap_stream(body)).send().await;
    let response = response.unwrap_or_else(|error| panic!("no answer to an import: {error:?}"));
    assert_eq!(response.status().as_u16(), 200, "{response:?}");
    assert_eq!(response.headers()[CONTENT_TYPE], "application/x-ndjson");
    (Sending(sender), Results { response, unread: Vec::new() })
}

/// Sends all of `body`, reading at the same time, and gives the results.
pub async fn import(base: &str, token: &str, key: Option<&str>, body: Vec<u8>) -> Vec<Value> {
    let (mut sending, mut results) = begin(base, token, key).await;
    let sender = async move {
        let _ = sending.send(body).await;
    };
    tokio::join!(sender, results.rest()).1
}

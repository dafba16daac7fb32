//! `GET /v1/events`.

mod faults;
mod following;
mod reading;

use std::time::Duration;

use bytes::BytesMut;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    bed::Running,
    client::{Answer, bearer},
    life::EDITOR,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// All of a feed that ends.
async fn read(api: &Running, query: &str) -> Answer {
    let auth = bearer(EDITOR, "events:read");
    api.client.get_with(&format!("/v1/events{query}"), &[("Authorization", &auth)]).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.is_empty() || answer.body.ends_with('\n'), "the last line is whole");
    answer.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn positions(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["position"].as_u64().expect("a position")).collect()
}

/// A feed that is read bit by bit.
struct Feed {
    response: Response,
    unread: BytesMut,
}

/// How a feed ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// As HTTP says that a body ends.
    Whole,
    BrokenOff,
}

impl Feed {
    async fn open(api: &Running, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = api
            .client
            .request(Method::GET, &format!("/v1/events{query}"))
            .header("Authorization", bearer(EDITOR, "events:read"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("it answers");
        assert_eq!(response.status(), 200);
        Self { response, unread: BytesMut::new() }
    }

    /// Up to the next `\n`, without it.
    async fn line(&mut self) -> Result<String, End> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line = self.unread.split_to(end + 1);
                return Ok(std::str::from_utf8(&line[..end]).expect("text").to_owned());
            }
            match timeout(DEADLINE, self.response.chunk()).await.expect("something in time") {
                Ok(Some(chunk)) => self.unread.extend_from_slice(&chunk),
                Ok(None) => return Err(End::Whole),
                Err(_) => return Err(End::BrokenOff),
            }
        }
    }

    async fn json(&mut self) -> Value {
        let line = self.line().await.expect("another line");
        serde_json::from_str(&line).expect("JSON")
    }

    /// All lines that are left, and how it ended.
    async fn rest(&mut self) -> (Vec<Value>, End) {
        let mut lines = Vec::new();
        loop {
            match self.line().await {
                Ok(line) => lines.push(serde_json::from_str(&line).expect("JSON")),
                Err(end) => return (lines, end),
            }
        }
    }
}

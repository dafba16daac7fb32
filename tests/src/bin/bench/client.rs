//! An HTTP/1.1 client that costs next to nothing, so that a measurement is of the server.
//!
//! One kept-alive connection, one request at a time, answers with `Content-Length` only.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer larger than this is a mistake.
const MAX_ANSWER_BYTES: usize = 4 << 20;
const MAX_HEADERS: usize = 32;

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

struct Head {
    status: u16,
    body_start: usize,
    end: usize,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends the whole of `request` and waits for the whole answer.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head: Option<Head> = None;
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection was closed");
            if head.is_none() {
                head = parse_head(&self.buffer)?;
            }
            if let Some(Head { status, body_start, end }) = head
                && self.buffer.len() >= end
            {
                return Ok(Answer { status, body: &self.buffer[body_start..end] });
            }
            ensure!(self.buffer.len() < MAX_ANSWER_BYTES, "the answer is too long");
        }
    }
}

fn parse_head(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body_start) = response.parse(bytes)? else { return Ok(None) };
    let status = response.code.context("an answer has a status")?;
    let mut length = 0;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = std::str::from_utf8(header.value)?.parse::<usize>()?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("the answer has no Content-Length");
        }
    }
    Ok(Some(Head { status, body_start, end: body_start + length }))
}

/// A `GET` request's bytes.
pub fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    get_with(address, path, "")
}

/// A `GET` request's bytes, as a proxy passes on that of the client at `forwarded_for`.
pub fn get_for(address: SocketAddr, path: &str, forwarded_for: Ipv4Addr) -> Vec<u8> {
    get_with(address, path, &format!("X-Forwarded-For: {forwarded_for}\r\n"))
}

/// A `GET` request's bytes, with more header lines.
pub fn get_with(address: SocketAddr, path: &str, lines: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n{lines}\r\n")
        .into_bytes()
}

/// A `POST` request's bytes, as a proxy passes on that of the anonymous client at `forwarded_for`.
pub fn post_for(address: SocketAddr, path: &str, forwarded_for: Ipv4Addr, json: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n\
         X-Forwarded-For: {forwarded_for}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{json}",
        json.len()
    )
    .into_bytes()
}

/// A `POST` request's bytes.
pub fn post(address: SocketAddr, path: &str, token: &str, json: &str) -> Vec<u8> {
    with_body("POST", "application/json", address, path, token, json)
}

/// A `PATCH` request's bytes.
pub fn patch(address: SocketAddr, path: &str, token: &str, json: &str) -> Vec<u8> {
    with_body("PATCH", "application/merge-patch+json", address, path, token, json)
}

fn with_body(
    method: &str,
    content_type: &str,
    address: SocketAddr,
    path: &str,
    token: &str,
    json: &str,
) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n\
         Authorization: Bearer {token}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n{json}",
        json.len()
    )
    .into_bytes()
}

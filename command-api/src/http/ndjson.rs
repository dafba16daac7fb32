//! Reading newline-delimited JSON line by line, in bounded memory.

use std::pin::Pin;

use actix_web::{dev::Payload, error::PayloadError};
use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use marquee_infra::http::MAX_BODY_BYTES;

/// One line with its number, counted from 1; blank lines count, but are not returned.
#[derive(Debug)]
pub struct Line {
    pub number: u64,
    /// `None` when the line has more than `MAX_BODY_BYTES`: it was passed over.
    pub bytes: Option<Bytes>,
}

/// The lines of a request's body.
pub struct Lines {
    payload: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>,
    buffer: BytesMut,
    number: u64,
    /// The current line is too long: what comes of it is dropped.
    skipping: bool,
    ended: bool,
}

impl Lines {
    pub fn new(payload: Payload) -> Self {
        Self {
            payload: Box::pin(payload),
            buffer: BytesMut::new(),
            number: 0,
            skipping: false,
            ended: false,
        }
    }

    /// `None` at the end of the body. A body that breaks off ends with its last whole line: the rest
    /// of a line is not a line.
    pub async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let bytes = self.buffer.split_to(end).freeze();
                self.buffer.advance(1);
                if let Some(line) = self.line(bytes) {
                    return Some(line);
                }
            } else if self.ended {
                let bytes = self.buffer.split().freeze();
                if bytes.is_empty() && !self.skipping {
                    return None;
                }
                return self.line(bytes);
            } else {
                if self.buffer.len() > MAX_BODY_BYTES {
                    self.skipping = true;
                    self.buffer.clear();
                }
                match self.payload.next().await {
                    Some(Ok(chunk)) => self.buffer.extend_from_slice(&chunk),
                    Some(Err(_)) => {
                        self.buffer.clear();
                        self.skipping = false;
                        self.ended = true;
                    }
                    None => self.ended = true,
                }
            }
        }
    }

    fn line(&mut self, bytes: Bytes) -> Option<Line> {
        self.number += 1;
        let number = self.number;
        let too_long = std::mem::take(&mut self.skipping) || bytes.len() > MAX_BODY_BYTES;
        if too_long {
            return Some(Line { number, bytes: None });
        }
        let blank = bytes.iter().all(u8::is_ascii_whitespace);
        (!blank).then_some(Line { number, bytes: Some(bytes) })
    }
}

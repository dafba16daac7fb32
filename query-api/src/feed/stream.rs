//! One feed: pages in, chunks of bytes out, one each time the connection has room for it.
//!
//! It runs as a task, so that it can give up on a reader that takes nothing: the connection, which waits for
//! that reader, would never ask.

use std::{sync::Arc, vec};

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use marquee_infra::{
    event_log::{EventLogError, EventPage, RecordedEvent},
    http::Problem,
};
use thiserror::Error;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::yield_now,
    time::{Duration, Instant, sleep_until, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{FeedRequest, Feeds, head::Follower, in_time, problem};

/// About how large a chunk is.
const CHUNK_BYTES: usize = 64 * 1024;

/// Ends the connection without the end of the body, so that no client takes it for whole.
#[derive(Debug, Error)]
#[error("the event feed was broken off")]
pub struct BrokenOff;

#[derive(Debug)]
pub struct Feed {
    feeds: Arc<Feeds>,
    request: FeedRequest,
    /// The log's head when the request came.
    head: u64,
    /// What is read before anything is waited for.
    target: u64,
    /// All that is wanted up to here has been handed out, and nothing beyond.
    position: u64,
    page: vec::IntoIter<RecordedEvent>,
    /// `position` when the page is done.
    page_end: u64,
    ahead: Option<AbortOnDropHandle<Result<EventPage, EventLogError>>>,
    /// Of the limit, without what is in the page.
    remaining: Option<u64>,
    follower: Option<Follower>,
    buffer: BytesMut,
    opened_at: Instant,
    sent_at: Instant,
    sent_events: u64,
    /// There is nothing after what was handed out last.
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

/// A feed that is dropped before its `End` has been broken off.
enum Chunk {
    Bytes(Bytes),
    End,
}

/// What there is to do when the page is done.
enum Step {
    /// There is another page.
    Page,
    /// Nothing to send for so long that the reader may wonder.
    Heartbeat,
    End,
    Stop,
}

impl Feed {
    pub(super) fn new(
        feeds: Arc<Feeds>,
        request: FeedRequest,
        head: u64,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        metrics::gauge!("marquee_feeds_open", "format" => request.format.name()).increment(1.0);
        let now = Instant::now();
        Self {
            feeds,
            head,
            target: head,
            position: request.after,
            page: Vec::new().into_iter(),
            page_end: request.after,
            ahead: None,
            remaining: request.limit,
            follower: None,
            buffer: BytesMut::new(),
            opened_at: now,
            sent_at: now,
            sent_events: 0,
            ended: false,
            _permit: permit,
            request,
        }
    }

    /// The log's head when the request came: a feed that ends by itself has looked at all up to here.
    pub const fn head(&self) -> u64 {
        self.head
    }

    pub(super) async fn begin(&mut self) -> Result<(), Problem> {
        if self.position < self.target { self.turn_page().await } else { Ok(()) }
    }

    /// What is sent. Nothing is read beyond the page ahead until more is asked for.
    pub fn into_chunks(self) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
        let (chunks, received) = mpsc::channel(1);
        let runtime = self.feeds.runtime.clone();
        runtime.spawn(self.run(chunks));
        stream::unfold(Some(received), async |received| {
            let mut received = received?;
            match received.recv().await {
                Some(Chunk::Bytes(bytes)) => Some((Ok(bytes), Some(received))),
                Some(Chunk::End) => None,
                None => {
                    // What was handed out last is written when the connection is polled again.
                    yield_now().await;
                    Some((Err(BrokenOff), None))
                }
            }
        })
    }

    async fn run(mut self, chunks: mpsc::Sender<Chunk>) {
        loop {
            let next = tokio::select! {
                next = self.next_chunk() => next,
                () = chunks.closed() => return,
            };
            let (chunk, last) = match next {
                Ok(Some(bytes)) => (Chunk::Bytes(bytes), false),
                Ok(None) => (Chunk::End, true),
                Err(problem) => (Chunk::Bytes(self.break_off(&problem)), true),
            };
            if !self.hand_out(chunk, &chunks).await || last {
                return;
            }
        }
    }

    /// Whether the reader took it.
    async fn hand_out(&mut self, chunk: Chunk, chunks: &mpsc::Sender<Chunk>) -> bool {
        let patience = Duration::from_millis(self.feeds.settings.reader_timeout_ms);
        let taken = timeout(patience, chunks.send(chunk)).await;
        self.sent_at = Instant::now();
        if taken.is_err() {
            metrics::counter!("marquee_feeds_too_slow_total").increment(1);
            let request_id = &*self.request.request_id;
            tracing::warn!(request_id, "an event feed was broken off: its reader takes nothing");
        }
        matches!(taken, Ok(Ok(())))
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.ended {
            return Ok(None);
        }
        loop {
            if self.page.len() > 0 {
                return self.render().map(Some);
            }
            self.position = self.page_end;
            let format = self.request.format;
            match self.step().await? {
                Step::Page => continue,
                Step::Heartbeat => format.heartbeat(self.position, &mut self.buffer),
                Step::Stop => {
                    self.ended = true;
                    format.heartbeat(self.position, &mut self.buffer);
                }
                Step::End => return Ok(None),
            }
            return Ok(Some(self.buffer.split().freeze()));
        }
    }

    /// As many of the page's events as fit.
    fn render(&mut self) -> Result<Bytes, Problem> {
        self.buffer.reserve(CHUNK_BYTES);
        let (mut count, mut last) = (0, self.position);
        while self.buffer.len() < CHUNK_BYTES
            && let Some(event) = self.page.next()
        {
            self.request.format.event(&event, &mut self.buffer).map_err(Problem::internal)?;
            last = event.position;
            count += 1;
        }
        self.position = last;
        self.sent_events += count;
        metrics::counter!("marquee_feed_events_total").increment(count);
        Ok(self.buffer.split().freeze())
    }

    async fn step(&mut self) -> Result<Step, Problem> {
        if self.remaining == Some(0) {
            return Ok(Step::End);
        }
        if self.request.follow && self.feeds.stop.is_cancelled() {
            return Ok(Step::Stop);
        }
        if self.position < self.target {
            // A filter that nothing passes for long.
            if self.request.follow && self.heartbeat_at() <= Instant::now() {
                return Ok(Step::Heartbeat);
            }
            self.turn_page().await?;
            return Ok(Step::Page);
        }
        if !self.request.follow {
            return Ok(Step::End);
        }
        self.wait().await
    }

    /// At the log's head.
    async fn wait(&mut self) -> Result<Step, Problem> {
        let heartbeat_at = self.heartbeat_at();
        let follower = self.follower.get_or_insert_with(|| self.feeds.head.follow());
        tokio::select! {
            head = follower.beyond(self.position) => {
                self.target = head.map_err(|error| problem(&error))?;
                Ok(Step::Page)
            }
            () = sleep_until(heartbeat_at) => Ok(Step::Heartbeat),
            () = self.feeds.stop.cancelled() => Ok(Step::Stop),
        }
    }

    fn heartbeat_at(&self) -> Instant {
        self.sent_at + Duration::from_millis(self.feeds.settings.heartbeat_ms)
    }

    /// The next page, and the one after it begun.
    async fn turn_page(&mut self) -> Result<(), Problem> {
        let reading = self.ahead.take().unwrap_or_else(|| self.read(self.position));
        let page = reading.await.map_err(Problem::internal)?.map_err(|error| problem(&error))?;
        metrics::counter!("marquee_feed_pages_total").increment(1);
        if page.scanned_to <= self.position {
            // The head was beyond it.
            let error = EventLogError::Corrupt { expected: self.position + 1, found: 0 };
            return Err(problem(&error));
        }
        let count = page.events.len() as u64;
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(count));
        self.page = page.events.into_iter();
        self.page_end = page.scanned_to;
        if self.page_end < self.target && self.remaining != Some(0) {
            self.ahead = Some(self.read(self.page_end));
        }
        Ok(())
    }

    /// Begins to read a page, whether or not this feed is waited for.
    fn read(&self, after: u64) -> AbortOnDropHandle<Result<EventPage, EventLogError>> {
        let limit = u64::from(self.feeds.settings.page_events);
        let limit = self.remaining.map_or(limit, |remaining| remaining.min(limit));
        let limit = u32::try_from(limit).unwrap_or(self.feeds.settings.page_events);
        let (reader, filter) = (self.feeds.reader.clone(), self.request.filter.clone());
        let target = self.target;
        let reading =
            async move { in_time(reader.read_filtered(after, Some(target), &filter, limit)).await };
        AbortOnDropHandle::new(self.feeds.runtime.spawn(reading))
    }

    /// The last chunk of a feed that cannot go on.
    fn break_off(&mut self, problem: &Problem) -> Bytes {
        let code = problem.code().as_str();
        metrics::counter!("marquee_feeds_broken_off_total", "code" => code).increment(1);
        let (request_id, cause) = (&*self.request.request_id, problem.cause());
        let position = self.position;
        tracing::error!(request_id, code, cause, position, "an event feed was broken off");
        self.buffer.clear();
        self.request.format.problem(&problem.to_json(request_id), position, &mut self.buffer);
        self.buffer.split().freeze()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let format = self.request.format.name();
        metrics::gauge!("marquee_feeds_open", "format" => format).decrement(1.0);
        tracing::info!(
            request_id = self.request.request_id,
            events = self.sent_events,
            position = self.position,
            duration_ms = self.opened_at.elapsed().as_secs_f64() * 1e3,
            "event feed closed"
        );
    }
}

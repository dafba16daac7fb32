//! Reading ahead, a page at a time, what is then taken movie by movie.

use std::collections::VecDeque;

use marquee_domain::MovieId;
use marquee_infra::event_log::{LogInspector, RecordedEvent};

use super::rows::{HistoryEntry, Page};

const PAGE_EVENTS: u32 = 1_000;

/// Events, movie by movie, read ahead a page.
pub struct Events {
    log: LogInspector,
    page: VecDeque<RecordedEvent>,
    after: (String, u64),
    up_to: String,
    at_end: bool,
}

impl Events {
    pub fn behind(log: LogInspector, after: &str, up_to: &str) -> Self {
        // Behind all of that movie's events.
        let after = (after.to_owned(), i64::MAX.unsigned_abs());
        Self { log, page: VecDeque::new(), after, up_to: up_to.to_owned(), at_end: false }
    }

    pub async fn peek(&mut self) -> anyhow::Result<Option<&RecordedEvent>> {
        if self.page.is_empty() && !self.at_end {
            let (movie, sequence) = &self.after;
            let page = self.log.by_movie(movie, *sequence, &self.up_to, PAGE_EVENTS).await?;
            self.at_end = page.len() < PAGE_EVENTS as usize;
            if let Some(last) = page.last() {
                self.after = (last.movie_id.to_string(), last.sequence);
            }
            self.page = page.into();
        }
        Ok(self.page.front())
    }

    pub async fn next_of(&mut self, movie_id: MovieId) -> anyhow::Result<Option<RecordedEvent>> {
        let is_next = self.peek().await?.is_some_and(|event| event.movie_id == movie_id);
        Ok(if is_next { self.page.pop_front() } else { None })
    }
}

/// Entries of histories, movie by movie, read ahead a page.
pub struct History {
    page: VecDeque<HistoryEntry>,
    after: (String, u64),
    at_end: bool,
}

impl History {
    pub fn behind(after: &str) -> Self {
        Self { page: VecDeque::new(), after: (after.to_owned(), u64::MAX), at_end: false }
    }

    pub async fn peek(&mut self, page: &mut Page<'_>) -> anyhow::Result<Option<&HistoryEntry>> {
        if self.page.is_empty() && !self.at_end {
            self.page = page.history(&self.after.0, self.after.1).await?;
            match self.page.back() {
                Some(last) => self.after = (last.movie_id.to_string(), last.version),
                None => self.at_end = true,
            }
        }
        Ok(self.page.front())
    }

    pub async fn next_of(
        &mut self,
        page: &mut Page<'_>,
        movie_id: MovieId,
    ) -> anyhow::Result<Option<HistoryEntry>> {
        self.next_up_to(page, movie_id, u64::MAX).await
    }

    pub async fn next_up_to(
        &mut self,
        page: &mut Page<'_>,
        movie_id: MovieId,
        version: u64,
    ) -> anyhow::Result<Option<HistoryEntry>> {
        let is_next = self
            .peek(page)
            .await?
            .is_some_and(|entry| entry.movie_id == movie_id && entry.version <= version);
        Ok(if is_next { self.page.pop_front() } else { None })
    }
}

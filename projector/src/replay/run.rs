//! One replay, from its arguments to its end.

use std::time::Duration;

use marquee_infra::{clock, event_log::EventReader, mysql};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    args::ReplayArgs,
    cursor::Cursor,
    error::ReplayError,
    range::Range,
    request::Request,
    sink::{Opened, Sink, Summary},
    source::{self, Page},
    throttle::Throttle,
};
use crate::{progress_bar::Progress, settings::Settings};

pub async fn run(args: &ReplayArgs, settings: &Settings) -> Result<Summary, ReplayError> {
    let destination = args.destination()?;
    let request = args.request();
    let stop = on_signal()?;
    let patience = Duration::from_secs(args.patience.into());
    let pool = mysql::connect_lazy(&settings.mysql.url, source::CONCURRENT)
        .map_err(|error| ReplayError::Refused(format!("DATABASE_URL: {error}")))?;
    let log = EventReader::new(pool);
    let begin = async || {
        let range = source::patiently(
            patience,
            |line| eprintln!("{line}"),
            || Range::settle(&request, &log),
        );
        let range = tokio::select! {
            range = range => range?,
            () = stop.cancelled() => return Err(ReplayError::Stopped(0)),
        };
        Ok(Cursor::begin(range, clock::now()))
    };
    match Sink::open(destination, &request, args.existing(), settings, begin).await? {
        Opened::Done(summary) => Ok(summary),
        Opened::Ready(sink, cursor) => {
            let throttle = Throttle::new(args.throttle);
            Replay { sink, cursor: *cursor, throttle, patience, stop }.run(log, &request).await
        }
    }
}

struct Replay {
    sink: Sink,
    cursor: Cursor,
    throttle: Throttle,
    patience: Duration,
    stop: CancellationToken,
}

impl Replay {
    async fn run(mut self, log: EventReader, request: &Request) -> Result<Summary, ReplayError> {
        let Cursor { range, position, .. } = &self.cursor;
        let mut progress =
            Progress::new("positions", range.positions(), position + 1 - range.first);
        let result = self.write_pages(log, request, &mut progress).await;
        progress.clear();
        match result {
            Ok(()) => self.sink.finish(self.cursor).await,
            Err(error) => {
                // Why it failed is what is to be told, whatever else fails now. After an error of
                // Kafka's nobody knows what became of the batch: the next replay finds out.
                if !matches!(error, ReplayError::Kafka(_) | ReplayError::Fenced(_))
                    && let Err(pause) = self.sink.pause().await
                {
                    tracing::debug!(%pause, "the last pages will be written again");
                }
                Err(error)
            }
        }
    }

    async fn write_pages(
        &mut self,
        log: EventReader,
        request: &Request,
        progress: &mut Progress,
    ) -> Result<(), ReplayError> {
        let mut pages = source::pages(log, request, &self.cursor, self.patience, progress.clone());
        while !self.cursor.is_done() {
            let page = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(self.stopped()),
                page = pages.recv() => page,
            };
            // The reader ends early after an error only, which it has sent.
            let page = page.unwrap_or_else(|| Err(self.stopped()))?;
            self.write_page(&page).await?;
            progress.reached(self.cursor.position + 1 - self.cursor.range.first);
        }
        Ok(())
    }

    async fn write_page(&mut self, page: &Page) -> Result<(), ReplayError> {
        let mut tally = self.cursor.tally.clone();
        for slice in page.events.chunks(self.throttle.slice()) {
            self.wait_for_turn(slice.len()).await?;
            self.sink.write(slice).await?;
            for event in slice {
                tally.add(event);
            }
        }
        self.cursor.position = page.last;
        self.cursor.tally = tally;
        self.sink.end_page(&self.cursor).await
    }

    async fn wait_for_turn(&self, events: usize) -> Result<(), ReplayError> {
        while let Err(wait) = self.throttle.take(events) {
            self.unless_stopped(wait).await?;
        }
        if self.stop.is_cancelled() { Err(self.stopped()) } else { Ok(()) }
    }

    async fn unless_stopped(&self, wait: Duration) -> Result<(), ReplayError> {
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.stop.cancelled() => Err(self.stopped()),
        }
    }

    const fn stopped(&self) -> ReplayError {
        ReplayError::Stopped(self.cursor.position)
    }
}

/// Cancelled by SIGTERM and SIGINT.
fn on_signal() -> Result<CancellationToken, ReplayError> {
    let refused = |error: std::io::Error| ReplayError::Refused(format!("signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
    });
    Ok(stop)
}

//! Where the events go. Each kind answers the same questions: what is there already, how a page is
//! written, and how it ends.

use std::fmt;

use marquee_infra::event_log::RecordedEvent;

use super::{
    args::{Destination, Existing},
    cursor::{Cursor, Tally},
    error::ReplayError,
    kafka::{self, KafkaTopic},
    manifest::Manifest,
    ndjson::NdjsonFile,
    part_file::PartFile,
    request::Request,
    stdout::Stdout,
    target::{Found, Target},
};
#[cfg(feature = "parquet")]
use super::{parquet::ParquetFile, target::Format};
use crate::settings::Settings;

pub enum Sink {
    Stdout(Stdout),
    Ndjson(Box<NdjsonFile>),
    Kafka(Box<KafkaTopic>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetFile>),
}

/// A sink that is ready, or that has all it was asked for.
pub enum Opened {
    Ready(Sink, Box<Cursor>),
    Done(Summary),
}

/// What became of it.
#[derive(Debug)]
pub enum Summary {
    Written(Box<Manifest>),
    WasThere(Box<Manifest>),
    Sent(Tally),
    WasSent(Tally),
    Verified(Box<Manifest>),
}

impl Sink {
    /// `begin` settles what is read, when it is not settled by what is there.
    pub async fn open(
        destination: Destination,
        request: &Request,
        existing: Existing,
        settings: &Settings,
        begin: impl AsyncFnOnce() -> Result<Cursor, ReplayError>,
    ) -> Result<Opened, ReplayError> {
        match destination {
            Destination::Stdout => {
                let cursor = begin().await?;
                Ok(Opened::Ready(Self::Stdout(Stdout::default()), Box::new(cursor)))
            }
            Destination::Ndjson(path) => {
                let target = Target::ndjson(path)?;
                let format = target.format;
                let (part, cursor) = match target.find(request, existing)? {
                    Found::Whole(manifest) => return Ok(was_there(manifest)),
                    Found::Part(state) => {
                        let cursor = state.cursor.clone();
                        (PartFile::reopen(target, *state)?, cursor)
                    }
                    Found::Nothing => {
                        let cursor = begin().await?;
                        (PartFile::create(target, request.clone(), cursor.clone())?, cursor)
                    }
                };
                let file = NdjsonFile::new(part, format);
                Ok(Opened::Ready(Self::Ndjson(Box::new(file)), Box::new(cursor)))
            }
            Destination::Kafka { topic, partitions } => {
                let topic =
                    match kafka::open(settings, &topic, partitions, request, existing).await? {
                        kafka::Opened::Whole(tally) => {
                            return Ok(Opened::Done(Summary::WasSent(tally)));
                        }
                        kafka::Opened::Part(topic) => topic,
                        kafka::Opened::Empty(topic) => Box::new(topic.begin(begin().await?).await?),
                    };
                let cursor = topic.cursor();
                Ok(Opened::Ready(Self::Kafka(topic), Box::new(cursor)))
            }
            #[cfg(feature = "parquet")]
            Destination::Parquet(path) => {
                let target = Target { path, format: Format::Parquet };
                let cursor = match target.find(request, existing)? {
                    Found::Whole(manifest) => return Ok(was_there(manifest)),
                    Found::Part(state) => {
                        Cursor::begin(state.cursor.range, state.cursor.started_at)
                    }
                    Found::Nothing => begin().await?,
                };
                let part = PartFile::create(target, request.clone(), cursor.clone())?;
                let file = ParquetFile::new(part)?;
                Ok(Opened::Ready(Self::Parquet(Box::new(file)), Box::new(cursor)))
            }
            #[cfg(not(feature = "parquet"))]
            Destination::Parquet(_) => Err(ReplayError::Refused(
                "this build writes no Parquet; one that does: \
                 cargo build --release --package projector --features parquet"
                    .to_owned(),
            )),
        }
    }

    pub async fn write(&mut self, events: &[RecordedEvent]) -> Result<(), ReplayError> {
        match self {
            Self::Stdout(stdout) => stdout.write(events),
            Self::Ndjson(file) => file.write(events),
            Self::Kafka(topic) => topic.write(events).await,
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.write(events),
        }
    }

    /// All of the page is written; `cursor` is after it.
    pub async fn end_page(&mut self, cursor: &Cursor) -> Result<(), ReplayError> {
        match self {
            Self::Stdout(_) => Ok(()),
            Self::Ndjson(file) => file.end_page(cursor),
            Self::Kafka(topic) => topic.end_page(cursor).await,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => Ok(()),
        }
    }

    /// Leaves it so that it can be resumed with as little work as possible.
    pub async fn pause(&mut self) -> Result<(), ReplayError> {
        match self {
            Self::Stdout(_) => Ok(()),
            Self::Ndjson(file) => file.pause(),
            Self::Kafka(topic) => topic.publish().await,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => Ok(()),
        }
    }

    pub async fn finish(self, cursor: Cursor) -> Result<Summary, ReplayError> {
        match self {
            Self::Stdout(_) => Ok(Summary::Sent(cursor.tally)),
            Self::Ndjson(file) => Ok(Summary::Written(Box::new(file.finish(&cursor)?))),
            Self::Kafka(mut topic) => {
                topic.publish().await?;
                Ok(Summary::Sent(cursor.tally))
            }
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => Ok(Summary::Written(Box::new(file.finish(&cursor)?))),
        }
    }
}

fn was_there(manifest: Box<Manifest>) -> Opened {
    Opened::Done(Summary::WasThere(manifest))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(manifest) => manifest.fmt(f),
            Self::WasThere(manifest) => write!(f, "nothing to do: {manifest}"),
            Self::Sent(tally) => tally.fmt(f),
            Self::WasSent(tally) => write!(f, "nothing to do: {tally}"),
            Self::Verified(manifest) => write!(f, "as it was written: {manifest}"),
        }
    }
}

//! Where the events go. Each kind answers the same questions: what is there already, how a page is
//! written, and how it ends.

use std::fmt;

use marquee_infra::event_log::RecordedEvent;

use super::{
    args::{Destination, Existing},
    cursor::{Cursor, Tally},
    error::ReplayError,
    manifest::Manifest,
    ndjson::NdjsonFile,
    part_file::PartFile,
    request::Request,
    stdout::Stdout,
    target::{Found, Target},
};

#[derive(Debug)]
pub enum Sink {
    Stdout(Stdout),
    Ndjson(Box<NdjsonFile>),
}

/// A sink that is ready, or that has all it was asked for.
#[derive(Debug)]
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
    Verified(Box<Manifest>),
}

impl Sink {
    /// `begin` settles what is read, when it is not settled by what is there.
    pub async fn open(
        destination: Destination,
        request: &Request,
        existing: Existing,
        begin: impl AsyncFnOnce() -> Result<Cursor, ReplayError>,
    ) -> Result<Opened, ReplayError> {
        match destination {
            Destination::Stdout => {
                Ok(Opened::Ready(Self::Stdout(Stdout::default()), Box::new(begin().await?)))
            }
            Destination::Ndjson(path) => {
                let target = Target::ndjson(path)?;
                let format = target.format;
                let (part, cursor) = match target.find(request, existing)? {
                    Found::Whole(manifest) => {
                        return Ok(Opened::Done(Summary::WasThere(manifest)));
                    }
                    Found::Part(state) => {
                        let cursor = state.cursor.clone();
                        (PartFile::reopen(target, *state)?, cursor)
                    }
                    Found::Nothing => {
                        let cursor = begin().await?;
                        (PartFile::create(target, request.clone(), cursor.clone())?, cursor)
                    }
                };
                Ok(Opened::Ready(
                    Self::Ndjson(Box::new(NdjsonFile::new(part, format))),
                    Box::new(cursor),
                ))
            }
            Destination::Parquet(_) | Destination::Kafka { .. } => {
                Err(ReplayError::Refused("not yet".to_owned()))
            }
        }
    }

    pub async fn write(&mut self, events: &[RecordedEvent]) -> Result<(), ReplayError> {
        match self {
            Self::Stdout(stdout) => stdout.write(events),
            Self::Ndjson(file) => file.write(events),
        }
    }

    /// All of the page is written; `cursor` is after it.
    pub async fn end_page(&mut self, cursor: &Cursor) -> Result<(), ReplayError> {
        match self {
            Self::Stdout(_) => Ok(()),
            Self::Ndjson(file) => file.end_page(cursor),
        }
    }

    /// Leaves it so that it can be resumed with as little work as possible.
    pub async fn pause(&mut self) -> Result<(), ReplayError> {
        match self {
            Self::Stdout(_) => Ok(()),
            Self::Ndjson(file) => file.pause(),
        }
    }

    pub async fn finish(self, cursor: Cursor) -> Result<Summary, ReplayError> {
        match self {
            Self::Stdout(_) => Ok(Summary::Sent(cursor.tally)),
            Self::Ndjson(file) => Ok(Summary::Written(Box::new(file.finish(&cursor)?))),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(manifest) => manifest.fmt(f),
            Self::WasThere(manifest) => write!(f, "nothing to do: {manifest}"),
            Self::Sent(tally) => tally.fmt(f),
            Self::Verified(manifest) => write!(f, "as it was written: {manifest}"),
        }
    }
}

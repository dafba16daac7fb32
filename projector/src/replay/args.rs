//! The command line's arguments, and what they add up to.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use marquee_domain::{MovieId, movie::EventName};

use super::{
    error::ReplayError,
    request::{Bound, Request, Schema},
};

/// Replay the event log into a file or a topic: exactly the events asked for, in order
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// From this position on, or what was recorded at this time (RFC 3339) or later
    #[arg(long, value_name = "POSITION|TIME")]
    from: Option<Bound>,
    /// Up to and with this position, or what was recorded before this time; the log's end by default
    #[arg(long, value_name = "POSITION|TIME")]
    to: Option<Bound>,
    /// Only these events, such as MovieCreated,MovieShown
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = event_name)]
    types: Vec<EventName>,
    /// Only these movies' events
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    movies: Vec<MovieId>,
    /// The version of the events' shape: as stored, the latest, or at most this one
    #[arg(long, value_name = "stored|latest|N", default_value_t = Schema::Stored)]
    schema: Schema,
    /// Where to: ndjson:PATH (compressed if it ends with .gz), ndjson:- for stdout, kafka:TOPIC,
    /// parquet:PATH; ndjson and parquet alone take --out
    #[arg(long, value_name = "KIND[:TARGET]", default_value = "ndjson")]
    sink: SinkArg,
    /// The file to write, where --sink names none; stdout by default
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Partitions of a topic that has to be made; as the live topics' by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: Option<i32>,
    /// At most so many events a second
    #[arg(long, value_name = "EVENTS")]
    pub(super) throttle: Option<NonZeroU32>,
    /// How long MySQL may be away before the replay gives up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) patience: u32,
    /// Go on where the same replay was interrupted; begins if there was none
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace the file, once the new one is whole, and what an interrupted replay left beside it
    #[arg(long)]
    overwrite: bool,
    /// Check a file against its manifest (PATH.manifest.json), and do nothing else
    #[arg(long, value_name = "MANIFEST", exclusive = true)]
    pub(super) verify: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SinkArg {
    Ndjson(Option<PathBuf>),
    Parquet(Option<PathBuf>),
    Kafka(String),
}

impl FromStr for SinkArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, target) = match text.split_once(':') {
            Some((kind, target)) => (kind, Some(target)),
            None => (text, None),
        };
        match (kind, target) {
            ("ndjson" | "parquet" | "kafka", Some("")) => {
                Err("nothing follows the colon".to_owned())
            }
            ("ndjson", target) => Ok(Self::Ndjson(target.map(PathBuf::from))),
            ("parquet", target) => Ok(Self::Parquet(target.map(PathBuf::from))),
            ("kafka", Some(topic)) => Ok(Self::Kafka(topic.to_owned())),
            ("kafka", None) => Err("a topic is missing: kafka:TOPIC".to_owned()),
            _ => Err("expected ndjson[:PATH|-], kafka:TOPIC or parquet:PATH".to_owned()),
        }
    }
}

fn event_name(text: &str) -> Result<EventName, String> {
    EventName::parse(text).ok_or_else(|| {
        let known: Vec<&str> = EventName::ALL.into_iter().map(EventName::as_str).collect();
        format!("no event has this name; there are {}", known.join(", "))
    })
}

/// Where the events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    Stdout,
    Ndjson(PathBuf),
    Parquet(PathBuf),
    Kafka { topic: String, partitions: Option<i32> },
}

/// What to do with what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Keep,
    Resume,
    Overwrite,
}

impl ReplayArgs {
    pub fn request(&self) -> Request {
        let mut types: Vec<String> =
            self.types.iter().map(|name| name.as_str().to_owned()).collect();
        types.sort_unstable();
        types.dedup();
        let mut movies = self.movies.clone();
        movies.sort_unstable_by_key(|movie| movie.uuid());
        movies.dedup();
        Request { from: self.from, to: self.to, types, movies, schema: self.schema }
    }

    pub fn destination(&self) -> Result<Destination, ReplayError> {
        let refuse = |text: &str| Err(ReplayError::Refused(text.to_owned()));
        let destination = match (&self.sink, &self.out) {
            (SinkArg::Kafka(_) | SinkArg::Ndjson(Some(_)) | SinkArg::Parquet(Some(_)), Some(_)) => {
                return refuse("--out is for a --sink that does not say where to");
            }
            (SinkArg::Kafka(topic), None) => {
                Destination::Kafka { topic: topic.clone(), partitions: self.partitions }
            }
            (SinkArg::Ndjson(Some(path)), None) | (SinkArg::Ndjson(None), Some(path)) => {
                if path == Path::new("-") {
                    Destination::Stdout
                } else {
                    Destination::Ndjson(path.clone())
                }
            }
            (SinkArg::Ndjson(None), None) => Destination::Stdout,
            (SinkArg::Parquet(Some(path)), None) | (SinkArg::Parquet(None), Some(path)) => {
                Destination::Parquet(path.clone())
            }
            (SinkArg::Parquet(None), None) => return refuse("parquet needs a file: --out PATH"),
        };
        if self.partitions.is_some() && !matches!(destination, Destination::Kafka { .. }) {
            return refuse("--partitions is for --sink kafka:TOPIC");
        }
        if destination == Destination::Stdout && self.existing() != Existing::Keep {
            return refuse("what went to stdout can't be resumed or overwritten; name a file");
        }
        if matches!(destination, Destination::Kafka { .. }) && self.overwrite {
            return refuse("a topic is never emptied; delete it, or name another");
        }
        Ok(destination)
    }

    pub const fn existing(&self) -> Existing {
        match (self.resume, self.overwrite) {
            (true, _) => Existing::Resume,
            (false, true) => Existing::Overwrite,
            (false, false) => Existing::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: ReplayArgs,
    }

    fn destination(line: &str) -> Result<Destination, String> {
        let words = std::iter::once("replay").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        cli.args.destination().map_err(|error| error.to_string())
    }

    #[test]
    fn a_sink_is_named_in_one_of_two_ways() {
        let file = Destination::Ndjson(PathBuf::from("a.ndjson"));
        assert_eq!(destination("--sink ndjson:a.ndjson"), Ok(file.clone()));
        assert_eq!(destination("--sink ndjson --out a.ndjson"), Ok(file.clone()));
        assert_eq!(destination("--out a.ndjson"), Ok(file));
        for stdout in ["", "--sink ndjson", "--sink ndjson:-", "--out -"] {
            assert_eq!(destination(stdout), Ok(Destination::Stdout), "{stdout:?}");
        }
        let parquet = Destination::Parquet(PathBuf::from("C:a"));
        assert_eq!(destination("--sink parquet:C:a"), Ok(parquet));
        let partitions = Some(2);
        let kafka = Destination::Kafka { topic: "t".to_owned(), partitions };
        assert_eq!(destination("--sink kafka:t --partitions 2"), Ok(kafka));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        for line in [
            "--sink csv:a",
            "--sink ndjson:",
            "--sink kafka",
            "--sink parquet",
            "--sink ndjson:a --out b",
            "--sink kafka:t --out b",
            "--sink ndjson:a --partitions 2",
            "--sink kafka:t --partitions 0",
            "--sink kafka:t --overwrite",
            "--resume",
            "--overwrite",
            "--out a --resume --overwrite",
            "--verify m --from 1",
            "--throttle 0",
            "--types MovieCreate",
            "--movies 7",
        ] {
            assert!(destination(line).is_err(), "{line:?}");
        }
    }
}

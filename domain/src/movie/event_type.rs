//! The names of the events and the versions of their shapes: `marquee.movie.MovieShown.v1`.

use std::{fmt, str::FromStr};

use thiserror::Error;

const PREFIX: &str = "marquee.movie.";

/// Which event, whatever the version of its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventName {
    MovieCreated,
    MovieRetitled,
    MovieDetailsRevised,
    AvailabilityRescheduled,
    MovieShown,
    MovieHidden,
    MovieRemoved,
    StreamSourceAttached,
    StreamSourceValidated,
    PrimaryStreamSourceChanged,
    StreamSourceDetached,
    CaptionTrackAdded,
    CaptionTrackReplaced,
    CaptionTrackValidated,
    DefaultCaptionChanged,
    CaptionTrackRemoved,
}

impl EventName {
    pub const ALL: [Self; 16] = [
        Self::MovieCreated,
        Self::MovieRetitled,
        Self::MovieDetailsRevised,
        Self::AvailabilityRescheduled,
        Self::MovieShown,
        Self::MovieHidden,
        Self::MovieRemoved,
        Self::StreamSourceAttached,
        Self::StreamSourceValidated,
        Self::PrimaryStreamSourceChanged,
        Self::StreamSourceDetached,
        Self::CaptionTrackAdded,
        Self::CaptionTrackReplaced,
        Self::CaptionTrackValidated,
        Self::DefaultCaptionChanged,
        Self::CaptionTrackRemoved,
    ];

    /// As in a payload's `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MovieCreated => "MovieCreated",
            Self::MovieRetitled => "MovieRetitled",
            Self::MovieDetailsRevised => "MovieDetailsRevised",
            Self::AvailabilityRescheduled => "AvailabilityRescheduled",
            Self::MovieShown => "MovieShown",
            Self::MovieHidden => "MovieHidden",
            Self::MovieRemoved => "MovieRemoved",
            Self::StreamSourceAttached => "StreamSourceAttached",
            Self::StreamSourceValidated => "StreamSourceValidated",
            Self::PrimaryStreamSourceChanged => "PrimaryStreamSourceChanged",
            Self::StreamSourceDetached => "StreamSourceDetached",
            Self::CaptionTrackAdded => "CaptionTrackAdded",
            Self::CaptionTrackReplaced => "CaptionTrackReplaced",
            Self::CaptionTrackValidated => "CaptionTrackValidated",
            Self::DefaultCaptionChanged => "DefaultCaptionChanged",
            Self::CaptionTrackRemoved => "CaptionTrackRemoved",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// The version in which this event is written. Older ones are read for ever, by upcasting.
    pub const fn current_version(self) -> u32 {
        match self {
            Self::StreamSourceAttached | Self::StreamSourceValidated => 2,
            Self::MovieCreated
            | Self::MovieRetitled
            | Self::MovieDetailsRevised
            | Self::AvailabilityRescheduled
            | Self::MovieShown
            | Self::MovieHidden
            | Self::MovieRemoved
            | Self::PrimaryStreamSourceChanged
            | Self::StreamSourceDetached
            | Self::CaptionTrackAdded
            | Self::CaptionTrackReplaced
            | Self::CaptionTrackValidated
            | Self::DefaultCaptionChanged
            | Self::CaptionTrackRemoved => 1,
        }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event's name and the version of its shape, one that this code knows: as in `ce_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType {
    name: EventName,
    version: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventTypeError {
    #[error("{0:?} is not the type of a movie event")]
    Unknown(String),
    #[error("{name} has no version {version}: the newest that is known here is {newest}")]
    UnknownVersion { name: EventName, version: u32, newest: u32 },
}

impl EventType {
    pub const fn new(name: EventName, version: u32) -> Result<Self, EventTypeError> {
        let newest = name.current_version();
        if version == 0 || version > newest {
            return Err(EventTypeError::UnknownVersion { name, version, newest });
        }
        Ok(Self { name, version })
    }

    pub const fn current(name: EventName) -> Self {
        Self { name, version: name.current_version() }
    }

    pub const fn name(self) -> EventName {
        self.name
    }

    pub const fn version(self) -> u32 {
        self.version
    }

    pub const fn is_current(self) -> bool {
        self.version == self.name.current_version()
    }
}

impl FromStr for EventType {
    type Err = EventTypeError;

    fn from_str(text: &str) -> Result<Self, EventTypeError> {
        // Types come from outside and go into logs and tables: only their beginning.
        let unknown = || EventTypeError::Unknown(text.chars().take(100).collect());
        let (name, version) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once(".v")).ok_or_else(unknown)?;
        let name = EventName::parse(name).ok_or_else(unknown)?;
        // One spelling only: neither "v01" nor "v+1".
        let number = version.parse().ok().filter(|n: &u32| n.to_string() == version);
        Self::new(name, number.ok_or_else(unknown)?)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}.v{}", self.name, self.version)
    }
}

//! Raising events to the version that was asked for. Those that are in it already are passed on as
//! they are, unparsed.

use marquee_domain::movie::{
    EventType, EventTypeError,
    upcast::{UpcastError, upcast_to},
};
use marquee_infra::event_log::RecordedEvent;
use serde_json::value::to_raw_value;
use thiserror::Error;

use super::request::Schema;

#[derive(Debug, Error)]
pub enum SchemaError {
    #[error("its type is not known here; --schema stored passes it on as it is")]
    Type(#[from] EventTypeError),
    #[error(
        "{event_type} is newer than version {asked}, and an event is never made older; \
         --schema stored or latest takes it"
    )]
    Newer { event_type: EventType, asked: u32 },
    #[error("it can't be brought to the version asked for")]
    Upcast(#[from] UpcastError),
    #[error("its payload can't be read")]
    Payload(#[from] serde_json::Error),
}

impl Schema {
    pub fn apply(self, event: &mut RecordedEvent) -> Result<(), SchemaError> {
        let asked = match self {
            Self::Stored => return Ok(()),
            Self::Latest => u32::MAX,
            Self::Version(version) => version.get(),
        };
        let stored: EventType = event.event_type.parse()?;
        if stored.version() > asked {
            return Err(SchemaError::Newer { event_type: stored, asked });
        }
        let version = asked.min(stored.name().current_version());
        if version == stored.version() {
            return Ok(());
        }
        let payload = serde_json::from_str(event.payload.get())?;
        let raised = upcast_to(stored.name(), stored.version(), version, payload)?;
        event.payload = to_raw_value(&raised)?;
        event.event_type = EventType::new(stored.name(), version)?.to_string();
        event.event_version = version.to_string();
        Ok(())
    }
}

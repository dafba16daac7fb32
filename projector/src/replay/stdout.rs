//! Lines of JSON to stdout, for a pipe.

use std::io::{self, Write};

use marquee_infra::event_log::RecordedEvent;

use super::{error::ReplayError, line};

#[derive(Debug, Default)]
pub struct Stdout {
    lines: Vec<u8>,
}

impl Stdout {
    /// The lines are out when it returns: whoever reads may be waiting for them.
    pub fn write(&mut self, events: &[RecordedEvent]) -> Result<(), ReplayError> {
        for event in events {
            line::append(&mut self.lines, event)
                .map_err(|error| ReplayError::Stdout(error.into()))?;
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&self.lines).and_then(|()| stdout.flush()).map_err(ReplayError::Stdout)?;
        self.lines.clear();
        Ok(())
    }
}

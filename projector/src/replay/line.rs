//! An event as a line of NDJSON: a CloudEvent in structured mode, as the event feed has it.

use marquee_infra::{event_log::RecordedEvent, kafka::StructuredEvent};

/// Appends the line. Its JSON has no line break: MySQL gives JSON back on one line, and so does serde.
pub fn append(line: &mut Vec<u8>, event: &RecordedEvent) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *line, &StructuredEvent::from(event))?;
    line.push(b'\n');
    Ok(())
}

//! Columns into a Parquet file, with a type for each: position and times are numbers, the payload is
//! its JSON as text.
//!
//! Written whole or not at all: the index at a Parquet file's end can't be gone on with, so a resumed
//! replay writes it again, with the range that was settled first.

use std::sync::Arc;

use marquee_infra::{event_log::RecordedEvent, kafka::CloudEvent};
use parquet::{
    basic::{Compression, Encoding},
    data_type::{ByteArray, ByteArrayType, DataType, Int64Type},
    errors::Result,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::{parser::parse_message_type, types::ColumnPath},
};

use super::{cursor::Cursor, error::ReplayError, manifest::Manifest, part_file::PartFile};

/// Rows that are in memory, and then one row group: a reader skips those that it has no use for.
const ROW_GROUP: usize = 20_000;

const SCHEMA: &str = "
    message marquee_event {
        required int64 position;
        required binary movie_id (string);
        required int64 sequence;
        required binary event_type (string);
        required int64 event_version;
        required int64 recorded_at (timestamp(micros,true));
        optional binary actor (string);
        optional binary command (string);
        optional binary request_id (string);
        optional binary traceparent (string);
        required binary id (string);
        required binary source (string);
        required binary payload (string);
    }";

pub struct ParquetFile {
    writer: SerializedFileWriter<PartFile>,
    rows: Vec<RecordedEvent>,
}

impl ParquetFile {
    pub fn new(part: PartFile) -> std::result::Result<Self, ReplayError> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let numbers = |properties: parquet::file::properties::WriterPropertiesBuilder,
                       name: &str| {
            let column = ColumnPath::from(name);
            properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED)
        };
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by(concat!("marquee projector ", env!("CARGO_PKG_VERSION")).to_owned());
        for name in ["position", "recorded_at"] {
            properties = numbers(properties, name);
        }
        for name in ["id", "payload"] {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
        }
        let writer = SerializedFileWriter::new(part, schema, Arc::new(properties.build()))?;
        Ok(Self { writer, rows: Vec::with_capacity(ROW_GROUP) })
    }

    pub fn write(&mut self, events: &[RecordedEvent]) -> std::result::Result<(), ReplayError> {
        for event in events {
            self.rows.push(event.clone());
            if self.rows.len() == ROW_GROUP {
                self.write_row_group()?;
            }
        }
        Ok(())
    }

    pub fn finish(mut self, cursor: &Cursor) -> std::result::Result<Manifest, ReplayError> {
        self.write_row_group()?;
        let mut part = self.writer.into_inner()?;
        part.end_page(cursor)?;
        part.finish()
    }

    fn write_row_group(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let about: Vec<CloudEvent> = rows.iter().map(CloudEvent::from).collect();
        let mut group = self.writer.next_row_group()?;
        // In the schema's order.
        numbers(&mut group, rows.iter().map(|row| signed(row.position)))?;
        texts(&mut group, rows.iter().map(|row| row.movie_id.to_string()))?;
        numbers(&mut group, rows.iter().map(|row| signed(row.sequence)))?;
        texts(&mut group, about.iter().map(|event| event.event_type.clone()))?;
        numbers(&mut group, rows.iter().map(|row| row.event_version.parse().unwrap_or(0)))?;
        numbers(&mut group, rows.iter().map(|row| row.recorded_at.timestamp_micros()))?;
        optional_texts(&mut group, about.iter().map(|event| event.actor.clone()))?;
        optional_texts(&mut group, about.iter().map(|event| event.command.clone()))?;
        optional_texts(&mut group, about.iter().map(|event| event.request_id.clone()))?;
        optional_texts(&mut group, about.iter().map(|event| event.trace_parent.clone()))?;
        texts(&mut group, about.iter().map(|event| event.id.clone()))?;
        texts(&mut group, about.iter().map(|event| event.source.clone()))?;
        texts(&mut group, rows.iter().map(|row| row.payload.get().to_owned()))?;
        group.close()?;
        self.rows = rows;
        self.rows.clear();
        Ok(())
    }
}

type Group<'a> = SerializedRowGroupWriter<'a, PartFile>;

fn numbers(group: &mut Group<'_>, values: impl Iterator<Item = i64>) -> Result<()> {
    column::<Int64Type>(group, &values.collect::<Vec<_>>(), None)
}

fn texts(group: &mut Group<'_>, values: impl Iterator<Item = String>) -> Result<()> {
    let values: Vec<ByteArray> = values.map(bytes).collect();
    column::<ByteArrayType>(group, &values, None)
}

fn optional_texts(
    group: &mut Group<'_>,
    values: impl Iterator<Item = Option<String>>,
) -> Result<()> {
    let (mut there, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        there.extend(value.map(bytes));
    }
    column::<ByteArrayType>(group, &there, Some(&levels))
}

fn column<T: DataType>(
    group: &mut Group<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<()> {
    // There are as many columns as are written, by the schema above.
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

fn bytes(text: String) -> ByteArray {
    ByteArray::from(text.into_bytes())
}

/// Parquet's unsigned numbers are not read as numbers by every tool.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

//! An event as a line of JSON: `timestamp`, `level`, the event's fields, `target`.
//!
//! A line is written for every request. This writes it in one pass, and without an allocation: that
//! took a fifth of a catalog read's instructions before.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    io::Write as _,
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::clock;

/// What is logged is an event by itself: spans are not shown.
pub(super) struct JsonLines;

/// Kept for the next line.
#[derive(Default)]
struct Buffers {
    line: Vec<u8>,
    /// A value's text, before it is escaped.
    text: String,
    /// The second that was last written, and its text.
    second: i64,
    second_text: String,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        BUFFERS.with(|buffers| match buffers.try_borrow_mut() {
            Ok(mut buffers) => buffers.write(event, &mut writer),
            // A value that logs while it is written.
            Err(_) => Buffers::default().write(event, &mut writer),
        })
    }
}

impl Buffers {
    fn write(&mut self, event: &Event<'_>, writer: &mut Writer<'_>) -> fmt::Result {
        let metadata = event.metadata();
        self.line.clear();
        self.timestamp()?;
        self.line.extend_from_slice(b",\"level\":\"");
        self.line.extend_from_slice(metadata.level().as_str().as_bytes());
        self.line.push(b'"');
        let mut fields = Fields { line: &mut self.line, text: &mut self.text };
        event.record(&mut fields);
        fields.put("target", metadata.target());
        self.line.extend_from_slice(b"}\n");
        writer.write_str(std::str::from_utf8(&self.line).map_err(|_| fmt::Error)?)
    }

    /// `{"timestamp":"2026-11-22T15:19:57.734088Z"`
    fn timestamp(&mut self) -> fmt::Result {
        let now = clock::now();
        if now.timestamp() != self.second || self.second_text.is_empty() {
            self.second = now.timestamp();
            self.second_text.clear();
            write!(self.second_text, "{}", now.format("%Y-%m-%dT%H:%M:%S"))?;
        }
        self.line.extend_from_slice(b"{\"timestamp\":\"");
        self.line.extend_from_slice(self.second_text.as_bytes());
        let micros = now.timestamp_subsec_micros() % 1_000_000;
        write!(self.line, ".{micros:06}Z\"").map_err(|_| fmt::Error)
    }
}

struct Fields<'a> {
    line: &'a mut Vec<u8>,
    text: &'a mut String,
}

// Writing to a Vec does not fail, and a text is always JSON.
impl Fields<'_> {
    fn name(&mut self, name: &str) {
        self.line.extend_from_slice(b",\"");
        self.line.extend_from_slice(name.strip_prefix("r#").unwrap_or(name).as_bytes());
        self.line.extend_from_slice(b"\":");
    }

    fn put(&mut self, name: &str, value: &str) {
        self.name(name);
        let _ = serde_json::to_writer(&mut *self.line, value);
    }

    fn put_number(&mut self, field: &Field, value: impl fmt::Display) {
        self.name(field.name());
        let _ = write!(self.line, "{value}");
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_number(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put_number(field, value);
    }

    /// What is no number in JSON (infinite) is null.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field.name());
        let _ = serde_json::to_writer(&mut *self.line, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text.clear();
        let _ = write!(self.text, "{value:?}");
        self.name(field.name());
        let _ = serde_json::to_writer(&mut *self.line, &*self.text);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use serde_json::Value;
    use tracing_subscriber::prelude::*;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Logs while it is written.
    struct Chatty;

    impl fmt::Display for Chatty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            tracing::info!("inner");
            f.write_str("chatty")
        }
    }

    #[test]
    fn every_kind_of_value_is_json() {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(JsonLines)
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let nothing: Option<&str> = None;
            tracing::warn!(
                text = "a \"b\"\n\u{1}é", shown = %"x\ty", debugged = ?Some(1), unsigned = u64::MAX,
                signed = -1, ratio = 0.25, infinite = f64::INFINITY, yes = true, nothing,
                "all {}", "kinds"
            );
            tracing::info!(value = %Chatty, "outer");
        });
        let lines = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let all = &lines[0];
        assert_eq!(all["level"], "WARN");
        assert_eq!(all["message"], "all kinds");
        assert_eq!(all["text"], "a \"b\"\n\u{1}é");
        assert_eq!(all["shown"], "x\ty");
        assert_eq!(all["debugged"], "Some(1)");
        assert_eq!(all["unsigned"], u64::MAX);
        assert_eq!(all["signed"], -1);
        assert_eq!(all["ratio"], 0.25);
        assert_eq!(all["infinite"], Value::Null);
        assert_eq!(all["yes"], true);
        assert_eq!(all.get("nothing"), None);
        assert_eq!(all["target"], module_path!());
        let timestamp = all["timestamp"].as_str().unwrap();
        assert_eq!(timestamp.len(), "2026-11-22T15:19:57.734088Z".len());
        assert!(timestamp.parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "{timestamp}");
        assert_eq!(lines.len(), 2, "a value that logs while it is written harms no line");
    }
}

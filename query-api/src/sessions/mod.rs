//! Viewing sessions (data model: ViewingSession): what players report becomes facts in Kafka, which the
//! projector folds; what it made of them is read from MySQL.
//!
//! Reporting needs Kafka and nothing else: whose a session is, and since when, is in its id.

mod ids;
mod reader;
mod report;
mod reporter;
mod rows;

pub use ids::SessionIds;
pub use reader::{Filter, Page, Place, SessionReader, ViewingSession};
pub use report::{MAX_BATCH, MAX_RANGES, Report, read_reports};
pub use reporter::{ReportError, Reporter};
pub use rows::STATEMENTS;

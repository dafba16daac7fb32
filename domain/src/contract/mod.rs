//! The contract with whoever reads the events: a JSON Schema for each type and version, in
//! `domain/schemas`. The files are the record of what was released; what the types say now has to
//! agree with it. Compiled for tests only, so that the domain itself knows nothing of schemas.

mod compatibility;
pub mod facts;
pub mod files;
mod generate;
mod golden;
pub mod release;

//! Against real servers: `eval "$(infra/local/stack env --profile test)"` says where they are.

mod audit;
mod auditing;
mod back_pressure;
mod bed;
mod catalog;
mod catalog_topic;
mod command_line;
mod dead_letters;
mod document_schema;
mod fold;
mod model;
mod ownership;
mod poison;
mod poison_matrix;
mod readiness;
mod rebuild;
mod replay;
mod samples;
mod viewing_sessions;

//! What holds for every history, whatever was done in whatever order.

mod arbitrary_events;
mod commands;
mod histories;
mod invariants;
mod json;
mod reach;

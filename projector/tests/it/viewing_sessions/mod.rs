//! Viewing sessions: what their table is, whatever becomes of events and projectors.

mod anonymous;
mod audit;
mod convergence;
pub mod evening;
mod time_outs;

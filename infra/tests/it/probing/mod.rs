//! The prober against real HTTPS servers on the loopback: what it measures, and everything a
//! hostile URL, name server or host could try.

mod guard;
mod limits;
mod media;
mod server;
mod trust;

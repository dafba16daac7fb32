//! The guarantees, shown on real processes and servers. Each test's name is the guarantee.

mod access;
mod at_least_once;
mod bad_input;
mod chaos;
mod crashes;
mod events;
mod fuzz;
mod import;
mod kafka_away;
mod leaders;
mod life;
mod limits;
mod outages;
mod playback;
mod races;
mod read_your_writes;
mod rebuild;
mod secure_link;
mod shutdown;
mod tokens;
mod unknown_outcome;
mod unrest;
mod upcasting;
mod validation;
mod viewing_sessions;

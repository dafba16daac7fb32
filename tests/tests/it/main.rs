//! The guarantees, shown on real processes and servers. Each test's name is the guarantee.

mod bad_input;
mod crashes;
mod events;
mod fuzz;
mod import;
mod life;
mod outages;
mod races;
mod shutdown;
mod unknown_outcome;
mod validation;

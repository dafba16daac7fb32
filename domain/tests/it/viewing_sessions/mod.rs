//! What viewing sessions add up to.

mod convergence;
mod outcome;
mod player;
mod watched;

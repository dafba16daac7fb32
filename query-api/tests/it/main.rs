//! Against real servers: `eval "$(infra/local/stack env --profile test)"` says where they are.

mod bed;
mod catalog;
mod client;
mod genres;
mod list;
mod movies;
mod outages;
mod rate_limit;
mod sample;
mod statements;
mod stream_tokens;
mod topic;
mod verify;

//! Against real servers: `eval "$(infra/local/stack env --profile test)"` says where they are.

mod as_of;
mod authorization;
mod bed;
mod catalog;
mod client;
mod cors;
mod editorial;
mod feed;
mod genres;
mod history;
mod life;
mod list;
mod log;
mod logging;
mod movies;
mod openapi;
mod outages;
mod proxy;
mod rate_limit;
mod read_your_writes;
mod sample;
mod statements;
mod stream_tokens;
mod topic;
mod validity;
mod verify;

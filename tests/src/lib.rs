//! Marquee as its users meet it: real processes on real servers, driven over HTTP and looked at from outside.
//!
//! What is shared by the tests and the benchmarks is here; it knows the services' contract (addresses, tables,
//! topics, settings) and none of their code.

pub mod admin;
pub mod browser;
pub mod chaos_proxy;
pub mod checker;
pub mod clean_up;
pub mod client;
pub mod database;
pub mod detour;
pub mod edge;
pub mod evidence;
pub mod fold;
pub mod follower;
pub mod import;
pub mod jwt;
pub mod load;
pub mod marquee;
pub mod player;
pub mod redis;
pub mod redis_server;
pub mod samples;
pub mod servers;
pub mod service;
pub mod spare_mysql;
pub mod summary;
pub mod topic;
pub mod unrest;
pub mod wait;

pub use client::{Answer, Api};
pub use marquee::{Marquee, Setup};
pub use wait::until;

//! The relay, with real MySQL and Kafka.

mod at_least_once;
mod bed;
mod cursor;
mod leadership;
mod outage;
mod publishing;

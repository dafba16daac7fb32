//! Every service has a MySQL user of its own, who may do what it has to and nothing else.

mod refused;
mod schema;

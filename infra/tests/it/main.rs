//! Integration tests of the adapters, against real servers, in one binary (link time).

mod probing;

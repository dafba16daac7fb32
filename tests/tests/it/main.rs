//! The guarantees, shown on real processes and servers. Each test's name is the guarantee.

mod life;

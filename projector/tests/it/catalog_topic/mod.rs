//! `marquee.catalog.v1`, as a consumer that reads committed records sees it.

mod documents;
mod leadership;
pub mod topic;

//! `projector rebuild catalog` and `projector rollback catalog`, the binary, beside live projectors.

mod broken;
mod comparison;
mod killed;
mod live;
mod rollback;
mod stand;
mod whole;

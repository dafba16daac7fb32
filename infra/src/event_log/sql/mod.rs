//! The statements of the append path.

mod lookup;
mod shape;
mod write;

pub(super) use lookup::{
    find_receipt, find_title_holder, look_up, look_up_slugs, metadata_at, titles_taken,
};
pub(super) use write::{
    NewEvent, ReceiptRow, insert_claims, insert_events, insert_receipts, is_collision, lock_head,
    release_titles, set_head, take_head,
};

//! The statements of the append path.

mod lookup;
mod shape;
mod write;

pub(super) use lookup::{
    find_receipt, find_title_holder, look_up, look_up_slugs, metadata_at, titles_taken,
};
pub(super) use shape::PREPARED_STATEMENTS;
pub(super) use write::{
    NewEvent, ReceiptRow, insert_events, insert_receipts, is_collision, lock_head, set_head,
    take_head, write_names,
};

//! Without transactions.

use command_api::relay::{Delivery, Mode};

use super::bed::Bed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cursor_is_kept_in_mysql_and_the_mode_is_told() {
    let mut bed = Bed::new().await;
    bed.settings.delivery = Delivery::AtLeastOnce;
    bed.append(4, 30).await;
    let first = bed.relay("a");
    let status = first.reaches(30).await;
    assert_eq!(status.mode, Mode::AtLeastOnce);
    first.stop().await;
    let position: u64 =
        sqlx::query_scalar("SELECT position FROM relay_lease").fetch_one(&bed.pool).await.unwrap();
    assert_eq!(position, 30);

    bed.append(4, 30).await;
    let second = bed.relay("b");
    second.reaches(60).await;
    // Nothing failed, so nothing is double either.
    bed.assert_exactly_once(60).await;
    second.stop().await;
    bed.close().await;
}

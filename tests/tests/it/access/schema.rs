//! Services never migrate. They are not ready on tables that are older than they need, and bear newer ones.

use marquee_infra::mysql::accounts::Account;
use marquee_tests::{
    Marquee, Setup,
    client::{Api, http},
    service::Service,
    until,
};
use sqlx::Executor;

const FORGET: &str = "UPDATE _sqlx_migrations SET version = -version WHERE version = 2";
const REMEMBER: &str = "UPDATE _sqlx_migrations SET version = -version WHERE version = -2";
const LATER: &str = "INSERT INTO _sqlx_migrations
    (version, description, success, checksum, execution_time)
    VALUES (999999, 'of a later release', TRUE, 'x', 1)";

async fn schema_of(service: &Service) -> (bool, String) {
    let ready = Api::new(http(), service.url(), None).get("/readyz").send().await.json();
    let check = &ready["checks"]["schema"];
    assert_eq!(check["required"], true, "{ready}");
    (check["ok"] == true, check["info"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn no_service_is_ready_on_an_older_schema_and_all_bear_a_newer_one() {
    let marquee = Marquee::prepare(Setup::default()).await;
    let owner = marquee.database.pool();
    owner.execute(FORGET).await.expect("the owner may");
    let services = [&marquee.command_api, &marquee.projector, &marquee.query_api];
    for service in services {
        service.start().await;
        let (ok, info) = schema_of(service).await;
        assert!(
            !ok && info.contains("projector migrate") && info.contains("migrations 2"),
            "{info}"
        );
    }
    owner.execute(REMEMBER).await.expect("the owner may");
    owner.execute(LATER).await.expect("the owner may");
    for service in services {
        service.wait_ready().await;
        assert_eq!(schema_of(service).await, (true, "newer than this release".to_owned()));
    }
}

/// With the users that `projector migrate` makes, there is nothing to complain of.
#[tokio::test]
async fn a_service_says_at_its_start_when_its_user_may_do_too_much_or_too_little() {
    let marquee = Marquee::prepare(Setup::default()).await;
    let owner = marquee.database.pool();
    marquee.command_api.start_ready().await;
    marquee.projector.set("DATABASE_URL", &marquee.database.url());
    marquee.projector.start_ready().await;
    let query_api = marquee.database.user_name(Account::QueryApi);
    let revoke = format!("REVOKE SELECT ON movie_history FROM '{query_api}'@'%'");
    owner.execute(revoke.as_str()).await.expect("the owner may");
    marquee.query_api.start_ready().await;

    let says = async |service: &Service, what: &str| {
        until(what, async || service.log().contains(what).then_some(())).await;
    };
    says(&marquee.projector, "may do more than it needs").await;
    says(&marquee.query_api, "lacks rights").await;
    assert!(marquee.query_api.log().contains("SELECT ON movie_history"));
    says(&marquee.command_api, "has the rights that it needs, and no others").await;
    for complaint in ["may do more than it needs", "lacks rights"] {
        assert!(!marquee.command_api.log().contains(complaint), "{complaint}");
    }
}

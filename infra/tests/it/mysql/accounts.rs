//! Users have what `migrations/grants.toml` says, and nothing else, whatever they had before.

use marquee_infra::mysql::accounts::{Account, AccountsError, Outcome, Provisioned};
use sqlx::Connection;

use super::stand::Stand;

fn of(users: &[Provisioned], account: Account) -> &Provisioned {
    users.iter().find(|user| user.account == account).expect("it was provisioned")
}

fn told(user: &Provisioned) -> Vec<String> {
    user.revoked.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn rights_are_made_what_the_file_says_and_a_second_run_changes_nothing() {
    let stand = Stand::new().await;
    let accounts = stand.accounts("one");
    let first = stand.migrate(&accounts).await.expect("users are made");
    for user in &first.users {
        assert_eq!(user.outcome, Outcome::Made);
        assert!(user.granted > 0 && user.revoked.is_empty() && user.beyond.is_empty(), "{user:?}");
    }
    let again = stand.migrate(&accounts).await.expect("it can be repeated");
    for user in &again.users {
        assert_eq!(user.outcome, Outcome::AsItWas);
        assert!(user.granted == 0 && user.revoked.is_empty() && user.beyond.is_empty(), "{user:?}");
    }
}

#[tokio::test]
async fn what_is_too_much_is_taken_away_and_what_is_missing_given() {
    let stand = Stand::new().await;
    let accounts = stand.accounts("one");
    stand.migrate(&accounts).await.expect("users are made");
    let name = |account| format!("'{}'@'%'", stand.user(account));
    let (projector, query_api) = (name(Account::Projector), name(Account::QueryApi));
    stand.run(&format!("GRANT DELETE ON stream_token_audit TO {projector}")).await;
    // Wider than the column that it needs, of which MySQL takes away both together.
    stand.run(&format!("GRANT SELECT ON relay_lease TO {projector}")).await;
    stand.run(&format!("REVOKE INSERT ON stream_token_audit FROM {projector}")).await;
    let pattern = stand.name.replace('_', "\\_");
    stand.run(&format!("GRANT INSERT ON `{pattern}`.* TO {query_api}")).await;
    stand.run(&format!("GRANT UPDATE (title) ON catalog_movies TO {query_api}")).await;

    let migrated = stand.migrate(&accounts).await.expect("it is put right");
    let of_projector = told(of(&migrated.users, Account::Projector));
    assert_eq!(of_projector, ["SELECT ON relay_lease", "DELETE ON stream_token_audit"]);
    let of_query_api = told(of(&migrated.users, Account::QueryApi));
    assert_eq!(
        of_query_api,
        [format!("INSERT ON {pattern}.*"), "UPDATE (title) ON catalog_movies".to_owned()]
    );
    let again = stand.migrate(&accounts).await.expect("it can be repeated");
    for user in &again.users {
        assert!(user.granted == 0 && user.revoked.is_empty(), "{user:?}");
    }
    let mut projector = stand.log_in(Account::Projector, "one").await.expect("it may");
    let position = "SELECT position FROM relay_lease WHERE id = 1";
    sqlx::query(position).execute(&mut projector).await.expect("it has its column");
    sqlx::query("SELECT holder FROM relay_lease")
        .execute(&mut projector)
        .await
        .expect_err("no more");
}

#[tokio::test]
async fn rights_on_other_databases_are_told_and_left_alone() {
    let stand = Stand::new().await;
    let accounts = stand.accounts("one");
    stand.migrate(&accounts).await.expect("users are made");
    let name = format!("'{}'@'%'", stand.user(Account::CommandApi));
    stand.run(&format!("GRANT SELECT ON `marquee\\_elsewhere`.* TO {name}")).await;
    let migrated = stand.migrate(&accounts).await.expect("it is done");
    let user = of(&migrated.users, Account::CommandApi);
    assert!(user.revoked.is_empty(), "{user:?}");
    let beyond: Vec<String> = user.beyond.iter().map(ToString::to_string).collect();
    assert_eq!(beyond, ["SELECT ON marquee\\_elsewhere.*"]);
}

/// The old one is good until it is discarded, so that services can be started anew one by one.
#[tokio::test]
async fn a_password_is_changed_while_services_run() {
    let stand = Stand::new().await;
    stand.migrate(&stand.accounts("one")).await.expect("users are made");
    let running = stand.log_in(Account::QueryApi, "one").await.expect("it may");
    let migrated = stand.migrate(&stand.accounts("two")).await.expect("passwords change");
    assert!(migrated.users.iter().all(|user| user.outcome == Outcome::Changed));
    stand.log_in(Account::QueryApi, "two").await.expect("the new one is good");
    if stand.is_mariadb().await {
        return;
    }
    stand.log_in(Account::QueryApi, "one").await.expect("so is the old one");
    stand.migrate_and_discard(&stand.accounts("two")).await;
    stand.log_in(Account::QueryApi, "two").await.expect("the new one is good");
    stand.log_in(Account::QueryApi, "one").await.expect_err("the old one is not");
    // Whoever is connected stays so.
    let mut running = running;
    running.ping().await.expect("it goes on");
}

#[tokio::test]
async fn who_may_not_make_users_is_told_what_is_needed() {
    let stand = Stand::new().await;
    stand.migrate(&stand.accounts("one")).await.expect("users are made");
    let mut url: url::Url = secrecy::ExposeSecret::expose_secret(&stand.url()).parse().unwrap();
    url.set_username(&stand.user(Account::Projector)).unwrap();
    url.set_password(Some("projector-password-one")).unwrap();
    let url = secrecy::SecretString::from(url.as_str());
    let pool = marquee_infra::mysql::connect_lazy(&url, 1).unwrap();
    let accounts = marquee_infra::mysql::accounts::AccountsSettings {
        projector: secrecy::SecretString::default(),
        ..stand.accounts("two")
    };
    let error =
        marquee_infra::mysql::accounts::migrate_and_provision(&pool, &url, &accounts, false)
            .await
            .expect_err("a service's user may not");
    assert!(!error.to_string().contains("password-two"), "{error}");
    assert!(matches!(error, AccountsError::Migration(_) | AccountsError::NotAllowed(_)), "{error}");
}

//! Setting up the roles of workers, which belong to the whole cluster.

use secrecy::SecretString;
use xvault::db::roles;

use crate::support::postgres::{Database, WORKER_PASSWORD};

#[tokio::test]
async fn many_processes_in_many_databases_set_the_roles_up_at_once() {
    let databases = futures::future::join_all((0..3).map(|_| Database::new())).await;
    let password = SecretString::from(WORKER_PASSWORD);
    let mut racing = Vec::new();
    for database in &databases {
        let pool = database.pool().await;
        racing.extend((0..4).map(|_| {
            let (pool, password) = (pool.clone(), password.clone());
            async move { roles::apply(&pool, Some(&password)).await }
        }));
    }
    for applied in futures::future::join_all(racing).await {
        applied.unwrap();
    }
    // The password is still the right one, and so are the rights.
    let worker = databases[0].worker_pool().await;
    sqlx::query("select 1 from jobs").execute(&worker).await.unwrap();
    assert!(sqlx::query("select 1 from users").execute(&worker).await.is_err());
}

#[tokio::test]
async fn a_password_that_cannot_be_hashed_here_is_refused() {
    let database = Database::new().await;
    for password in ["", "pässword"] {
        let refused = roles::apply(&database.pool().await, Some(&password.into())).await;
        let line = refused.unwrap_err().to_string();
        assert!(line.contains("XVAULT_WORKER_DATABASE_PASSWORD"), "{line}");
    }
}

//! A hub with two tenants, people of every role, a source, a worker that is away and a snapshot.

use std::{io::Write, time::Duration};

use serde_json::{Value, json};
use sqlx::PgPool;
use xvault::{
    db::{
        age_keys,
        jobs::{self, Claimed, Finished},
        snapshots,
    },
    domain::{
        ids::{SnapshotId, SourceId, TenantId, WorkerId},
        job::Warnings,
        snapshot::{Encryption, Locator, NewSnapshot, SnapshotKey, SnapshotState},
    },
    queue::route,
};

use crate::support::{
    catalogue,
    http::Api,
    postgres::Database,
    xvault::{Hub, Variable},
};

pub const PASSWORD: &str = "long enough for everybody";

pub struct World {
    pub hub: Hub,
    pub pool: PgPool,
    pub database: Database,
    /// Administrates the platform and owns the first tenant.
    pub admin: Api,
    pub operator: Api,
    pub viewer: Api,
    /// Owns another tenant.
    pub stranger: Api,
    pub tenant: TenantId,
}

impl World {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(settings: &[Variable]) -> Self {
        let database = Database::new().await;
        let hub = Hub::start(&database, settings).await;
        let admin = hub.admin().await;
        let tenant = admin.get("/api/v1/me").await.expect(200)["tenant"]["id"].clone();
        let other = json!({"name": "Other", "owner": {"email": "stranger@example.com", "password": PASSWORD}});
        admin.post("/api/v1/admin/tenants", other).await.expect(201);
        for role in ["operator", "viewer"] {
            let member = json!({"email": format!("{role}@example.com"), "role": role, "password": PASSWORD});
            admin.post("/api/v1/members", member).await.expect(201);
        }
        let person = async |name: &str| {
            let email = format!("{name}@example.com");
            hub.anonymous().sign_in(&email, PASSWORD).await
        };
        Self {
            operator: person("operator").await,
            viewer: person("viewer").await,
            stranger: person("stranger").await,
            pool: database.pool().await,
            tenant: tenant.as_str().unwrap().parse().unwrap(),
            hub,
            database,
            admin,
        }
    }

    /// A source of the first tenant; its id.
    pub async fn source(&self, name: &str) -> String {
        let source = self.operator.post("/api/v1/sources", source(name)).await.expect(201);
        id_of(&source)
    }

    /// A backup in the hands of a worker.
    pub async fn running_backup(&self, source: &str) -> Claimed {
        let path = format!("/api/v1/sources/{source}/backups");
        self.operator.post(&path, Value::Null).await.expect(202);
        let worker = catalogue::worker(&mut self.pool.acquire().await.unwrap()).await;
        self.claim(route::WORK, &worker).await
    }

    pub async fn claim(&self, queue: &str, worker: &WorkerId) -> Claimed {
        let mut conn = self.pool.acquire().await.unwrap();
        let offer = jobs::Offer::new(queue, worker, Duration::from_secs(600));
        let claimed = jobs::claim(&mut conn, &offer).await;
        claimed.unwrap().expect("a due job")
    }

    /// What a finished backup of `source` leaves behind; the artifact's header is real, its place is not.
    pub async fn snapshot(&self, source: &str) -> Stored {
        let Claimed { job, lease } = self.running_backup(source).await;
        let mut conn = self.pool.acquire().await.unwrap();
        let recipients = age_keys::active_recipients(&mut conn, &self.tenant).await.unwrap();
        let header = age_header(&recipients);
        let key = SnapshotKey {
            tenant_id: self.tenant.clone(),
            source_id: source.parse::<SourceId>().unwrap(),
            snapshot_id: SnapshotId::generate(),
        };
        let new = NewSnapshot {
            job_id: job.id.clone(),
            state: SnapshotState::Complete,
            bytes_source: 10,
            bytes_stored: 20,
            files: 1,
            sha256: "0".repeat(64),
            manifest_sha256: "0".repeat(64),
            locator: Locator::LocalFs {
                worker_id: lease.worker_id.clone(),
                local_path: "/nowhere".into(),
            },
            encryption: Encryption {
                algorithm: "age-v1".into(),
                recipients,
            },
            backup_header: header.clone(),
            index_header: header,
            warnings: Warnings::default(),
            dumps: Vec::new(),
            key: key.clone(),
        };
        snapshots::insert(&mut conn, &new).await.unwrap();
        let end = Finished {
            snapshot_id: Some(key.snapshot_id.clone()),
            ..catalogue::done()
        };
        assert!(jobs::finish(&mut conn, &lease, &end).await.unwrap());
        Stored {
            id: key.snapshot_id.to_string(),
            job: job.id.to_string(),
            worker: lease.worker_id,
        }
    }
}

pub struct Stored {
    pub id: String,
    pub job: String,
    pub worker: WorkerId,
}

pub fn id_of(value: &Value) -> String {
    value["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id in {value}"))
        .to_owned()
}

pub fn source(name: &str) -> Value {
    json!({
        "name": name,
        "kind": "ssh",
        "config": {"host": "server.example", "user": "backup", "paths": ["/srv"]},
        "credentials": {"password": "the password of the server"},
    })
}

fn age_header(recipients: &[String]) -> Vec<u8> {
    let recipients: Vec<age::x25519::Recipient> = recipients.iter().map(|text| text.parse().unwrap()).collect();
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let mut file = Vec::new();
    let mut writer = age::Encryptor::with_recipients(recipients)
        .unwrap()
        .wrap_output(&mut file)
        .unwrap();
    writer.write_all(b"content").unwrap();
    writer.finish().unwrap();
    let mac = file.windows(4).position(|bytes| bytes == b"--- ").unwrap();
    let end = file[mac..].iter().position(|&byte| byte == b'\n').unwrap();
    file.truncate(mac + end + 1);
    file
}

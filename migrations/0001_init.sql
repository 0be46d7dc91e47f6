-- Tenants, people, sources, jobs, snapshots.
-- Every table that belongs to a tenant carries tenant_id, and foreign keys between such tables
-- include it, so a row can never point into another tenant.

create table tenants (
    id          text primary key,
    name        text not null check (length(name) between 1 and 200),
    created_at  timestamptz not null default now(),
    -- set when the owner has downloaded the recovery sheet; the dashboard asks for it until then
    recovery_sheet_at timestamptz
);

-- Which master key the rows of tenant_keys are wrapped with: a keyed hash of a constant, so a hub
-- started with the wrong key says so at once.
create table master_key (
    singleton   boolean primary key default true check (singleton),
    check_value bytea not null,
    rotated_at  timestamptz not null default now()
);

-- Data key of a tenant, wrapped by the master key (AEAD bound to the tenant).
create table tenant_keys (
    tenant_id   text primary key references tenants on delete cascade,
    wrapped     bytea not null
);

-- age identities of a tenant. `sealed_identity` is null where the tenant keeps the key itself.
create table age_keys (
    id          text primary key,
    tenant_id   text not null references tenants on delete cascade,
    recipient   text not null,
    sealed_identity bytea,
    active      boolean not null default true,
    created_at  timestamptz not null default now(),
    constraint age_keys_recipient_unique unique (tenant_id, recipient)
);

create table users (
    id          text primary key,
    email       text not null check (email = lower(email) and length(email) between 3 and 254),
    password_hash text,
    platform_admin boolean not null default false,
    created_at  timestamptz not null default now(),
    constraint users_email_unique unique (email)
);

create table memberships (
    tenant_id   text not null references tenants on delete cascade,
    user_id     text not null references users on delete cascade,
    role        text not null check (role in ('owner', 'operator', 'viewer')),
    created_at  timestamptz not null default now(),
    primary key (tenant_id, user_id)
);
create index memberships_by_user on memberships (user_id);

create table invitations (
    id          text primary key,
    tenant_id   text not null references tenants on delete cascade,
    user_id     text not null references users on delete cascade,
    token_hash  bytea not null constraint invitations_token_unique unique,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    used_at     timestamptz
);

-- A sign-in: of a browser (cookie) or of an API client (refresh token). `secret_hash` is the current
-- cookie or refresh token; `previous_hash` lets the hub notice that a dead refresh token is used again.
create table sessions (
    id          text primary key,
    tenant_id   text not null references tenants on delete cascade,
    user_id     text not null references users on delete cascade,
    kind        text not null check (kind in ('browser', 'api')),
    secret_hash bytea not null constraint sessions_secret_unique unique,
    created_at  timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    expires_at  timestamptz not null
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_expiry on sessions (expires_at);

-- Refresh tokens that were already exchanged: seeing one again ends its session.
create table spent_refresh_tokens (
    secret_hash bytea primary key,
    session_id  text not null references sessions on delete cascade,
    spent_at    timestamptz not null default now()
);
create index spent_refresh_tokens_by_session on spent_refresh_tokens (session_id);

create table api_keys (
    id          text primary key,
    tenant_id   text not null references tenants on delete cascade,
    created_by  text not null references users on delete cascade,
    name        text not null check (length(name) between 1 and 200),
    role        text not null check (role in ('owner', 'operator', 'viewer')),
    secret_hash bytea not null constraint api_keys_secret_unique unique,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz,
    last_used_at timestamptz
);
create index api_keys_by_tenant on api_keys (tenant_id, id desc);

create table sources (
    id          text primary key,
    tenant_id   text not null references tenants on delete cascade,
    name        text not null check (length(name) between 1 and 200),
    kind        text not null check (kind in ('ssh', 'sftp')),
    config      jsonb not null,
    -- approved identities: {"target": "SHA256:…", "jump": "SHA256:…"}
    identity    jsonb not null default '{}',
    identity_approved_by text references users on delete set null,
    identity_approved_at timestamptz,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    -- a removed source keeps its row while snapshots of it exist
    deleted_at  timestamptz,
    constraint sources_tenant_unique unique (tenant_id, id)
);
create unique index sources_name_unique on sources (tenant_id, lower(name)) where deleted_at is null;
create index sources_by_tenant on sources (tenant_id, id desc) where deleted_at is null;

-- One row per credential field, each sealed by the tenant's data key with tenant, source and field
-- as associated data.
create table source_credentials (
    tenant_id   text not null,
    source_id   text not null,
    field       text not null,
    sealed      bytea not null,
    -- of a private key: the fingerprint of its public half; of a password: null
    fingerprint text,
    set_at      timestamptz not null default now(),
    primary key (source_id, field),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade
);

create table workers (
    id          text primary key,
    hostname    text not null,
    version     text not null,
    url         text not null,
    -- where hubs reach it, if that is another address than the users' one
    internal_url text,
    concurrency integer not null check (concurrency > 0),
    running     integer not null default 0,
    storage_total_bytes bigint,
    storage_free_bytes bigint,
    -- why it takes no backups just now (disk short, shutting down); null while it does
    paused_reason text,
    draining    boolean not null default false,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    stopped_at  timestamptz
);

create table worker_tokens (
    id          text primary key,
    label       text not null,
    secret_hash bytea not null constraint worker_tokens_secret_unique unique,
    created_at  timestamptz not null default now(),
    revoked_at  timestamptz
);

create table jobs (
    id          text primary key,
    tenant_id   text not null references tenants on delete cascade,
    kind        text not null check (kind in ('backup', 'restore', 'verify', 'delete', 'probe')),
    state       text not null default 'queued'
                check (state in ('queued', 'running', 'succeeded', 'partial', 'failed', 'cancelled')),
    queue       text not null,
    source_id   text not null,
    snapshot_id text,
    payload     jsonb not null,
    -- smaller goes first: 0 what a person waits for, 10 scheduled
    priority    smallint not null default 0,
    attempt     integer not null default 0,
    max_attempts integer not null default 3 check (max_attempts > 0),
    run_at      timestamptz not null default now(),
    worker_id   text references workers on delete set null,
    lease_id    uuid,
    lease_expires_at timestamptz,
    cancel_requested_at timestamptz,
    phase       text,
    progress_bytes bigint not null default 0,
    progress_files bigint not null default 0,
    progress_total_bytes bigint,
    error_code  text,
    error_message text,
    error_hint  text,
    warnings    jsonb not null default '{"count": 0, "sample": []}',
    result      jsonb,
    created_by  text references users on delete set null,
    created_at  timestamptz not null default now(),
    started_at  timestamptz,
    finished_at timestamptz,
    constraint jobs_tenant_unique unique (tenant_id, id),
    foreign key (tenant_id, source_id) references sources (tenant_id, id) on delete cascade,
    constraint jobs_lease_while_running check ((state = 'running') = (lease_id is not null)),
    constraint jobs_lease_expires check ((lease_id is null) = (lease_expires_at is null)),
    constraint jobs_finished_at check ((state in ('queued', 'running')) = (finished_at is null)),
    constraint jobs_error_whole check ((error_code is null) = (error_message is null)),
    constraint jobs_failed_says_why check (state <> 'failed' or error_code is not null),
    constraint jobs_snapshot_named check (kind not in ('restore', 'verify', 'delete') or snapshot_id is not null)
);
-- At most one active backup of a source: shown as 409 with the running job.
create unique index jobs_one_active_backup on jobs (source_id)
    where kind = 'backup' and state in ('queued', 'running');
create index jobs_due on jobs (queue, tenant_id, priority, run_at, id) where state = 'queued';
create index jobs_leases on jobs (lease_expires_at) where state = 'running';
create index jobs_running_by_tenant on jobs (tenant_id) where state = 'running';
create index jobs_by_tenant on jobs (tenant_id, id desc);
create index jobs_by_source on jobs (tenant_id, source_id, id desc);
create index jobs_by_snapshot on jobs (snapshot_id) where snapshot_id is not null;

create table job_events (
    job_id      text not null references jobs on delete cascade,
    seq         bigint generated always as identity,
    at          timestamptz not null default now(),
    attempt     integer not null,
    kind        text not null check (kind in ('queued', 'claimed', 'phase', 'retry', 'handed_back', 'lease_lost',
                    'cancel_requested', 'succeeded', 'partial', 'failed', 'cancelled')),
    message     text not null,
    primary key (job_id, seq)
);

create table snapshots (
    id          text primary key,
    tenant_id   text not null references tenants on delete cascade,
    source_id   text not null,
    -- one snapshot per backup job, however often it was tried
    job_id      text not null constraint snapshots_job_unique unique references jobs,
    state       text not null check (state in ('complete', 'partial', 'damaged', 'missing', 'deleting')),
    bytes_source bigint not null check (bytes_source >= 0),
    bytes_stored bigint not null check (bytes_stored > 0),
    files       bigint not null check (files > 0),
    sha256      text not null check (length(sha256) = 64),
    manifest_sha256 text not null check (length(manifest_sha256) = 64),
    storage_backend text not null check (storage_backend in ('local_fs')),
    worker_id   text references workers,
    local_path  text,
    encryption  jsonb not null,
    backup_header bytea not null,
    index_header bytea not null,
    warnings    jsonb not null,
    pinned      boolean not null default false,
    created_at  timestamptz not null default now(),
    verified_at timestamptz,
    constraint snapshots_tenant_unique unique (tenant_id, id),
    foreign key (tenant_id, source_id) references sources (tenant_id, id),
    constraint snapshots_local_place check (storage_backend <> 'local_fs' or (worker_id is not null and local_path is not null))
);
create index snapshots_by_tenant on snapshots (tenant_id, id desc);
create index snapshots_by_source on snapshots (tenant_id, source_id, id desc);
create index snapshots_by_worker on snapshots (worker_id, id);

create table exports (
    id          text primary key,
    tenant_id   text not null references tenants on delete cascade,
    job_id      text not null constraint exports_job_unique unique references jobs on delete cascade,
    snapshot_id text not null references snapshots on delete cascade,
    worker_id   text not null references workers,
    format      text not null check (format in ('tar', 'tar.zst', 'tar.gz', 'zip')),
    file_name   text not null,
    token_hash  bytea not null,
    bytes       bigint not null check (bytes > 0),
    sha256      text not null check (length(sha256) = 64),
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    -- one complete download, then the link is dead
    downloaded_at timestamptz
);
create index exports_by_worker on exports (worker_id, expires_at);
create index exports_by_expiry on exports (expires_at);

create table idempotency_keys (
    tenant_id   text not null references tenants on delete cascade,
    -- who sent it: user or API key id
    actor       text not null,
    key         text not null,
    request_hash bytea not null,
    -- null while the first request is still being answered
    status      smallint,
    -- sealed by the tenant's data key: answers may hold a secret shown once
    sealed_body bytea,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, actor, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

create table audit_log (
    seq         bigint generated always as identity primary key,
    tenant_id   text references tenants on delete cascade,
    actor       text not null,
    action      text not null,
    target      text,
    at          timestamptz not null default now()
);
create index audit_log_by_tenant on audit_log (tenant_id, seq desc);

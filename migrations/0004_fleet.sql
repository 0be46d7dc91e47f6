-- Operating a fleet: workers that are drained and retired, hubs that are known, and which versions of
-- xVault may work on this schema.

alter table workers
    -- the operator wants it to take no new backups; `draining` says that its process is stopping
    add column drain_requested_at timestamptz,
    -- gone for ever; the row stays, because snapshots and jobs name it
    add column retired_at timestamptz;

-- What a worker has, per tenant and state, without reading the wide rows; and snapshots by state.
create index snapshots_holdings on snapshots (worker_id, tenant_id, state) include (bytes_stored);

-- A worker that comes back after it was retired must not add to what nobody can read.
create function refuse_retired_worker() returns trigger language plpgsql as $$
declare
    retired timestamptz;
begin
    -- Locked, so that this waits for a retirement that is under way and sees what came of it.
    select retired_at into retired from workers where id = new.worker_id for key share;
    if retired is not null then
        raise exception 'worker % is retired', new.worker_id using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger snapshots_not_on_retired_workers before insert on snapshots
    for each row execute function refuse_retired_worker();

-- Hub processes, one row per start; written by themselves.
create table hubs (
    id          text primary key,
    hostname    text not null,
    version     text not null,
    url         text not null,
    started_at  timestamptz not null default now(),
    last_seen_at timestamptz not null default now()
);

-- The oldest binary that may work on this schema, by the last migration it knows. Migrations that only
-- add leave it alone, so old and new processes run side by side during an upgrade.
create table schema_compatibility (
    singleton   boolean primary key default true check (singleton),
    oldest_binary bigint not null
);
insert into schema_compatibility (oldest_binary) values (4);

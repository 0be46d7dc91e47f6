-- A fair queue: turns between tenants, limits per tenant and server, servers that are busy, disks that are full.

-- Index entries of hot rows: `jobs_by_tenant` repeats jobs_tenant_unique, which is read backwards as well; with the lease's
-- expiry in no index, a renewal touches none of them.
drop index jobs_by_tenant;
drop index jobs_leases;
drop index jobs_running_by_tenant;

alter table jobs
    -- the server a backup or probe connects to: host:port in lower case, with the jump host if there is one
    add column host text,
    -- tries that ended because the server was busy; only every fifth counts as an attempt
    add column deferrals integer not null default 0 check (deferrals >= 0),
    -- free space that a worker must have, because with a little less the last attempt did not fit
    add column needs_free_bytes bigint check (needs_free_bytes > 0);
create index jobs_running on jobs (queue, tenant_id, host) where state = 'running';

-- Room for renewals beside the row they replace, and dead rows cleared away after thousands instead of
-- after a fifth of all history.
alter table jobs set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
                      autovacuum_analyze_scale_factor = 0.02);

-- What an attempt failed of, for programs; the message says it for people.
alter table job_events add column error_code text;

-- How many backups and probes run at once, at most. Null: as many as there are workers for.
create table limits (
    singleton   boolean primary key default true check (singleton),
    jobs_per_tenant integer check (jobs_per_tenant > 0),
    jobs_per_host integer check (jobs_per_host > 0)
);
-- A server that is backed up also has work of its own to do.
insert into limits (jobs_per_host) values (4);

-- What the operator allows one tenant instead of `jobs_per_tenant`.
create table tenant_limits (
    tenant_id   text primary key references tenants on delete cascade,
    jobs        integer not null check (jobs > 0)
);

-- When a tenant was last served, so that tenants take turns even where one job runs at a time. What a
-- person asked for has a clock of its own: schedules do not use up its turn.
create table turns (
    queue       text not null,
    tenant_id   text not null references tenants on delete cascade,
    served_at   timestamptz not null,
    served_interactive_at timestamptz,
    primary key (queue, tenant_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Servers that answered "too many connections". Nobody goes there until `hold_until`, and for a quarter
-- of an hour after `busy_at` only one job at a time.
create table busy_hosts (
    host        text primary key,
    busy_at     timestamptz not null,
    hold_until  timestamptz not null
);
create index busy_hosts_by_age on busy_hosts (busy_at);

-- Servers that get no further job just now, and why.
create view blocked_hosts as
    select host, 'host_busy' as why, hold_until as until from busy_hosts where hold_until > now()
    union all
    select r.host, 'host_limit', null
    from (select host, count(*) as jobs from jobs where state = 'running' and host is not null group by host) r
    cross join limits l left join busy_hosts b on b.host = r.host
    where r.jobs >= case when b.busy_at > now() - interval '15 minutes' then 1 else l.jobs_per_host end
      and (b.hold_until > now()) is not true;

-- Tenants that get no further job for a server just now.
create view full_tenants as
    select r.tenant_id
    from (select tenant_id, count(*) as jobs from jobs where state = 'running' and host is not null group by tenant_id) r
    cross join limits l left join tenant_limits t on t.tenant_id = r.tenant_id
    where r.jobs >= coalesce(t.jobs, l.jobs_per_tenant);

-- Due jobs, and what holds them back if something does.
create view due_jobs as
    select j.id, j.tenant_id, j.queue, j.kind, j.host, j.run_at, j.needs_free_bytes,
           coalesce(h.why, case when f.tenant_id is not null then 'tenant_limit' end) as held_by, h.until as held_until
    from jobs j
    left join blocked_hosts h on h.host = j.host
    left join full_tenants f on f.tenant_id = j.tenant_id and j.host is not null
    where j.state = 'queued' and j.run_at <= now();

-- Gives `worker` the fairest due job of `in_queue`: of the tenant with the fewest running, then of the one that was served
-- longest ago; what a person waits for before what a schedule ordered; the oldest first. Held back are jobs whose
-- tenant or server is at its limit, backups unless `backups`, and jobs that need more than `free` bytes of disk (null:
-- unknown). A caller without a permit uses up a waiting ticket if it gets a job.
--
-- A function, because the counts must be read after the lock was taken (each statement of a function sees what was
-- committed before it began), and because a lock that a client holds between two messages would stop everybody
-- while that client is stopped. Call it as a transaction of its own: it is not flushed to disk before it returns. Should
-- the server crash in that moment, the job is queued as before and the lease that was given out is worth nothing.
create function claim_job(in_queue text, worker text, lease_seconds double precision, backups boolean, free bigint,
                          has_permit boolean)
returns setof jobs language plpgsql set enable_seqscan = off set jit = off as $$
declare
    blocked text[];
    picked text;
    job jobs;
begin
    perform set_config('synchronous_commit', 'off', true);
    perform pg_advisory_xact_lock(hashtextextended('xvault claim ' || in_queue, 0));
    select coalesce(array_agg(h.host), '{}') into blocked from blocked_hosts h;
    -- Waiting tenants are found by a loose index scan and each contributes two rows (one may be locked), so ten
    -- thousand queued jobs of one tenant cost the others nothing.
    with recursive waiting as (
        (select j.tenant_id from jobs j where j.queue = in_queue and j.state = 'queued' order by j.tenant_id limit 1)
        union all
        select (select j.tenant_id from jobs j
                where j.queue = in_queue and j.state = 'queued' and j.tenant_id > w.tenant_id
                order by j.tenant_id limit 1)
        from waiting w where w.tenant_id is not null
    ), running as (
        select r.tenant_id, count(*) as jobs, count(*) filter (where r.priority < 10) as interactive
        from jobs r where r.state = 'running' and r.queue = in_queue group by r.tenant_id
    ), candidate as (
        select c.id, c.priority, c.run_at,
               coalesce(case when c.priority < 10 then r.interactive else r.jobs end, 0) as running,
               case when c.priority < 10 then t.served_interactive_at else t.served_at end as served_at
        from waiting w
        left join running r on r.tenant_id = w.tenant_id
        left join turns t on t.queue = in_queue and t.tenant_id = w.tenant_id
        left join full_tenants f on f.tenant_id = w.tenant_id
        cross join lateral (
            select j.id, j.priority, j.run_at from jobs j
            where j.queue = in_queue and j.state = 'queued' and j.tenant_id = w.tenant_id and j.run_at <= now()
              and (backups or j.kind <> 'backup')
              and (j.needs_free_bytes is null or free is null or j.needs_free_bytes <= free)
              and (j.host is null or (f.tenant_id is null and j.host <> all (blocked)))
            order by j.priority, j.run_at, j.id limit 2
        ) c
        where w.tenant_id is not null
    )
    select j.id into picked from candidate c join jobs j on j.id = c.id
    where j.state = 'queued'
    order by c.running, c.served_at nulls first, c.priority, c.run_at, c.id
    limit 1 for update of j skip locked;
    if not found then
        return;
    end if;

    update jobs set state = 'running', attempt = attempt + 1, worker_id = worker, lease_id = gen_random_uuid(),
        lease_expires_at = clock_timestamp() + make_interval(secs => lease_seconds), started_at = clock_timestamp(),
        phase = null, progress_bytes = 0, progress_files = 0, progress_total_bytes = null,
        error_code = null, error_message = null, error_hint = null
    where id = picked returning * into job;
    insert into turns as t (queue, tenant_id, served_at, served_interactive_at)
    values (in_queue, job.tenant_id, clock_timestamp(), case when job.priority < 10 then clock_timestamp() end)
    on conflict (queue, tenant_id) do update set served_at = excluded.served_at,
        served_interactive_at = coalesce(excluded.served_interactive_at, t.served_interactive_at);
    insert into job_events (job_id, attempt, kind, message)
    values (job.id, job.attempt, 'claimed', 'Worker ' || worker || ' took the job');
    perform pg_notify('xvault_job', job.id);
    if not has_permit then
        delete from apalis.jobs where id = (
            select t.id from apalis.jobs t
            where (t.status = 'Pending' or (t.status = 'Failed' and t.attempts < t.max_attempts))
              and t.run_at < now() and t.job_type = in_queue
            order by t.priority desc, t.run_at limit 1 for update skip locked);
    end if;
    return next job;
end
$$;

-- The claim keeps its pace. Notices leave after the commit, in a statement of their own (`src/db/notices.rs`), so it sends none.
-- And how it reads no longer depends on statistics: it is planned once per connection and walks the indexes that were made
-- for it. Left alone, the planner prefers to read and sort all that a tenant has ever done, and plans anew every time.

-- Gives `worker` the fairest due job of `in_queue`: of the tenant with the fewest running, then of the one that was served
-- longest ago; what a person waits for before what a schedule ordered; the oldest first. Held back are jobs whose
-- tenant or server is at its limit, backups unless `backups`, and jobs that need more than `free` bytes of disk (null:
-- unknown). A caller without a permit uses up a waiting ticket if it gets a job.
--
-- A function, because the counts must be read after the lock was taken (each statement of a function sees what was
-- committed before it began), and because a lock that a client holds between two messages would stop everybody
-- while that client is stopped. Call it as a transaction of its own: it is not flushed to disk before it returns. Should
-- the server crash in that moment, the job is queued as before and the lease that was given out is worth nothing.
create or replace function claim_job(in_queue text, worker text, lease_seconds double precision, backups boolean, free bigint,
                          has_permit boolean)
returns setof jobs language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_sort = on
set max_parallel_workers_per_gather = 0 set jit = off as $$
declare
    blocked text[];
    at_limit text[];
    picked text;
    job jobs;
begin
    perform set_config('synchronous_commit', 'off', true);
    perform pg_advisory_xact_lock(hashtextextended('xvault claim ' || in_queue, 0));
    select coalesce(array_agg(h.host), '{}') into blocked from blocked_hosts h;
    select coalesce(array_agg(f.tenant_id), '{}') into at_limit from full_tenants f;
    -- What comes next is in the order of an index; only the candidates themselves, a few per tenant, are sorted all the same.
    perform set_config('enable_sort', 'off', true);
    -- Waiting tenants are found by a loose index scan and each contributes two rows (one may be locked), so ten
    -- thousand queued jobs of one tenant cost the others nothing.
    for picked in with recursive waiting as (
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
        cross join lateral (
            select j.id, j.priority, j.run_at from jobs j
            where j.queue = in_queue and j.state = 'queued' and j.tenant_id = w.tenant_id and j.run_at <= now()
              and (backups or j.kind <> 'backup')
              and (j.needs_free_bytes is null or free is null or j.needs_free_bytes <= free)
              and (j.host is null or (j.tenant_id <> all (at_limit) and j.host <> all (blocked)))
            order by j.priority, j.run_at, j.id limit 2
        ) c
        where w.tenant_id is not null
    )
    select c.id from candidate c order by c.running, c.served_at nulls first, c.priority, c.run_at, c.id
    loop
        -- Somebody who cancels it, or takes its source away, may hold it just now.
        perform from jobs j where j.id = picked and j.state = 'queued' for update skip locked;
        exit when found;
        picked := null;
    end loop;
    if picked is null then
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

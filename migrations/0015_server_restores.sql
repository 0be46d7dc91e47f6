-- Restores to a server: the source a job writes to, and credentials that are for one job only.

alter table jobs
    -- the source that a restore writes to; null for every other job
    add column target_source_id text,
    add constraint jobs_target_of_restores check (target_source_id is null or kind = 'restore'),
    add constraint jobs_target_source foreign key (tenant_id, target_source_id)
        references sources (tenant_id, id) on delete cascade;
create index jobs_by_target on jobs (tenant_id, target_source_id) where target_source_id is not null;

-- One row per credential field, each sealed by the tenant's data key with tenant, job and field as associated data.
create table job_credentials (
    tenant_id   text not null,
    job_id      text not null,
    field       text not null,
    sealed      bytea not null,
    primary key (job_id, field),
    foreign key (tenant_id, job_id) references jobs (tenant_id, id) on delete cascade
);

-- They end with the job, however it ends: workers, who end most jobs, may not touch the table themselves.
create function forget_job_credentials() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from job_credentials where job_id = new.id;
    return null;
end $$;
create trigger jobs_forget_credentials after update of state on jobs
    for each row when (new.target_source_id is not null and new.finished_at is not null)
    execute function forget_job_credentials();

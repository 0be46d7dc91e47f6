-- A removal that was cancelled or failed: the snapshot is there again. Before, it stayed `deleting`, which nobody could
-- restore from. Files go away all at once, by a rename; should they be gone although the job failed, the next comparison
-- of disk and catalogue says so. In the database, so that no way in which a job ends can forget it.
create function keep_snapshot_after_all() returns trigger language plpgsql as $$
begin
    update snapshots s set state = case when s.fault is not null then 'damaged' when b.state = 'partial' then 'partial' else 'complete' end
    from jobs b
    where s.id = new.snapshot_id and s.tenant_id = new.tenant_id and s.state = 'deleting' and b.id = s.job_id;
    return null;
end $$;
create trigger jobs_delete_that_did_not after update of state on jobs
    for each row when (new.kind = 'delete' and new.state in ('failed', 'cancelled') and old.state is distinct from new.state)
    execute function keep_snapshot_after_all();

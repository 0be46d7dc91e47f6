-- What is known of snapshots on their disks, and how disks and catalogue are compared.

alter table snapshots
    -- why the state is damaged or missing, in words
    add column fault text,
    -- true if reading the content showed the damage: then only reading all of it again clears it
    add column fault_in_content boolean not null default false,
    -- what the last successful verification looked at: everything inside, or the stored files' hashes
    add column verified_depth text check (verified_depth in ('content', 'hashes')),
    -- when the schedule last ordered a verification
    add column verify_ordered_at timestamptz;
update snapshots set fault = 'noticed before reasons were kept; verify it to see why' where state in ('damaged', 'missing');
update snapshots set fault_in_content = true where state = 'damaged';
update snapshots set verified_depth = 'content' where verified_at is not null;
alter table snapshots
    add constraint snapshots_fault_says_why check (
        case when state in ('damaged', 'missing') then fault is not null
             when state in ('complete', 'partial') then fault is null and not fault_in_content
             else true end),
    add constraint snapshots_verified_whole check ((verified_at is null) = (verified_depth is null));

-- The snapshots of a worker in the order in which the schedule verifies them.
create index snapshots_by_verification
    on snapshots (worker_id, greatest(created_at, verified_at, verify_ordered_at), id)
    where state in ('complete', 'partial');

-- How far the schedule of verifications is, per worker. A row of its own and not of `workers`, because a
-- hub holds it while it orders, and heartbeats must not wait for that.
create table verification_pace (
    worker_id   text primary key references workers on delete cascade,
    -- verifications are ordered up to this time
    ordered_to  timestamptz not null default now()
);

alter table workers
    -- which storage its snapshots lie in: the id in the storage's marker file
    add column storage_id text,
    -- when it last compared its disk with the catalogue
    add column reconciled_at timestamptz,
    -- snapshots on its disk that no job stands behind; they go when they are old enough
    add column orphans integer not null default 0 check (orphans >= 0),
    -- how many such it has removed so far
    add column orphans_removed bigint not null default 0,
    -- snapshots on its disk that the catalogue has lost: kept, `xvault recover` enters them again
    add column unclaimed integer not null default 0 check (unclaimed >= 0);

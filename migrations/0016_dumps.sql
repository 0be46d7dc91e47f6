-- The dumps of databases in a snapshot, `[{path, bytes}]`, so that pages can list them and say how they are loaded while the
-- worker that has the snapshot is away. At most 200; the encrypted index has all.
alter table snapshots add column dumps jsonb not null default '[]' check (jsonb_typeof(dumps) = 'array');

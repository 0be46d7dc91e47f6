-- The proof that the dumps in a snapshot can be loaded and hold what was counted: when, how long, what. And that loading them
-- showed them to be wrong, which only loading them again takes back: every byte may have its hash all the same.
alter table snapshots
    add column restore_proof jsonb check (jsonb_typeof(restore_proof) = 'object'),
    add column fault_in_restore boolean not null default false;

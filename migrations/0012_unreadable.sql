-- A snapshot that is damaged only in that the disk failed to give its bytes. A disk may recover: its worker reads the
-- snapshot again now and then, and takes the marking back once every byte has its hash.
alter table snapshots add column unreadable boolean not null default false;

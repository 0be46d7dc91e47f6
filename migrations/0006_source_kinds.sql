-- Every kind of source that `domain::source::SourceKind` names.
alter table sources drop constraint sources_kind_check;
alter table sources add constraint sources_kind_check
    check (kind in ('ssh', 'sftp', 'ftp', 'mysql', 'postgres', 'wordpress'));

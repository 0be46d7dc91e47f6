-- One file of a snapshot can be restored as it is: a dump that is to be loaded at once.
alter table exports drop constraint exports_format_check;
alter table exports add constraint exports_format_check check (format in ('tar', 'tar.zst', 'tar.gz', 'zip', 'file'));

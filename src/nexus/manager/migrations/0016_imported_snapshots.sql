-- Snapshots that came as an archive, and not from a VM of this platform.

alter table snapshots add column is_imported boolean not null default false;

-- Diffs: snapshots that hold what differs from their parent, which therefore stays as long as they do.

alter table snapshots
    drop constraint snapshots_type_check,
    add constraint snapshots_type_check check (type in ('Full', 'Diff'));

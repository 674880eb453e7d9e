-- Diffs: snapshots that hold what differs from their parent, which therefore stays as long as they do.

alter table snapshots
    drop constraint snapshots_type_check,
    add constraint snapshots_type_check check (type in ('Full', 'Diff'));

-- Whose history an operation belongs to: a VM's own, and those on snapshots of it, also when those are gone.
alter table operations add column vm_id uuid;      -- no reference: what was done outlives what it was done to
update operations set vm_id = subject_id where subject_kind = 'vm';
update operations o set vm_id = s.vm_id from snapshots s where o.subject_kind = 'snapshot' and o.subject_id = s.id;
create index operations_by_vm on operations (vm_id, created_at, id) where vm_id is not null;

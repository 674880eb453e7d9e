-- What was done to a VM's snapshots is part of the VM's history, as with operations.

alter table audit add column vm_id uuid;           -- no reference: what was done outlives what it was done to
update audit set vm_id = subject_id where subject_kind = 'vm';
update audit a set vm_id = s.vm_id from snapshots s where a.subject_kind = 'snapshot' and a.subject_id = s.id;
create index audit_by_vm on audit (vm_id, at, id) where vm_id is not null;

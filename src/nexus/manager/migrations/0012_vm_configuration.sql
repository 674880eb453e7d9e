-- Changing a VM's configuration: rows hold what is wanted, a host reports what of it the running boot lacks.

alter table machines
    add column seen_pending    text[] not null default '{}',  -- protocol.machines.PendingName
    add column seen_applying   boolean not null default false,
    add column seen_vcpus      integer,                       -- of the running boot; null while it is off
    add column seen_memory_mib integer;

-- Changing a VM's configuration: rows hold what is wanted, a host reports what of it the running boot lacks.

alter table machines
    add column seen_pending    text[] not null default '{}',  -- protocol.machines.PendingName
    add column seen_applying   boolean not null default false,
    add column seen_vcpus      integer,                       -- of the running boot; null while it is off
    add column seen_memory_mib integer,
    -- what is wanted besides; protocol.machines.MachineSpec says what each means
    add column has_guest_agent boolean not null default true,
    add column balloon_mib     integer not null default 0,
    add column balloon_deflates_on_oom boolean not null default true,
    add column balloon_stats_s integer not null default 0,
    add column entropy_limit   jsonb,
    add column console_bytes   bigint,
    add column log_level       text,
    add column cpu_config      jsonb,
    add column vsock_cid       bigint,
    add column metadata        jsonb,
    add column user_data       text;

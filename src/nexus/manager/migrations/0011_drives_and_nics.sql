-- Drives and NICs that users add, change, limit and remove.

alter table drives
    -- A file of the host's own: as it was asked for, and where that leads once links are resolved.
    add column host_id       uuid references hosts on delete cascade,
    add column path_on_host  text,
    add column resolved_path text,
    add column cache_type    text not null default 'Writeback'
                             check (cache_type in ('Unsafe', 'Writeback', 'Writethrough')),
    add column io_engine     text not null default 'Sync' check (io_engine in ('Sync', 'Async')),
    add column rate_limiter  jsonb,                -- protocol.limits.RateLimiter
    add constraint drives_host_file check (num_nulls(host_id, path_on_host, resolved_path) in (0, 3));

-- Nobody else writes what one drive writes; that nobody reads it meanwhile is checked under a lock of the path.
create unique index drives_one_writer on drives (host_id, resolved_path) where not is_read_only;
create index drives_by_file on drives (host_id, resolved_path) where resolved_path is not null;

alter table nics
    add column rx_rate_limiter jsonb,              -- what the guest receives
    add column tx_rate_limiter jsonb;              -- what it sends

-- The boot that may still use an address after its NIC was removed: while it runs, nobody else is given that address.
alter table released_addresses
    add column machine_id    uuid,
    add column boot          integer;

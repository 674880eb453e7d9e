-- What machines and hosts use: the last sample for lists, and history in minutes and quarters of an hour.

-- One row a machine, rewritten every ten seconds or so in its own page (no index but the key, so that all of it stays
-- HOT), and told to nobody but streams of metrics. Unlogged: after a crash of the database the next samples fill it.
create unlogged table machine_usage (
    machine_id    uuid primary key references machines on delete cascade,
    at            timestamptz not null,
    cpu_percent   double precision not null,
    memory_used_kib bigint not null,
    memory_total_kib bigint not null,
    net_in_bytes_per_s double precision,           -- null, here and below: nobody knows
    net_out_bytes_per_s double precision,
    disk_read_bytes_per_s double precision,
    disk_write_bytes_per_s double precision,
    source        text not null check (source in ('guest', 'host'))
) with (fillfactor = 40);

-- What was used in the minute that began `at`, by a machine or a host. Partitions of a day are made and dropped by
-- metrics/partitions.py. No reference: history goes by time, not with its machine.
create table metric_minutes (
    source_id     uuid not null,                   -- machines.id or hosts.id
    at            timestamptz not null,
    cpu_ms        bigint not null,                 -- of all CPUs together
    capacity_ms   bigint not null,                 -- what they could have done in span_ms
    memory_used_kib bigint not null,               -- the mean
    memory_total_kib bigint not null,
    net_in_bytes  bigint,
    net_out_bytes bigint,
    disk_read_bytes bigint,
    disk_write_bytes bigint,
    storage_used_bytes bigint,
    storage_total_bytes bigint,
    span_ms       integer not null,                -- how much of it was measured
    guest_ms      integer not null,                -- how much of that by the guest; the rest by the host
    cpu_max_percent real not null,                 -- the most in any sample
    primary key (source_id, at)
) partition by range (at);

-- The same for quarters of an hour, added up from minutes once no minute of them can arrive any more.
create table metric_quarters (like metric_minutes including defaults including constraints including indexes)
    partition by range (at);

create table metric_rollup (
    is_only       boolean primary key default true check (is_only),
    through       timestamptz not null             -- quarters before this are there; after it only minutes are
);
insert into metric_rollup (through) values (date_bin('15 minutes', now(), 'epoch'));

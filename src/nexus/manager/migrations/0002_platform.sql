-- What the engine, events and idempotency keys need beyond the spine.

-- Counts events in commit order: a transaction that emits locks this row last and holds it to its end.
create table event_log (
    is_only       boolean primary key default true check (is_only),
    last_seq      bigint not null default 0,
    compacted_seq bigint not null default 0      -- everything up to this has been removed
);
insert into event_log default values;

create index events_by_time on events (at);
create index flows_overdue on flows (deadline) where deadline is not null;
create index flows_woken on flows (wakeups) where wakeups > heard;
create index flows_leased on flows (lease_expires) where lease is not null;
create index sessions_by_expiry on sessions (expires_at);
create index idempotency_keys_by_age on idempotency_keys (created_at);
create index operations_by_end on operations (finished_at) where finished_at is not null;

-- The key is claimed when the change begins and the answer kept before it commits; null: it is not known yet.
alter table idempotency_keys alter column status drop not null, alter column response drop not null;

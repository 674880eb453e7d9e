-- Hosts that fall silent and return, are drained, or are lost for good.

-- Since when a host is known to be silent, written by the sweep that noticed, together with the states of its machines.
alter table hosts add column silent_since timestamptz;
-- When an administrator gave it up: from then on it opens nothing, and nothing is asked of it.
alter table hosts add column abandoned_at timestamptz;
-- Of what was asked of the host itself (drain): operations are promises about one.
alter table hosts add column generation bigint not null default 0;

-- Its host was abandoned: whatever it has of the machine is not ours any more.
alter table machines add column abandoned boolean not null default false;
-- What the guest's agent could not apply of its configuration, as it last said.
alter table machines add column warnings text[] not null default '{}';

-- A host that comes back under another id may discard what was confirmed gone while it was away.
alter table discarded_machines
    alter column host_id drop not null,
    drop constraint discarded_machines_host_id_fkey,
    add constraint discarded_machines_host_id_fkey foreign key (host_id) references hosts on delete set null;

-- Hosts being emptied: one row while the flow works at it. What became of each VM stands in the operation's result.
create table drains (
    host_id       uuid primary key references hosts on delete cascade,
    operation_id  uuid not null,
    grace_s       integer not null,
    user_id       uuid references users on delete set null,   -- on whose behalf VMs are stopped
    username      text not null,
    created_at    timestamptz not null default now()
);

-- What came of an operation over several things, one by one.
alter table operations add column result jsonb;

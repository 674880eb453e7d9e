-- Snapshots of VMs, what begins from them, and where a VM comes from.

create table snapshots (
    id            uuid primary key,
    project_id    uuid not null references projects,
    created_by_user_id uuid references users on delete set null,
    name          text not null,
    description   text not null default '',
    vm_id         uuid references vms on delete set null,      -- null: deleted since; the snapshot stays
    vm_name       text not null,
    machine_id    uuid not null,                   -- no reference: its host still keeps the snapshot under it
    host_id       uuid not null references hosts,
    parent_id     uuid references snapshots on delete set null,  -- what its VM went on from when it was taken
    type          text not null check (type in ('Full')),
    purpose       text not null check (purpose in ('keep', 'suspend', 'clone')),
    keep_last     integer check (keep_last > 0),
    goal          text not null default 'kept' check (goal in ('kept', 'gone')),
    generation    bigint not null default 1,
    state         text not null default 'creating' check (state in ('creating', 'completed', 'failed', 'deleting')),
    fault         text,
    -- the VM as it was
    vcpus         integer not null,
    memory_mib    integer not null,
    definition    jsonb not null,                  -- vms/copying.py; never a secret of the guest
    -- suspending: which of the VM's wishes it goes with, and whether the VM ran before
    vm_generation bigint,
    resumes       boolean not null default false,
    -- what its host reported
    expected_bytes bigint not null,                -- reserved until its size is known
    size_bytes    bigint,
    memory_bytes  bigint,
    has_memory    boolean,
    checksum      text,
    path          text,
    pins          jsonb,
    warning       text,
    paused_ms     bigint,
    taken_at      timestamptz,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (project_id, name)
);
create index snapshots_by_vm on snapshots (vm_id);
create index snapshots_by_parent on snapshots (parent_id) where parent_id is not null;
create index snapshots_by_host on snapshots (host_id);
create index snapshots_by_creation on snapshots (project_id, created_at, id);

-- Images without which nothing can be made of a snapshot.
create table snapshot_images (
    snapshot_id   uuid not null references snapshots on delete cascade,
    image_id      uuid not null references images,
    primary key (snapshot_id, image_id)
);
create index snapshot_images_by_image on snapshot_images (image_id);

-- A boot of a machine that begins from a snapshot (protocol.machines.RestoreSpec).
alter table machines
    add column restore_snapshot_id uuid references snapshots on delete set null,
    add column restore_boot        integer;
create index machines_by_restore on machines (restore_snapshot_id) where restore_snapshot_id is not null;

alter table vms
    add column cloned_from_id     uuid references vms on delete set null,
    add column source_snapshot_id uuid references snapshots on delete set null,
    add column last_snapshot_id   uuid references snapshots on delete set null;  -- taken of it or gone back to last
create index vms_by_clone on vms (cloned_from_id) where cloned_from_id is not null;
create index vms_by_snapshot on vms (source_snapshot_id) where source_snapshot_id is not null;

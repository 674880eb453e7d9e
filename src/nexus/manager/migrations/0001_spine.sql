-- The spine: who may do what, where machines run, what they are, and what became of every wish.
-- Ids are UUIDv7 made by the manager; times are UTC; every resource has a project and a creator.

create table projects (
    id          uuid primary key,
    name        text not null unique,
    created_at  timestamptz not null default now()
);
insert into projects (id, name) values ('00000000-0000-7000-8000-000000000001', 'default');

create table users (
    id             uuid primary key,
    username       text not null unique,
    password_hash  text not null,
    role           text not null check (role in ('admin', 'user', 'viewer')),
    -- The first user starts with a password everybody knows; a manager bound beyond loopback refuses to start with it.
    has_default_password boolean not null default false,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now()
);

create table sessions (
    id            uuid primary key,
    user_id       uuid not null references users on delete cascade,
    token_sha256  bytea not null unique,
    created_at    timestamptz not null default now(),
    last_used_at  timestamptz not null default now(),
    expires_at    timestamptz not null
);
create index sessions_by_user on sessions (user_id);

create table join_tokens (
    id            uuid primary key,
    token_sha256  bytea not null unique,
    created_by_user_id uuid references users on delete set null,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    used_at       timestamptz,
    host_id       uuid
);

create table hosts (
    id            uuid primary key,
    name          text not null unique,
    address       text not null,                 -- unix:/path or https://host:port
    credential_sha256 bytea not null unique,
    vmm           text not null,
    facts         jsonb not null,                -- protocol.hosts.HostFacts
    usage         jsonb,                         -- protocol.hosts.HostUsage
    vcpus         integer not null,
    memory_mib    bigint not null,
    disk_bytes    bigint not null,
    cordoned      boolean not null default false,
    boot_id       text not null,
    seen_seq      bigint not null default 0,     -- of the newest full heartbeat
    last_seen_at  timestamptz not null default now(),
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);

create table images (
    id            uuid primary key,
    project_id    uuid not null references projects,
    created_by_user_id uuid references users on delete set null,
    kind          text not null check (kind in ('kernel', 'initramfs', 'rootfs', 'data')),
    name          text not null,
    description   text not null default '',
    format        text not null check (format in ('elf', 'cpio', 'squashfs', 'ext4', 'raw')),
    sha256        text not null,
    size_bytes    bigint not null,
    path          text not null,
    is_default    boolean not null default false,  -- used when a VM names no image of this kind
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (project_id, kind, name)
);
create unique index images_one_default on images (project_id, kind) where is_default;
create index images_by_sha256 on images (sha256);

create table networks (
    id            uuid primary key,
    project_id    uuid not null references projects,
    created_by_user_id uuid references users on delete set null,
    name          text not null,
    bridge        text not null,
    gateway       inet not null,                  -- host address with prefix length
    nat           boolean not null default true,
    dns           inet[] not null default '{}',
    next_host     bigint not null default 2,      -- next address never given out, counted from the network's own
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (project_id, name)
);
insert into networks (id, project_id, name, bridge, gateway) values
    ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 'default', 'fcbr0', '10.213.0.1/16');

-- Addresses that a NIC gave back. They are given out again, oldest first, when no fresh one is left.
create table released_addresses (
    network_id    uuid not null references networks on delete cascade,
    address       inet not null,
    released_at   timestamptz not null default now(),
    primary key (network_id, address)
);

-- What the engine moves. vms (and later containers, functions) refer to one each.
create table machines (
    id            uuid primary key,
    project_id    uuid not null references projects,
    created_by_user_id uuid references users on delete set null,
    kind          text not null check (kind in ('vm', 'container', 'function')),
    host_id       uuid not null references hosts,
    vcpus         integer not null,
    memory_mib    integer not null,
    kernel_image_id    uuid not null references images,
    initramfs_image_id uuid not null references images,
    boot_args     text,
    -- the wish
    goal          text not null check (goal in ('on', 'paused', 'off', 'gone')),
    generation    bigint not null default 1,
    boot          integer not null default 0,     -- boots wished for; see protocol.machines
    grace_s       integer not null default 30,
    -- what the agent reported last
    seen          text check (seen in ('on', 'paused', 'off', 'absent')),
    seen_guest    text not null default 'absent' check (seen_guest in ('booting', 'ready', 'absent')),
    seen_generation bigint not null default 0,
    seen_boot     integer not null default 0,
    seen_boot_id  text,                            -- the host's boot id at that time
    seen_seq      bigint not null default 0,
    seen_at       timestamptz,
    seen_fault    text,
    seen_fault_at timestamptz,                     -- since when it reports a fault
    stage         text,
    address       inet,
    exit          jsonb,                           -- protocol.machines.Exit
    fault         text,                            -- why the wish cannot come true, concluded by the flow; a new wish clears it
    started_at    timestamptz,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);
create index machines_by_host on machines (host_id);

-- What became of machines that have no row any more. A host may discard these and nothing else it does not know.
create table discarded_machines (
    id            uuid primary key,
    host_id       uuid not null references hosts on delete cascade,
    discarded_at  timestamptz not null default now()
);

create table vms (
    id            uuid primary key,
    machine_id    uuid not null unique references machines on delete cascade,
    project_id    uuid not null references projects,
    created_by_user_id uuid references users on delete set null,
    name          text not null,
    description   text not null default '',
    tags          text[] not null default '{}',
    environment   text not null default '',
    owner         text not null default '',
    state         text not null,                   -- written by vms/lifecycle.py alone
    why           text,                            -- one sentence on how it came to that state
    username      text not null default 'root',
    password_sealed bytea,                         -- encrypted; see kit/seal.py
    password_hash text,                            -- crypt(5), what the guest gets
    ssh_authorized_keys text[] not null default '{}',
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (project_id, name)
);
create index vms_by_state on vms (project_id, state);
create index vms_by_tag on vms using gin (tags);
create index vms_by_creation on vms (project_id, created_at, id);

create table drives (
    id            uuid primary key,
    machine_id    uuid not null references machines on delete cascade,
    drive_id      text not null,
    position      integer not null,                -- 0 is vda
    role          text not null check (role in ('root', 'overlay', 'data')),
    format        text not null check (format in ('squashfs', 'ext4', 'raw')),
    image_id      uuid references images,
    size_bytes    bigint,
    is_read_only  boolean not null default false,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (machine_id, drive_id),
    unique (machine_id, position)
);
create index drives_by_image on drives (image_id);

create table nics (
    id            uuid primary key,
    machine_id    uuid not null references machines on delete cascade,
    iface_id      text not null,
    network_id    uuid not null references networks,
    mac           macaddr not null unique,
    address       inet,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (machine_id, iface_id),
    unique (network_id, address)
);

-- One row per subject that is being moved. `heard` = `wakeups` as of the last look: a wake during a step is not lost.
create table flows (
    subject_kind  text not null,
    subject_id    uuid not null,
    flow          text not null,
    step          text not null,
    wake_at       timestamptz,                     -- null: only a wake moves it
    wakeups       bigint not null default 0,
    heard         bigint not null default 0,
    lease         uuid,
    lease_expires timestamptz,
    attempts      integer not null default 0,
    why           text,
    deadline      timestamptz,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (subject_kind, subject_id)
);
create index flows_due on flows (wake_at);

create table operations (
    id            uuid primary key,
    project_id    uuid not null references projects,
    created_by_user_id uuid references users on delete set null,
    subject_kind  text not null,
    subject_id    uuid not null,
    subject_name  text not null,
    verb          text not null,
    generation    bigint not null,
    status        text not null default 'running' check (status in ('running', 'done', 'superseded', 'failed')),
    progress      integer not null default 0 check (progress between 0 and 100),
    stage         text,
    error         jsonb,                           -- kit.problems.ProblemBody
    request_id    text,
    deadline      timestamptz,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    finished_at   timestamptz
);
create index operations_by_subject on operations (subject_kind, subject_id, generation);
create index operations_running on operations (subject_kind, subject_id) where status = 'running';
create index operations_by_creation on operations (project_id, created_at, id);

-- Numbered in commit order: events/ assigns `seq` under a lock held to the end of the transaction.
create table events (
    seq           bigint primary key,
    at            timestamptz not null default now(),
    project_id    uuid not null,
    owner_user_id uuid,                            -- who may see it besides admins
    type          text not null,                   -- vm.created, vm.state_changed, operation.updated …
    subject_kind  text not null,
    subject_id    uuid not null,
    data          jsonb not null default '{}'
);
create index events_by_subject on events (subject_kind, subject_id, seq);

create table audit (
    id            uuid primary key,
    at            timestamptz not null default now(),
    actor_user_id uuid,
    actor_name    text not null,
    verb          text not null,
    subject_kind  text not null,
    subject_id    uuid,
    subject_name  text not null default '',
    project_id    uuid,
    request_id    text,
    details       jsonb not null default '{}'
);
create index audit_by_subject on audit (subject_kind, subject_id, at);
create index audit_by_time on audit (at);

create table idempotency_keys (
    user_id       uuid not null references users on delete cascade,
    key           text not null,
    method        text not null,
    path          text not null,
    body_sha256   bytea not null,
    status        integer not null,
    response      bytea not null,
    created_at    timestamptz not null default now(),
    primary key (user_id, key)
);

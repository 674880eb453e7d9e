-- Public SSH keys by name. A key belongs to one user and goes with that user; VMs hold copies of those they were made
-- with. Two users may use the same name, and may keep the same key.

create table ssh_keys (
    id            uuid primary key,
    project_id    uuid not null references projects,
    created_by_user_id uuid not null references users on delete cascade,
    name          text not null,
    type          text not null,                   -- as on the wire: ssh-ed25519 …
    bits          integer not null,
    comment       text not null,
    fingerprint   text not null,                   -- SHA256:…, as ssh-keygen -l prints it
    public_key    text not null,                   -- one line of authorized_keys, comment included
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (project_id, created_by_user_id, name),
    unique (project_id, created_by_user_id, fingerprint)
);

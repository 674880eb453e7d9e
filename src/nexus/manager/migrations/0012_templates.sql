-- Saved VM configurations, and one wish for many VMs.

-- Images are named for good when a template is made, so that it stays what it was when another image becomes the default.
create table templates (
    id            uuid primary key,
    project_id    uuid not null references projects,
    created_by_user_id uuid references users on delete set null,
    name          text not null,
    description   text not null default '',
    vcpus         integer not null,
    memory_mib    integer not null,
    kernel_image_id uuid not null references images,
    rootfs_image_id uuid not null references images,
    settings      jsonb not null,                  -- the rest of templates.models.TemplateSpec; never a secret
    uses          bigint not null default 0,       -- VMs that were made from it, those deleted since included
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (project_id, name)
);
create index templates_by_kernel on templates (kernel_image_id);
create index templates_by_rootfs on templates (rootfs_image_id);

alter table vms add column template_id uuid references templates on delete set null;
create index vms_by_template on vms (template_id) where template_id is not null;

-- A bulk: the same verb for many VMs, wished for one by one, each in a transaction of its own.
create table bulks (
    id            uuid primary key,
    project_id    uuid not null references projects,
    created_by_user_id uuid references users on delete set null,
    verb          text not null check (verb in ('start', 'stop', 'pause', 'resume', 'delete')),
    grace_s       integer not null default 30,
    created_at    timestamptz not null default now()
);
create index bulks_by_creation on bulks (created_at);

create table bulk_items (
    bulk_id       uuid not null references bulks on delete cascade,
    position      integer not null,
    vm_id         uuid not null,                   -- as it was asked for: there may be no such VM
    vm_name       text not null default '',
    status        text not null default 'waiting'
                  check (status in ('waiting', 'running', 'done', 'unchanged', 'failed')),
    operation_id  uuid,
    error         jsonb,                           -- kit.problems.ProblemBody
    primary key (bulk_id, position)
);
create index bulk_items_by_operation on bulk_items (operation_id) where status = 'running';

-- Hosts on other machines: the authority that certifies them and the managers, and how often each host has joined.

-- Made once by the first manager that needs it. The key is sealed (kit/seal.py): a copy of the database is not enough.
create table certificate_authority (
    is_only       boolean primary key default true check (is_only),
    id            uuid not null,                   -- part of the name by which agents know managers
    certificate   text not null,                   -- PEM
    key_sealed    bytea not null,
    created_at    timestamptz not null default now()
);

-- A host's certificate is for (host, joining). One that joins again has a new number, and its older certificates are
-- for a name that nobody asks for any more.
alter table hosts add column joining integer not null default 1;

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.audit (
    id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor_user_id uuid,
    actor_name text NOT NULL,
    verb text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid,
    subject_name text DEFAULT ''::text NOT NULL,
    project_id uuid,
    request_id text,
    details jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE TABLE public.certificate_authority (
    is_only boolean DEFAULT true NOT NULL,
    id uuid NOT NULL,
    certificate text NOT NULL,
    key_sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT certificate_authority_is_only_check CHECK (is_only)
);

CREATE TABLE public.discarded_machines (
    id uuid NOT NULL,
    host_id uuid NOT NULL,
    discarded_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.drives (
    id uuid NOT NULL,
    machine_id uuid NOT NULL,
    drive_id text NOT NULL,
    "position" integer NOT NULL,
    role text NOT NULL,
    format text NOT NULL,
    image_id uuid,
    size_bytes bigint,
    is_read_only boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT drives_format_check CHECK ((format = ANY (ARRAY['squashfs'::text, 'ext4'::text, 'raw'::text]))),
    CONSTRAINT drives_role_check CHECK ((role = ANY (ARRAY['root'::text, 'overlay'::text, 'data'::text])))
);

CREATE TABLE public.event_log (
    is_only boolean DEFAULT true NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    compacted_seq bigint DEFAULT 0 NOT NULL,
    CONSTRAINT event_log_is_only_check CHECK (is_only)
);

CREATE TABLE public.events (
    seq bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    project_id uuid NOT NULL,
    owner_user_id uuid,
    type text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE TABLE public.flows (
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    flow text NOT NULL,
    step text NOT NULL,
    wake_at timestamp with time zone,
    wakeups bigint DEFAULT 0 NOT NULL,
    heard bigint DEFAULT 0 NOT NULL,
    lease uuid,
    lease_expires timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    why text,
    deadline timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.hosts (
    id uuid NOT NULL,
    name text NOT NULL,
    address text NOT NULL,
    credential_sha256 bytea NOT NULL,
    vmm text NOT NULL,
    facts jsonb NOT NULL,
    usage jsonb,
    vcpus integer NOT NULL,
    memory_mib bigint NOT NULL,
    disk_bytes bigint NOT NULL,
    cordoned boolean DEFAULT false NOT NULL,
    boot_id text NOT NULL,
    seen_seq bigint DEFAULT 0 NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    joining integer DEFAULT 1 NOT NULL,
    past_boot_ids text[] DEFAULT '{}'::text[] NOT NULL
);

CREATE TABLE public.idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    body_sha256 bytea NOT NULL,
    status integer,
    response bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.images (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_by_user_id uuid,
    kind text NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    format text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    path text NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT images_format_check CHECK ((format = ANY (ARRAY['elf'::text, 'cpio'::text, 'squashfs'::text, 'ext4'::text, 'raw'::text]))),
    CONSTRAINT images_kind_check CHECK ((kind = ANY (ARRAY['kernel'::text, 'initramfs'::text, 'rootfs'::text, 'data'::text])))
);

CREATE TABLE public.join_tokens (
    id uuid NOT NULL,
    token_sha256 bytea NOT NULL,
    created_by_user_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    host_id uuid
);

CREATE TABLE public.machines (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_by_user_id uuid,
    kind text NOT NULL,
    host_id uuid NOT NULL,
    vcpus integer NOT NULL,
    memory_mib integer NOT NULL,
    kernel_image_id uuid NOT NULL,
    initramfs_image_id uuid NOT NULL,
    boot_args text,
    goal text NOT NULL,
    generation bigint DEFAULT 1 NOT NULL,
    boot integer DEFAULT 0 NOT NULL,
    grace_s integer DEFAULT 30 NOT NULL,
    seen text,
    seen_guest text DEFAULT 'absent'::text NOT NULL,
    seen_generation bigint DEFAULT 0 NOT NULL,
    seen_boot integer DEFAULT 0 NOT NULL,
    seen_boot_id text,
    seen_seq bigint DEFAULT 0 NOT NULL,
    seen_at timestamp with time zone,
    seen_fault text,
    seen_fault_at timestamp with time zone,
    stage text,
    address inet,
    exit jsonb,
    fault text,
    started_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    restart_policy text DEFAULT 'never'::text NOT NULL,
    CONSTRAINT machines_goal_check CHECK ((goal = ANY (ARRAY['on'::text, 'paused'::text, 'off'::text, 'gone'::text]))),
    CONSTRAINT machines_kind_check CHECK ((kind = ANY (ARRAY['vm'::text, 'container'::text, 'function'::text]))),
    CONSTRAINT machines_restart_policy_check CHECK ((restart_policy = ANY (ARRAY['always'::text, 'never'::text]))),
    CONSTRAINT machines_seen_check CHECK ((seen = ANY (ARRAY['on'::text, 'paused'::text, 'off'::text, 'absent'::text]))),
    CONSTRAINT machines_seen_guest_check CHECK ((seen_guest = ANY (ARRAY['booting'::text, 'ready'::text, 'absent'::text])))
);

CREATE TABLE public.migrations (
    number integer NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.networks (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_by_user_id uuid,
    name text NOT NULL,
    bridge text NOT NULL,
    gateway inet NOT NULL,
    nat boolean DEFAULT true NOT NULL,
    dns inet[] DEFAULT '{}'::inet[] NOT NULL,
    next_host bigint DEFAULT 2 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.nics (
    id uuid NOT NULL,
    machine_id uuid NOT NULL,
    iface_id text NOT NULL,
    network_id uuid NOT NULL,
    mac macaddr NOT NULL,
    address inet,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.operations (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_by_user_id uuid,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    subject_name text NOT NULL,
    verb text NOT NULL,
    generation bigint NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    progress integer DEFAULT 0 NOT NULL,
    stage text,
    error jsonb,
    request_id text,
    deadline timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT operations_progress_check CHECK (((progress >= 0) AND (progress <= 100))),
    CONSTRAINT operations_status_check CHECK ((status = ANY (ARRAY['running'::text, 'done'::text, 'superseded'::text, 'failed'::text])))
);

CREATE TABLE public.projects (
    id uuid NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.released_addresses (
    network_id uuid NOT NULL,
    address inet NOT NULL,
    released_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sessions (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    token_sha256 bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.ssh_keys (
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_by_user_id uuid NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    bits integer NOT NULL,
    comment text NOT NULL,
    fingerprint text NOT NULL,
    public_key text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.users (
    id uuid NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    role text NOT NULL,
    has_default_password boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'user'::text, 'viewer'::text])))
);

CREATE TABLE public.vms (
    id uuid NOT NULL,
    machine_id uuid NOT NULL,
    project_id uuid NOT NULL,
    created_by_user_id uuid,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    environment text DEFAULT ''::text NOT NULL,
    owner text DEFAULT ''::text NOT NULL,
    state text NOT NULL,
    why text,
    username text DEFAULT 'root'::text NOT NULL,
    password_sealed bytea,
    password_hash text,
    ssh_authorized_keys text[] DEFAULT '{}'::text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

INSERT INTO public.audit VALUES
	('01a1f852-0fd1-7758-a31f-34039e9d86d1', '2025-11-20 09:38:10.000704+00', NULL, 'system', 'create', 'user', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', '00000000-0000-7000-8000-000000000001', NULL, '{}'),
	('01a1f852-107a-7a74-b986-abaab34d92b9', '2025-11-20 09:38:10.169944+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'login', 'user', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', '00000000-0000-7000-8000-000000000001', NULL, '{"from": "test"}'),
	('01a1f852-10a0-78eb-8910-de0c31a9f36d', '2025-11-20 09:38:10.207456+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'create', 'image', '01a1f852-109f-7957-b058-a99d41bf6b67', 'test-kernel', '00000000-0000-7000-8000-000000000001', 'f212b484-c66a-4d38-937b-362f725fd2de', '{"sha256": "c32fe4d9b4a975c1ff0c554129c5137a2e7cc79cde2a833f063e5f06cb8a9268"}'),
	('01a1f852-10a4-7453-8e69-782a86fdabfd', '2025-11-20 09:38:10.211945+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'create', 'image', '01a1f852-10a3-7b8a-b023-95d77830e704', 'test-initramfs', '00000000-0000-7000-8000-000000000001', '0b0ad4da-a506-461e-8711-32302c6f39c9', '{"sha256": "13031d16aed5a4a20464bbc5788b144c1b5eec33ebfc44110712e003070dbfa1"}'),
	('01a1f852-10a7-743b-bd4d-4689cd21d5a7', '2025-11-20 09:38:10.214539+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'create', 'image', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 'test-rootfs', '00000000-0000-7000-8000-000000000001', '2e42442e-b8be-4578-9c35-4099a6ff2dcc', '{"sha256": "1bddaad3e450686943a4601491dc873aafc756f08b2a6363447896e9bc29953c"}'),
	('01a1f852-10aa-7360-8895-0c4db04e596f', '2025-11-20 09:38:10.217938+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'login', 'user', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', '00000000-0000-7000-8000-000000000001', NULL, '{"from": "test"}'),
	('01a1f852-10bd-7c24-8e57-e6e222b2de66', '2025-11-20 09:38:10.236722+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'create', 'ssh_key', '01a1f852-10bc-73c0-abfb-b70ba1b80805', 'laptop', '00000000-0000-7000-8000-000000000001', 'cd8c0731-d544-46af-bb88-04d1c6667aa1', '{"type": "ssh-ed25519", "fingerprint": "SHA256:qH8baHrA5X0qCBovKCZyM02Q7TFtK4GMqVgOo4TZJAE"}'),
	('01a1f852-10df-73c2-be01-707b3ea059ae', '2025-11-20 09:38:10.270224+00', NULL, 'host host-1', 'register', 'host', '01a1f852-10de-7840-b867-b381d1e98c74', 'host-1', '00000000-0000-7000-8000-000000000001', '39d86aed-13d6-4376-93d2-2875a6d28ea0', '{"address": "unix:/run/nexus/agent.sock"}'),
	('01a1f852-1100-7ba3-87d5-dd28ba9c845f', '2025-11-20 09:38:10.29395+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'create', 'vm', '01a1f852-10f6-7164-93ab-ee1910151c4e', 'web-1', '00000000-0000-7000-8000-000000000001', '7962b4ae-0ba3-4876-81bf-936d5a4134f0', '{"vcpu": 1, "start": true, "mem_mib": 512}'),
	('01a1f852-1175-7d52-89a1-a8f8380ce7a7', '2025-11-20 09:38:10.406997+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'create', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', 'paused-1', '00000000-0000-7000-8000-000000000001', '88ab3991-854d-42da-b35d-89114374e7b9', '{"vcpu": 1, "start": true, "mem_mib": 512}'),
	('01a1f852-11a3-7681-873b-4d855d8d218d', '2025-11-20 09:38:10.466136+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'pause', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', 'paused-1', '00000000-0000-7000-8000-000000000001', 'e87183dc-7728-4743-9d0a-13175345ce68', '{}'),
	('01a1f852-11c0-7f7c-b9ed-6ac1076a74ac', '2025-11-20 09:38:10.491874+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'create', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', 'off-1', '00000000-0000-7000-8000-000000000001', '70f178b4-eabc-4ad8-ae19-c166635db9b3', '{"vcpu": 1, "start": true, "mem_mib": 512}'),
	('01a1f852-11ed-77d4-9bb7-b833c2f5e8a4', '2025-11-20 09:38:10.539499+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'stop', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', 'off-1', '00000000-0000-7000-8000-000000000001', '638358a3-77c8-464b-9e45-daa5bf27fae2', '{}'),
	('01a1f852-1211-7daf-b2a8-05a8cbeda9d3', '2025-11-20 09:38:10.572484+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'create', 'vm', '01a1f852-120c-7d82-9541-776077da1e7d', 'never-1', '00000000-0000-7000-8000-000000000001', '525c0697-5304-4941-8e82-9bcf1d8546f5', '{"vcpu": 1, "start": false, "mem_mib": 512}'),
	('01a1f852-1226-7f83-ba35-a614ef77a57b', '2025-11-20 09:38:10.593028+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'create', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', 'killed-1', '00000000-0000-7000-8000-000000000001', '655b4193-14a5-4303-9c8a-21d46ed26c2a', '{"vcpu": 1, "start": true, "mem_mib": 512}'),
	('01a1f852-1261-7fd3-91e0-4db6ee7a50a6', '2025-11-20 09:38:10.657557+00', NULL, 'host host-1', 'end', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', 'killed-1', '00000000-0000-7000-8000-000000000001', NULL, '{"why": "It was killed by signal 9.", "boot": 1, "reason": "vmm_killed", "boots_again": false}'),
	('01a1f852-1279-7f36-88ad-9a0ebd2433d2', '2025-11-20 09:38:10.668519+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'create', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', 'rebooted-1', '00000000-0000-7000-8000-000000000001', '146dc486-20da-4827-8e69-5fd56b8e91e5', '{"vcpu": 1, "start": true, "mem_mib": 512}'),
	('01a1f852-12ac-7433-88cc-6fe404cb7e9c', '2025-11-20 09:38:10.730955+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'reboot', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', 'rebooted-1', '00000000-0000-7000-8000-000000000001', '8ef0d73a-5636-47a5-8003-8cd6b3c1c1ad', '{}'),
	('01a1f852-12d6-7db3-9f9e-3c11f4debc10', '2025-11-20 09:38:10.76827+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'create', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', 'deleted-1', '00000000-0000-7000-8000-000000000001', '98c70514-6879-469e-bd25-2205aa70b8df', '{"vcpu": 1, "start": true, "mem_mib": 512}'),
	('01a1f852-12fe-7b63-b390-9d44f18dcb92', '2025-11-20 09:38:10.811034+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'delete', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', 'deleted-1', '00000000-0000-7000-8000-000000000001', '71e0ccb7-554b-4cb3-8f57-8f1012c5575e', '{}'),
	('01a1f852-131e-7722-a3b9-23daa83376f6', '2025-11-20 09:38:10.832909+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'create', 'vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', 'doomed-1', '00000000-0000-7000-8000-000000000001', '7c008fd9-4797-4b48-8cf3-56bb295b2669', '{"vcpu": 1, "start": true, "mem_mib": 512}'),
	('01a1f852-140b-7588-8dc7-445d9defd5ee', '2025-11-20 09:38:11.073022+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'create', 'vm', '01a1f852-1401-7d25-9f7f-2485003b526a', 'new-1', '00000000-0000-7000-8000-000000000001', '66cc1f65-6e61-4e46-b079-ba8c20dab688', '{"vcpu": 1, "start": true, "mem_mib": 512}'),
	('01a1f852-1411-7e50-8b26-cc780c29825e', '2025-11-20 09:38:11.08725+00', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', 'delete', 'vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', 'doomed-1', '00000000-0000-7000-8000-000000000001', '220e64c8-74da-40ff-a469-de1bf87bf041', '{}'),
	('01a1f852-1416-774c-9d70-ebc60441c763', '2025-11-20 09:38:11.092927+00', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', 'resume', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', 'paused-1', '00000000-0000-7000-8000-000000000001', '67f58efd-a711-4070-845e-7402676a0f97', '{}');

INSERT INTO public.discarded_machines VALUES
	('01a1f852-12d1-779a-9c15-93b24e691cb4', '01a1f852-10de-7840-b867-b381d1e98c74', '2025-11-20 09:38:10.826541+00');

INSERT INTO public.drives VALUES
	('01a1f852-10f8-7cc3-9798-7dd1a16fef99', '01a1f852-10f7-72ea-8db0-6ef107ff897b', 'root', 0, 'root', 'squashfs', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 8192, true, '2025-11-20 09:38:10.29395+00', '2025-11-20 09:38:10.29395+00'),
	('01a1f852-10f8-741a-a9e3-285f75ca7eda', '01a1f852-10f7-72ea-8db0-6ef107ff897b', 'overlay', 1, 'overlay', 'ext4', NULL, 4294967296, false, '2025-11-20 09:38:10.29395+00', '2025-11-20 09:38:10.29395+00'),
	('01a1f852-116a-7806-a4dc-160fca1136ad', '01a1f852-1169-7ca9-a49e-cce99a317526', 'root', 0, 'root', 'squashfs', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 8192, true, '2025-11-20 09:38:10.406997+00', '2025-11-20 09:38:10.406997+00'),
	('01a1f852-116a-7b06-8eef-e43a3c2b4c82', '01a1f852-1169-7ca9-a49e-cce99a317526', 'overlay', 1, 'overlay', 'ext4', NULL, 4294967296, false, '2025-11-20 09:38:10.406997+00', '2025-11-20 09:38:10.406997+00'),
	('01a1f852-11bd-7aee-8b60-237df99fa947', '01a1f852-11bc-7877-a346-9c20c683dd6a', 'root', 0, 'root', 'squashfs', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 8192, true, '2025-11-20 09:38:10.491874+00', '2025-11-20 09:38:10.491874+00'),
	('01a1f852-11bd-7667-9f2a-da8af2f88cc2', '01a1f852-11bc-7877-a346-9c20c683dd6a', 'overlay', 1, 'overlay', 'ext4', NULL, 4294967296, false, '2025-11-20 09:38:10.491874+00', '2025-11-20 09:38:10.491874+00'),
	('01a1f852-120e-7d6f-b28c-ea20053270b8', '01a1f852-120d-70f1-a02f-7ef6c9110e56', 'root', 0, 'root', 'squashfs', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 8192, true, '2025-11-20 09:38:10.572484+00', '2025-11-20 09:38:10.572484+00'),
	('01a1f852-120e-7060-892e-265e6ada41f5', '01a1f852-120d-70f1-a02f-7ef6c9110e56', 'overlay', 1, 'overlay', 'ext4', NULL, 4294967296, false, '2025-11-20 09:38:10.572484+00', '2025-11-20 09:38:10.572484+00'),
	('01a1f852-1222-7963-a636-de60002266dc', '01a1f852-1221-73ff-9fd6-45f9eb12bad9', 'root', 0, 'root', 'squashfs', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 8192, true, '2025-11-20 09:38:10.593028+00', '2025-11-20 09:38:10.593028+00'),
	('01a1f852-1222-7940-a64a-2b8b53e9f6d7', '01a1f852-1221-73ff-9fd6-45f9eb12bad9', 'overlay', 1, 'overlay', 'ext4', NULL, 4294967296, false, '2025-11-20 09:38:10.593028+00', '2025-11-20 09:38:10.593028+00'),
	('01a1f852-1271-7f29-aa58-55259e32df29', '01a1f852-1270-74d6-b04d-9a97e054a76e', 'root', 0, 'root', 'squashfs', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 8192, true, '2025-11-20 09:38:10.668519+00', '2025-11-20 09:38:10.668519+00'),
	('01a1f852-1271-7482-9437-4d86708588ac', '01a1f852-1270-74d6-b04d-9a97e054a76e', 'overlay', 1, 'overlay', 'ext4', NULL, 4294967296, false, '2025-11-20 09:38:10.668519+00', '2025-11-20 09:38:10.668519+00'),
	('01a1f852-1317-79b6-8e2d-268c6f5f536f', '01a1f852-1315-7d1c-a5cb-d221e072dbcf', 'root', 0, 'root', 'squashfs', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 8192, true, '2025-11-20 09:38:10.832909+00', '2025-11-20 09:38:10.832909+00'),
	('01a1f852-1317-7d67-bfa9-46d82d3f34fd', '01a1f852-1315-7d1c-a5cb-d221e072dbcf', 'overlay', 1, 'overlay', 'ext4', NULL, 4294967296, false, '2025-11-20 09:38:10.832909+00', '2025-11-20 09:38:10.832909+00'),
	('01a1f852-1404-7d3f-8918-1d8fa9869a01', '01a1f852-1402-7fdc-99a4-72437069e56f', 'root', 0, 'root', 'squashfs', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', 8192, true, '2025-11-20 09:38:11.073022+00', '2025-11-20 09:38:11.073022+00'),
	('01a1f852-1404-720b-ba96-90e9fa0e4899', '01a1f852-1402-7fdc-99a4-72437069e56f', 'overlay', 1, 'overlay', 'ext4', NULL, 4294967296, false, '2025-11-20 09:38:11.073022+00', '2025-11-20 09:38:11.073022+00');

INSERT INTO public.event_log VALUES
	(true, 94, 0);

INSERT INTO public.events VALUES
	(1, '2025-11-20 09:38:10.209117+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'image.created', 'image', '01a1f852-109f-7957-b058-a99d41bf6b67', '{}'),
	(2, '2025-11-20 09:38:10.212531+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'image.created', 'image', '01a1f852-10a3-7b8a-b023-95d77830e704', '{}'),
	(3, '2025-11-20 09:38:10.216223+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'image.created', 'image', '01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', '{}'),
	(4, '2025-11-20 09:38:10.237714+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'ssh_key.created', 'ssh_key', '01a1f852-10bc-73c0-abfb-b70ba1b80805', '{}'),
	(5, '2025-11-20 09:38:10.306413+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.created', 'vm', '01a1f852-10f6-7164-93ab-ee1910151c4e', '{}'),
	(6, '2025-11-20 09:38:10.306571+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-1101-7693-8111-c6507bb0f9ed', '{"id": "01a1f852-1101-7693-8111-c6507bb0f9ed", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.293950Z", "request_id": "7962b4ae-0ba3-4876-81bf-936d5a4134f0", "subject_id": "01a1f852-10f6-7164-93ab-ee1910151c4e", "updated_at": "2025-11-20T09:38:10.293950Z", "finished_at": null, "subject_kind": "vm", "subject_name": "web-1"}'),
	(7, '2025-11-20 09:38:10.352193+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.state_changed', 'vm', '01a1f852-10f6-7164-93ab-ee1910151c4e', '{"state": "starting", "previous": "creating"}'),
	(8, '2025-11-20 09:38:10.352364+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.updated', 'vm', '01a1f852-10f6-7164-93ab-ee1910151c4e', '{}'),
	(9, '2025-11-20 09:38:10.380185+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-1101-7693-8111-c6507bb0f9ed', '{"id": "01a1f852-1101-7693-8111-c6507bb0f9ed", "verb": "create", "error": null, "stage": "preparing", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.293950Z", "request_id": "7962b4ae-0ba3-4876-81bf-936d5a4134f0", "subject_id": "01a1f852-10f6-7164-93ab-ee1910151c4e", "updated_at": "2025-11-20T09:38:10.365340Z", "finished_at": null, "subject_kind": "vm", "subject_name": "web-1"}'),
	(10, '2025-11-20 09:38:10.399137+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.state_changed', 'vm', '01a1f852-10f6-7164-93ab-ee1910151c4e', '{"state": "running", "previous": "starting"}'),
	(11, '2025-11-20 09:38:10.404545+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-1101-7693-8111-c6507bb0f9ed', '{"id": "01a1f852-1101-7693-8111-c6507bb0f9ed", "verb": "create", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.293950Z", "request_id": "7962b4ae-0ba3-4876-81bf-936d5a4134f0", "subject_id": "01a1f852-10f6-7164-93ab-ee1910151c4e", "updated_at": "2025-11-20T09:38:10.399680Z", "finished_at": "2025-11-20T09:38:10.399680Z", "subject_kind": "vm", "subject_name": "web-1"}'),
	(12, '2025-11-20 09:38:10.422758+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.created', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', '{}'),
	(13, '2025-11-20 09:38:10.422943+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-1176-7ea6-828e-a1d17e151e60', '{"id": "01a1f852-1176-7ea6-828e-a1d17e151e60", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.406997Z", "request_id": "88ab3991-854d-42da-b35d-89114374e7b9", "subject_id": "01a1f852-1167-77fc-be87-118205a8b686", "updated_at": "2025-11-20T09:38:10.406997Z", "finished_at": null, "subject_kind": "vm", "subject_name": "paused-1"}'),
	(14, '2025-11-20 09:38:10.434539+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.state_changed', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', '{"state": "starting", "previous": "creating"}'),
	(15, '2025-11-20 09:38:10.447781+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-1176-7ea6-828e-a1d17e151e60', '{"id": "01a1f852-1176-7ea6-828e-a1d17e151e60", "verb": "create", "error": null, "stage": "preparing", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.406997Z", "request_id": "88ab3991-854d-42da-b35d-89114374e7b9", "subject_id": "01a1f852-1167-77fc-be87-118205a8b686", "updated_at": "2025-11-20T09:38:10.445207Z", "finished_at": null, "subject_kind": "vm", "subject_name": "paused-1"}'),
	(16, '2025-11-20 09:38:10.456523+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.state_changed', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', '{"state": "running", "previous": "starting"}'),
	(17, '2025-11-20 09:38:10.456712+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.updated', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', '{}'),
	(18, '2025-11-20 09:38:10.456892+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-1176-7ea6-828e-a1d17e151e60', '{"id": "01a1f852-1176-7ea6-828e-a1d17e151e60", "verb": "create", "error": null, "stage": "booting", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.406997Z", "request_id": "88ab3991-854d-42da-b35d-89114374e7b9", "subject_id": "01a1f852-1167-77fc-be87-118205a8b686", "updated_at": "2025-11-20T09:38:10.452767Z", "finished_at": null, "subject_kind": "vm", "subject_name": "paused-1"}'),
	(19, '2025-11-20 09:38:10.463707+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-1176-7ea6-828e-a1d17e151e60', '{"id": "01a1f852-1176-7ea6-828e-a1d17e151e60", "verb": "create", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.406997Z", "request_id": "88ab3991-854d-42da-b35d-89114374e7b9", "subject_id": "01a1f852-1167-77fc-be87-118205a8b686", "updated_at": "2025-11-20T09:38:10.462229Z", "finished_at": "2025-11-20T09:38:10.462229Z", "subject_kind": "vm", "subject_name": "paused-1"}'),
	(20, '2025-11-20 09:38:10.468062+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-11a3-7cd0-85af-987efe595fcb', '{"id": "01a1f852-11a3-7cd0-85af-987efe595fcb", "verb": "pause", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.466136Z", "request_id": "e87183dc-7728-4743-9d0a-13175345ce68", "subject_id": "01a1f852-1167-77fc-be87-118205a8b686", "updated_at": "2025-11-20T09:38:10.466136Z", "finished_at": null, "subject_kind": "vm", "subject_name": "paused-1"}'),
	(21, '2025-11-20 09:38:10.486433+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm.state_changed', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', '{"state": "paused", "previous": "running"}'),
	(22, '2025-11-20 09:38:10.489309+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-11a3-7cd0-85af-987efe595fcb', '{"id": "01a1f852-11a3-7cd0-85af-987efe595fcb", "verb": "pause", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.466136Z", "request_id": "e87183dc-7728-4743-9d0a-13175345ce68", "subject_id": "01a1f852-1167-77fc-be87-118205a8b686", "updated_at": "2025-11-20T09:38:10.484788Z", "finished_at": "2025-11-20T09:38:10.484788Z", "subject_kind": "vm", "subject_name": "paused-1"}'),
	(23, '2025-11-20 09:38:10.497672+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.created', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', '{}'),
	(24, '2025-11-20 09:38:10.497792+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-11c1-7b03-8f92-ed411210d18e', '{"id": "01a1f852-11c1-7b03-8f92-ed411210d18e", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.491874Z", "request_id": "70f178b4-eabc-4ad8-ae19-c166635db9b3", "subject_id": "01a1f852-11bc-7313-a9ff-bf481ae00f44", "updated_at": "2025-11-20T09:38:10.491874Z", "finished_at": null, "subject_kind": "vm", "subject_name": "off-1"}'),
	(25, '2025-11-20 09:38:10.507686+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', '{"state": "starting", "previous": "creating"}'),
	(26, '2025-11-20 09:38:10.519938+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-11c1-7b03-8f92-ed411210d18e', '{"id": "01a1f852-11c1-7b03-8f92-ed411210d18e", "verb": "create", "error": null, "stage": "preparing", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.491874Z", "request_id": "70f178b4-eabc-4ad8-ae19-c166635db9b3", "subject_id": "01a1f852-11bc-7313-a9ff-bf481ae00f44", "updated_at": "2025-11-20T09:38:10.515406Z", "finished_at": null, "subject_kind": "vm", "subject_name": "off-1"}'),
	(27, '2025-11-20 09:38:10.529701+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-11c1-7b03-8f92-ed411210d18e', '{"id": "01a1f852-11c1-7b03-8f92-ed411210d18e", "verb": "create", "error": null, "stage": "booting", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.491874Z", "request_id": "70f178b4-eabc-4ad8-ae19-c166635db9b3", "subject_id": "01a1f852-11bc-7313-a9ff-bf481ae00f44", "updated_at": "2025-11-20T09:38:10.525921Z", "finished_at": null, "subject_kind": "vm", "subject_name": "off-1"}'),
	(33, '2025-11-20 09:38:10.567104+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', '{"state": "stopped", "previous": "stopping"}'),
	(34, '2025-11-20 09:38:10.567204+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', '{}'),
	(43, '2025-11-20 09:38:10.608369+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', '{"state": "starting", "previous": "creating"}'),
	(44, '2025-11-20 09:38:10.60849+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', '{}'),
	(50, '2025-11-20 09:38:10.659049+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.ended', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', '{"why": "It was killed by signal 9.", "boot": 1, "reason": "vmm_killed", "boots_again": false}'),
	(51, '2025-11-20 09:38:10.659152+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', '{"state": "stopped", "previous": "running"}'),
	(54, '2025-11-20 09:38:10.696059+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', '{"state": "starting", "previous": "creating"}'),
	(55, '2025-11-20 09:38:10.696166+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', '{}'),
	(57, '2025-11-20 09:38:10.722387+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-127a-7349-998a-b68fa48bdc4f', '{"id": "01a1f852-127a-7349-998a-b68fa48bdc4f", "verb": "create", "error": null, "stage": "booting", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.668519Z", "request_id": "146dc486-20da-4827-8e69-5fd56b8e91e5", "subject_id": "01a1f852-126e-79fe-a15c-b2a732617853", "updated_at": "2025-11-20T09:38:10.718670Z", "finished_at": null, "subject_kind": "vm", "subject_name": "rebooted-1"}'),
	(63, '2025-11-20 09:38:10.758504+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', '{}'),
	(64, '2025-11-20 09:38:10.758633+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12ac-7b72-969b-d24202f904b7', '{"id": "01a1f852-12ac-7b72-969b-d24202f904b7", "verb": "reboot", "error": null, "stage": "preparing", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.730955Z", "request_id": "8ef0d73a-5636-47a5-8003-8cd6b3c1c1ad", "subject_id": "01a1f852-126e-79fe-a15c-b2a732617853", "updated_at": "2025-11-20T09:38:10.754878Z", "finished_at": null, "subject_kind": "vm", "subject_name": "rebooted-1"}'),
	(72, '2025-11-20 09:38:10.793238+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12d6-7f9f-a191-ea818aad4845', '{"id": "01a1f852-12d6-7f9f-a191-ea818aad4845", "verb": "create", "error": null, "stage": "preparing", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.768270Z", "request_id": "98c70514-6879-469e-bd25-2205aa70b8df", "subject_id": "01a1f852-12d0-7561-a1d6-756ca45468db", "updated_at": "2025-11-20T09:38:10.790041Z", "finished_at": null, "subject_kind": "vm", "subject_name": "deleted-1"}'),
	(73, '2025-11-20 09:38:10.806461+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', '{"state": "running", "previous": "starting"}'),
	(74, '2025-11-20 09:38:10.806554+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', '{}'),
	(75, '2025-11-20 09:38:10.806634+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12d6-7f9f-a191-ea818aad4845', '{"id": "01a1f852-12d6-7f9f-a191-ea818aad4845", "verb": "create", "error": null, "stage": "booting", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.768270Z", "request_id": "98c70514-6879-469e-bd25-2205aa70b8df", "subject_id": "01a1f852-12d0-7561-a1d6-756ca45468db", "updated_at": "2025-11-20T09:38:10.804785Z", "finished_at": null, "subject_kind": "vm", "subject_name": "deleted-1"}'),
	(77, '2025-11-20 09:38:10.815403+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', '{"state": "deleting", "previous": "running"}'),
	(78, '2025-11-20 09:38:10.815505+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12ff-78b3-9e34-7c90a47d7567', '{"id": "01a1f852-12ff-78b3-9e34-7c90a47d7567", "verb": "delete", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.811034Z", "request_id": "71e0ccb7-554b-4cb3-8f57-8f1012c5575e", "subject_id": "01a1f852-12d0-7561-a1d6-756ca45468db", "updated_at": "2025-11-20T09:38:10.811034Z", "finished_at": null, "subject_kind": "vm", "subject_name": "deleted-1"}'),
	(79, '2025-11-20 09:38:10.822017+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12ff-78b3-9e34-7c90a47d7567', '{"id": "01a1f852-12ff-78b3-9e34-7c90a47d7567", "verb": "delete", "error": null, "stage": "deleting", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.811034Z", "request_id": "71e0ccb7-554b-4cb3-8f57-8f1012c5575e", "subject_id": "01a1f852-12d0-7561-a1d6-756ca45468db", "updated_at": "2025-11-20T09:38:10.820284Z", "finished_at": null, "subject_kind": "vm", "subject_name": "deleted-1"}'),
	(85, '2025-11-20 09:38:10.855385+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', '{"state": "starting", "previous": "creating"}'),
	(87, '2025-11-20 09:38:10.879496+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-131e-7d3b-9599-45f366a80ce6', '{"id": "01a1f852-131e-7d3b-9599-45f366a80ce6", "verb": "create", "error": null, "stage": "booting", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.832909Z", "request_id": "7c008fd9-4797-4b48-8cf3-56bb295b2669", "subject_id": "01a1f852-1312-7ab4-be85-8c062f08ff0f", "updated_at": "2025-11-20T09:38:10.874248Z", "finished_at": null, "subject_kind": "vm", "subject_name": "doomed-1"}'),
	(28, '2025-11-20 09:38:10.533616+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', '{"state": "running", "previous": "starting"}'),
	(29, '2025-11-20 09:38:10.536959+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-11c1-7b03-8f92-ed411210d18e', '{"id": "01a1f852-11c1-7b03-8f92-ed411210d18e", "verb": "create", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.491874Z", "request_id": "70f178b4-eabc-4ad8-ae19-c166635db9b3", "subject_id": "01a1f852-11bc-7313-a9ff-bf481ae00f44", "updated_at": "2025-11-20T09:38:10.534148Z", "finished_at": "2025-11-20T09:38:10.534148Z", "subject_kind": "vm", "subject_name": "off-1"}'),
	(36, '2025-11-20 09:38:10.578536+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.created', 'vm', '01a1f852-120c-7d82-9541-776077da1e7d', '{}');
INSERT INTO public.events VALUES
	(37, '2025-11-20 09:38:10.578645+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-1212-704e-b9d7-6f44d9885efa', '{"id": "01a1f852-1212-704e-b9d7-6f44d9885efa", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.572484Z", "request_id": "525c0697-5304-4941-8e82-9bcf1d8546f5", "subject_id": "01a1f852-120c-7d82-9541-776077da1e7d", "updated_at": "2025-11-20T09:38:10.572484Z", "finished_at": null, "subject_kind": "vm", "subject_name": "never-1"}'),
	(38, '2025-11-20 09:38:10.5871+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-120c-7d82-9541-776077da1e7d', '{"state": "stopped", "previous": "creating"}'),
	(39, '2025-11-20 09:38:10.58721+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-120c-7d82-9541-776077da1e7d', '{}'),
	(41, '2025-11-20 09:38:10.599078+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.created', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', '{}'),
	(42, '2025-11-20 09:38:10.599201+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-1226-7ae2-9708-8bb38dfb994e', '{"id": "01a1f852-1226-7ae2-9708-8bb38dfb994e", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.593028Z", "request_id": "655b4193-14a5-4303-9c8a-21d46ed26c2a", "subject_id": "01a1f852-1221-767c-b4f6-4bc88502eda4", "updated_at": "2025-11-20T09:38:10.593028Z", "finished_at": null, "subject_kind": "vm", "subject_name": "killed-1"}'),
	(47, '2025-11-20 09:38:10.636733+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', '{"state": "running", "previous": "starting"}'),
	(48, '2025-11-20 09:38:10.640411+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-1226-7ae2-9708-8bb38dfb994e', '{"id": "01a1f852-1226-7ae2-9708-8bb38dfb994e", "verb": "create", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.593028Z", "request_id": "655b4193-14a5-4303-9c8a-21d46ed26c2a", "subject_id": "01a1f852-1221-767c-b4f6-4bc88502eda4", "updated_at": "2025-11-20T09:38:10.637742Z", "finished_at": "2025-11-20T09:38:10.637742Z", "subject_kind": "vm", "subject_name": "killed-1"}'),
	(60, '2025-11-20 09:38:10.733225+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', '{"state": "starting", "previous": "running"}'),
	(61, '2025-11-20 09:38:10.733338+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12ac-7b72-969b-d24202f904b7', '{"id": "01a1f852-12ac-7b72-969b-d24202f904b7", "verb": "reboot", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.730955Z", "request_id": "8ef0d73a-5636-47a5-8003-8cd6b3c1c1ad", "subject_id": "01a1f852-126e-79fe-a15c-b2a732617853", "updated_at": "2025-11-20T09:38:10.730955Z", "finished_at": null, "subject_kind": "vm", "subject_name": "rebooted-1"}'),
	(67, '2025-11-20 09:38:10.766293+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12ac-7b72-969b-d24202f904b7', '{"id": "01a1f852-12ac-7b72-969b-d24202f904b7", "verb": "reboot", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.730955Z", "request_id": "8ef0d73a-5636-47a5-8003-8cd6b3c1c1ad", "subject_id": "01a1f852-126e-79fe-a15c-b2a732617853", "updated_at": "2025-11-20T09:38:10.763018Z", "finished_at": "2025-11-20T09:38:10.763018Z", "subject_kind": "vm", "subject_name": "rebooted-1"}'),
	(76, '2025-11-20 09:38:10.808755+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12d6-7f9f-a191-ea818aad4845', '{"id": "01a1f852-12d6-7f9f-a191-ea818aad4845", "verb": "create", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.768270Z", "request_id": "98c70514-6879-469e-bd25-2205aa70b8df", "subject_id": "01a1f852-12d0-7561-a1d6-756ca45468db", "updated_at": "2025-11-20T09:38:10.804974Z", "finished_at": "2025-11-20T09:38:10.804974Z", "subject_kind": "vm", "subject_name": "deleted-1"}'),
	(86, '2025-11-20 09:38:10.866472+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-131e-7d3b-9599-45f366a80ce6', '{"id": "01a1f852-131e-7d3b-9599-45f366a80ce6", "verb": "create", "error": null, "stage": "preparing", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.832909Z", "request_id": "7c008fd9-4797-4b48-8cf3-56bb295b2669", "subject_id": "01a1f852-1312-7ab4-be85-8c062f08ff0f", "updated_at": "2025-11-20T09:38:10.861060Z", "finished_at": null, "subject_kind": "vm", "subject_name": "doomed-1"}'),
	(30, '2025-11-20 09:38:10.542605+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', '{"state": "stopping", "previous": "running"}'),
	(31, '2025-11-20 09:38:10.542775+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-11ed-7694-b7b3-ddd1ea303ca9', '{"id": "01a1f852-11ed-7694-b7b3-ddd1ea303ca9", "verb": "stop", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.539499Z", "request_id": "638358a3-77c8-464b-9e45-daa5bf27fae2", "subject_id": "01a1f852-11bc-7313-a9ff-bf481ae00f44", "updated_at": "2025-11-20T09:38:10.539499Z", "finished_at": null, "subject_kind": "vm", "subject_name": "off-1"}'),
	(46, '2025-11-20 09:38:10.633311+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-1226-7ae2-9708-8bb38dfb994e', '{"id": "01a1f852-1226-7ae2-9708-8bb38dfb994e", "verb": "create", "error": null, "stage": "booting", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.593028Z", "request_id": "655b4193-14a5-4303-9c8a-21d46ed26c2a", "subject_id": "01a1f852-1221-767c-b4f6-4bc88502eda4", "updated_at": "2025-11-20T09:38:10.629505Z", "finished_at": null, "subject_kind": "vm", "subject_name": "killed-1"}'),
	(49, '2025-11-20 09:38:10.652735+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', '{}'),
	(56, '2025-11-20 09:38:10.712535+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-127a-7349-998a-b68fa48bdc4f', '{"id": "01a1f852-127a-7349-998a-b68fa48bdc4f", "verb": "create", "error": null, "stage": "preparing", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.668519Z", "request_id": "146dc486-20da-4827-8e69-5fd56b8e91e5", "subject_id": "01a1f852-126e-79fe-a15c-b2a732617853", "updated_at": "2025-11-20T09:38:10.706761Z", "finished_at": null, "subject_kind": "vm", "subject_name": "rebooted-1"}'),
	(59, '2025-11-20 09:38:10.729023+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-127a-7349-998a-b68fa48bdc4f', '{"id": "01a1f852-127a-7349-998a-b68fa48bdc4f", "verb": "create", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.668519Z", "request_id": "146dc486-20da-4827-8e69-5fd56b8e91e5", "subject_id": "01a1f852-126e-79fe-a15c-b2a732617853", "updated_at": "2025-11-20T09:38:10.726510Z", "finished_at": "2025-11-20T09:38:10.726510Z", "subject_kind": "vm", "subject_name": "rebooted-1"}'),
	(70, '2025-11-20 09:38:10.783232+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', '{"state": "starting", "previous": "creating"}'),
	(71, '2025-11-20 09:38:10.783318+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', '{}'),
	(80, '2025-11-20 09:38:10.827771+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', '{}'),
	(83, '2025-11-20 09:38:10.846746+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.created', 'vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', '{}'),
	(84, '2025-11-20 09:38:10.846857+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-131e-7d3b-9599-45f366a80ce6', '{"id": "01a1f852-131e-7d3b-9599-45f366a80ce6", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.832909Z", "request_id": "7c008fd9-4797-4b48-8cf3-56bb295b2669", "subject_id": "01a1f852-1312-7ab4-be85-8c062f08ff0f", "updated_at": "2025-11-20T09:38:10.832909Z", "finished_at": null, "subject_kind": "vm", "subject_name": "doomed-1"}'),
	(32, '2025-11-20 09:38:10.560346+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-11ed-7694-b7b3-ddd1ea303ca9', '{"id": "01a1f852-11ed-7694-b7b3-ddd1ea303ca9", "verb": "stop", "error": null, "stage": "shutting down", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.539499Z", "request_id": "638358a3-77c8-464b-9e45-daa5bf27fae2", "subject_id": "01a1f852-11bc-7313-a9ff-bf481ae00f44", "updated_at": "2025-11-20T09:38:10.556617Z", "finished_at": null, "subject_kind": "vm", "subject_name": "off-1"}'),
	(35, '2025-11-20 09:38:10.57015+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-11ed-7694-b7b3-ddd1ea303ca9', '{"id": "01a1f852-11ed-7694-b7b3-ddd1ea303ca9", "verb": "stop", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.539499Z", "request_id": "638358a3-77c8-464b-9e45-daa5bf27fae2", "subject_id": "01a1f852-11bc-7313-a9ff-bf481ae00f44", "updated_at": "2025-11-20T09:38:10.569323Z", "finished_at": "2025-11-20T09:38:10.569323Z", "subject_kind": "vm", "subject_name": "off-1"}'),
	(40, '2025-11-20 09:38:10.590078+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-1212-704e-b9d7-6f44d9885efa', '{"id": "01a1f852-1212-704e-b9d7-6f44d9885efa", "verb": "create", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.572484Z", "request_id": "525c0697-5304-4941-8e82-9bcf1d8546f5", "subject_id": "01a1f852-120c-7d82-9541-776077da1e7d", "updated_at": "2025-11-20T09:38:10.589251Z", "finished_at": "2025-11-20T09:38:10.589251Z", "subject_kind": "vm", "subject_name": "never-1"}'),
	(45, '2025-11-20 09:38:10.624211+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-1226-7ae2-9708-8bb38dfb994e', '{"id": "01a1f852-1226-7ae2-9708-8bb38dfb994e", "verb": "create", "error": null, "stage": "preparing", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.593028Z", "request_id": "655b4193-14a5-4303-9c8a-21d46ed26c2a", "subject_id": "01a1f852-1221-767c-b4f6-4bc88502eda4", "updated_at": "2025-11-20T09:38:10.620211Z", "finished_at": null, "subject_kind": "vm", "subject_name": "killed-1"}'),
	(52, '2025-11-20 09:38:10.682956+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.created', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', '{}'),
	(53, '2025-11-20 09:38:10.683113+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-127a-7349-998a-b68fa48bdc4f', '{"id": "01a1f852-127a-7349-998a-b68fa48bdc4f", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.668519Z", "request_id": "146dc486-20da-4827-8e69-5fd56b8e91e5", "subject_id": "01a1f852-126e-79fe-a15c-b2a732617853", "updated_at": "2025-11-20T09:38:10.668519Z", "finished_at": null, "subject_kind": "vm", "subject_name": "rebooted-1"}'),
	(58, '2025-11-20 09:38:10.72562+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', '{"state": "running", "previous": "starting"}'),
	(62, '2025-11-20 09:38:10.750963+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12ac-7b72-969b-d24202f904b7', '{"id": "01a1f852-12ac-7b72-969b-d24202f904b7", "verb": "reboot", "error": null, "stage": "shutting down", "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.730955Z", "request_id": "8ef0d73a-5636-47a5-8003-8cd6b3c1c1ad", "subject_id": "01a1f852-126e-79fe-a15c-b2a732617853", "updated_at": "2025-11-20T09:38:10.746506Z", "finished_at": null, "subject_kind": "vm", "subject_name": "rebooted-1"}'),
	(65, '2025-11-20 09:38:10.764322+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', '{"state": "running", "previous": "starting"}'),
	(66, '2025-11-20 09:38:10.764427+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.updated', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', '{}'),
	(68, '2025-11-20 09:38:10.774705+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.created', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', '{}'),
	(69, '2025-11-20 09:38:10.774812+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12d6-7f9f-a191-ea818aad4845', '{"id": "01a1f852-12d6-7f9f-a191-ea818aad4845", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:10.768270Z", "request_id": "98c70514-6879-469e-bd25-2205aa70b8df", "subject_id": "01a1f852-12d0-7561-a1d6-756ca45468db", "updated_at": "2025-11-20T09:38:10.768270Z", "finished_at": null, "subject_kind": "vm", "subject_name": "deleted-1"}'),
	(81, '2025-11-20 09:38:10.831206+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-12ff-78b3-9e34-7c90a47d7567', '{"id": "01a1f852-12ff-78b3-9e34-7c90a47d7567", "verb": "delete", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.811034Z", "request_id": "71e0ccb7-554b-4cb3-8f57-8f1012c5575e", "subject_id": "01a1f852-12d0-7561-a1d6-756ca45468db", "updated_at": "2025-11-20T09:38:10.826541Z", "finished_at": "2025-11-20T09:38:10.826541Z", "subject_kind": "vm", "subject_name": "deleted-1"}'),
	(82, '2025-11-20 09:38:10.831315+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.deleted', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', '{}'),
	(88, '2025-11-20 09:38:10.889863+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', '{"state": "running", "previous": "starting"}'),
	(89, '2025-11-20 09:38:10.893234+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-131e-7d3b-9599-45f366a80ce6', '{"id": "01a1f852-131e-7d3b-9599-45f366a80ce6", "verb": "create", "error": null, "stage": null, "status": "done", "progress": 100, "created_at": "2025-11-20T09:38:10.832909Z", "request_id": "7c008fd9-4797-4b48-8cf3-56bb295b2669", "subject_id": "01a1f852-1312-7ab4-be85-8c062f08ff0f", "updated_at": "2025-11-20T09:38:10.891646Z", "finished_at": "2025-11-20T09:38:10.891646Z", "subject_kind": "vm", "subject_name": "doomed-1"}'),
	(90, '2025-11-20 09:38:11.085359+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.created', 'vm', '01a1f852-1401-7d25-9f7f-2485003b526a', '{}'),
	(91, '2025-11-20 09:38:11.085499+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-140c-7554-b35a-51ea7a8766eb', '{"id": "01a1f852-140c-7554-b35a-51ea7a8766eb", "verb": "create", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:11.073022Z", "request_id": "66cc1f65-6e61-4e46-b079-ba8c20dab688", "subject_id": "01a1f852-1401-7d25-9f7f-2485003b526a", "updated_at": "2025-11-20T09:38:11.073022Z", "finished_at": null, "subject_kind": "vm", "subject_name": "new-1"}'),
	(92, '2025-11-20 09:38:11.091131+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm.state_changed', 'vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', '{"state": "deleting", "previous": "running"}'),
	(93, '2025-11-20 09:38:11.091329+00', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'operation.updated', 'operation', '01a1f852-1412-7dee-aac0-67e33eecdf77', '{"id": "01a1f852-1412-7dee-aac0-67e33eecdf77", "verb": "delete", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:11.087250Z", "request_id": "220e64c8-74da-40ff-a469-de1bf87bf041", "subject_id": "01a1f852-1312-7ab4-be85-8c062f08ff0f", "updated_at": "2025-11-20T09:38:11.087250Z", "finished_at": null, "subject_kind": "vm", "subject_name": "doomed-1"}'),
	(94, '2025-11-20 09:38:11.095861+00', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'operation.updated', 'operation', '01a1f852-1417-756e-8de9-1536584a28da', '{"id": "01a1f852-1417-756e-8de9-1536584a28da", "verb": "resume", "error": null, "stage": null, "status": "running", "progress": 0, "created_at": "2025-11-20T09:38:11.092927Z", "request_id": "67f58efd-a711-4070-845e-7402676a0f97", "subject_id": "01a1f852-1167-77fc-be87-118205a8b686", "updated_at": "2025-11-20T09:38:11.092927Z", "finished_at": null, "subject_kind": "vm", "subject_name": "paused-1"}');

INSERT INTO public.flows VALUES
	('vm', '01a1f852-1401-7d25-9f7f-2485003b526a', 'vm', 'decide', '2025-11-20 09:38:11.553542+00', 0, 0, NULL, NULL, 1, 'the agent at unix:/run/nexus/agent.sock cannot be reached: [Errno 111] Connection refused', '2025-11-20 09:48:11.083978+00', '2025-11-20 09:38:11.073022+00', '2025-11-20 09:38:11.090704+00'),
	('vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', 'vm', 'decide', '2025-11-20 09:38:11.53411+00', 0, 0, NULL, NULL, 1, 'the agent at unix:/run/nexus/agent.sock cannot be reached: [Errno 111] Connection refused', '2025-11-20 09:48:11.087966+00', '2025-11-20 09:38:11.08725+00', '2025-11-20 09:38:11.095711+00'),
	('vm', '01a1f852-1167-77fc-be87-118205a8b686', 'vm', 'decide', '2025-11-20 09:38:11.605685+00', 0, 0, NULL, NULL, 1, 'the agent at unix:/run/nexus/agent.sock cannot be reached: [Errno 111] Connection refused', '2025-11-20 09:40:11.09352+00', '2025-11-20 09:38:11.092927+00', '2025-11-20 09:38:11.100258+00');

INSERT INTO public.hosts VALUES
	('01a1f852-10de-7840-b867-b381d1e98c74', 'host-1', 'unix:/run/nexus/agent.sock', '\xb797b95ea9fac12548380e9535a181ff84a782bb47c7bc2b684ebea004a96cab', 'fake', '{"vmm": "fake", "name": "host-1", "vcpus": 2, "offers": ["pause", "user_net", "ctrl_alt_del"], "boot_id": "00000000-b007-4000-8000-000000000001", "why_vmm": "A hypervisor that runs nothing, as AGENT_VMM demands: for tests and scale runs only.", "disk_bytes": 270553174016, "memory_mib": 24105, "vmm_version": "1", "acceleration": "none", "agent_version": "0.1.0", "protocol_version": 1}', '{"cpu_percent": 53.2, "disk_used_bytes": 31837626368, "memory_used_mib": 714}', 2, 24105, 270553174016, false, '00000000-b007-4000-8000-000000000001', 11787936543, '2025-11-20 09:38:10.884426+00', '2025-11-20 09:38:10.270224+00', '2025-11-20 09:38:10.276036+00', 1, '{}');

INSERT INTO public.idempotency_keys VALUES
	('01a1f852-1033-7aec-acc3-84dc7163ab77', 'once', 'POST', '/v1/vms/01a1f852-11bc-7313-a9ff-bf481ae00f44/stop', '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 200, '\x01d691746063a51408e0863977e55ce14f9a3a3a26cea6e54e94cf24edaf070c60771e3191c9b77d9d238ba786ce7477ab579ec850f2c9da83347ccdd3b798aac10efbe6380abff5d4ad9eaf212aacde6990fd31881516ac007fba6a73d77d99183263c865a416bfbb8b60ae04b2708ea1c462606b7952a26807abadfb17c4959ec6efc3abb971b83cb3632e710684055080d37eaed51838895633c853c1c20e8ca242d1bf5c83fb508819e23f736c21d99cc930e4374c27bed42ebbc052df7ccb0092d30d9111be2f8108f614a216a93c3a8f1566be4703fd1ac9a93b186574e2931c985788b9bf47430b0cd172127cbb549dd33b9a1decc8d4120aa1460d033fdea5d2e1fa4ec4bbc88e165d13ece1efd4b7d5a4ab962beb9177b37ccb9d9468cd0611e9d8c3f78c78eec65e2849340b702f067372bab094333210ed4d5801220ebd0b3e06be454d736430fad7fe3976ad3b930cfcec91d4029ceeb7040e0d635b1f09b57358bd58a6d5eb49ae1ec0e33a677ab86d49d13ae14c1ea86b2378d484cd2704bb2f66153d92c4fc83e05c6fc9b29556fe68bf75dde799633b23e15d58e6e91bdc82867d4ff887393e78dab083ad3387083fac92a62932d3f805dd10a112208d1e68c6c7da7851de0dd69fa9bbb1b6cb435a02ea5c0f3d3036b4d4a06927061a1440b38caecc35f283ccff5e7a74757cbc6668a66d4b0842fd0a0d2b47dd72', '2025-11-20 09:38:10.539499+00');

INSERT INTO public.images VALUES
	('01a1f852-109f-7957-b058-a99d41bf6b67', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'kernel', 'test-kernel', '', 'elf', 'c32fe4d9b4a975c1ff0c554129c5137a2e7cc79cde2a833f063e5f06cb8a9268', 4096, '/var/lib/nexus/images/c32fe4d9b4a975c1ff0c554129c5137a2e7cc79cde2a833f063e5f06cb8a9268', true, '2025-11-20 09:38:10.207456+00', '2025-11-20 09:38:10.207456+00'),
	('01a1f852-10a3-7b8a-b023-95d77830e704', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'initramfs', 'test-initramfs', '', 'cpio', '13031d16aed5a4a20464bbc5788b144c1b5eec33ebfc44110712e003070dbfa1', 124, '/var/lib/nexus/images/13031d16aed5a4a20464bbc5788b144c1b5eec33ebfc44110712e003070dbfa1', true, '2025-11-20 09:38:10.211945+00', '2025-11-20 09:38:10.211945+00'),
	('01a1f852-10a6-7ea3-9d82-66da6c5e7ba2', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'rootfs', 'test-rootfs', '', 'squashfs', '1bddaad3e450686943a4601491dc873aafc756f08b2a6363447896e9bc29953c', 8192, '/var/lib/nexus/images/1bddaad3e450686943a4601491dc873aafc756f08b2a6363447896e9bc29953c', true, '2025-11-20 09:38:10.214539+00', '2025-11-20 09:38:10.214539+00');

INSERT INTO public.machines VALUES
	('01a1f852-1315-7d1c-a5cb-d221e072dbcf', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-10de-7840-b867-b381d1e98c74', 1, 512, '01a1f852-109f-7957-b058-a99d41bf6b67', '01a1f852-10a3-7b8a-b023-95d77830e704', NULL, 'gone', 2, 1, 30, 'on', 'ready', 1, 1, '00000000-b007-4000-8000-000000000001', 11788539414, '2025-11-20 09:38:10.87777+00', NULL, NULL, NULL, '10.0.2.15', NULL, NULL, '2025-11-20 09:38:10.870808+00', '2025-11-20 09:38:10.832909+00', '2025-11-20 09:38:11.08725+00', 'never'),
	('01a1f852-1270-74d6-b04d-9a97e054a76e', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-10de-7840-b867-b381d1e98c74', 1, 512, '01a1f852-109f-7957-b058-a99d41bf6b67', '01a1f852-10a3-7b8a-b023-95d77830e704', NULL, 'on', 2, 2, 30, 'on', 'ready', 2, 2, '00000000-b007-4000-8000-000000000001', 11788422080, '2025-11-20 09:38:10.762766+00', NULL, NULL, NULL, '10.0.2.15', '{"at": "2025-11-20T09:38:10.745434Z", "why": "The guest shut down as asked.", "boot": 1, "reason": "asked"}', NULL, '2025-11-20 09:38:10.755415+00', '2025-11-20 09:38:10.668519+00', '2025-11-20 09:38:10.762766+00', 'never'),
	('01a1f852-10f7-72ea-8db0-6ef107ff897b', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm', '01a1f852-10de-7840-b867-b381d1e98c74', 1, 512, '01a1f852-109f-7957-b058-a99d41bf6b67', '01a1f852-10a3-7b8a-b023-95d77830e704', NULL, 'on', 1, 1, 30, 'on', 'ready', 1, 1, '00000000-b007-4000-8000-000000000001', 11788054579, '2025-11-20 09:38:10.404182+00', NULL, NULL, NULL, '10.0.2.15', NULL, NULL, '2025-11-20 09:38:10.384667+00', '2025-11-20 09:38:10.29395+00', '2025-11-20 09:38:10.404182+00', 'never'),
	('01a1f852-1169-7ca9-a49e-cce99a317526', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm', '01a1f852-10de-7840-b867-b381d1e98c74', 1, 512, '01a1f852-109f-7957-b058-a99d41bf6b67', '01a1f852-10a3-7b8a-b023-95d77830e704', NULL, 'on', 3, 1, 30, 'paused', 'ready', 2, 1, '00000000-b007-4000-8000-000000000001', 11788144461, '2025-11-20 09:38:10.483358+00', NULL, NULL, NULL, '10.0.2.15', NULL, NULL, '2025-11-20 09:38:10.44819+00', '2025-11-20 09:38:10.406997+00', '2025-11-20 09:38:11.092927+00', 'never'),
	('01a1f852-1221-73ff-9fd6-45f9eb12bad9', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-10de-7840-b867-b381d1e98c74', 1, 512, '01a1f852-109f-7957-b058-a99d41bf6b67', '01a1f852-10a3-7b8a-b023-95d77830e704', NULL, 'off', 2, 1, 30, 'off', 'absent', 2, 1, '00000000-b007-4000-8000-000000000001', 11788331724, '2025-11-20 09:38:10.670232+00', NULL, NULL, NULL, '10.0.2.15', '{"at": "2025-11-20T09:38:10.642582Z", "why": "It was killed by signal 9.", "boot": 1, "reason": "vmm_killed"}', 'It was killed by signal 9.', NULL, '2025-11-20 09:38:10.593028+00', '2025-11-20 09:38:10.670232+00', 'never'),
	('01a1f852-11bc-7877-a346-9c20c683dd6a', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-10de-7840-b867-b381d1e98c74', 1, 512, '01a1f852-109f-7957-b058-a99d41bf6b67', '01a1f852-10a3-7b8a-b023-95d77830e704', NULL, 'off', 2, 1, 30, 'off', 'absent', 2, 1, '00000000-b007-4000-8000-000000000001', 11788222571, '2025-11-20 09:38:10.563023+00', NULL, NULL, NULL, '10.0.2.15', '{"at": "2025-11-20T09:38:10.555682Z", "why": "The guest shut down as asked.", "boot": 1, "reason": "asked"}', NULL, NULL, '2025-11-20 09:38:10.491874+00', '2025-11-20 09:38:10.563023+00', 'always'),
	('01a1f852-120d-70f1-a02f-7ef6c9110e56', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-10de-7840-b867-b381d1e98c74', 1, 512, '01a1f852-109f-7957-b058-a99d41bf6b67', '01a1f852-10a3-7b8a-b023-95d77830e704', NULL, 'off', 1, 0, 30, 'off', 'absent', 1, 0, '00000000-b007-4000-8000-000000000001', 11788245268, '2025-11-20 09:38:10.584159+00', NULL, NULL, NULL, '10.0.2.15', NULL, NULL, NULL, '2025-11-20 09:38:10.572484+00', '2025-11-20 09:38:10.584159+00', 'never'),
	('01a1f852-1402-7fdc-99a4-72437069e56f', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-10de-7840-b867-b381d1e98c74', 1, 512, '01a1f852-109f-7957-b058-a99d41bf6b67', '01a1f852-10a3-7b8a-b023-95d77830e704', NULL, 'on', 1, 1, 30, NULL, 'absent', 0, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2025-11-20 09:38:11.073022+00', '2025-11-20 09:38:11.073022+00', 'never');

INSERT INTO public.migrations VALUES
	(1, '0001_spine.sql', '8ff1faecb66d1c612b68e17cbd3aa1f0521af75b99c19fa23181231c664da3ce', '2025-11-20 09:38:09.892533+00'),
	(2, '0002_platform.sql', '6da12ec6e759c48133f60b2f23c8acd84824e2730abfca7cc8c1913dde0885ed', '2025-11-20 09:38:09.91195+00'),
	(3, '0003_ssh_keys.sql', '4794dac31a54200560be1d0ea6dcca384a4c113937f5676207290cf9e1595a41', '2025-11-20 09:38:09.913941+00'),
	(4, '0004_host_names.sql', '08652389cfcc52ee0b80c9e0b689b3281101391ef79bb33efd741fcae4660d92', '2025-11-20 09:38:09.915459+00'),
	(5, '0005_hosts_over_tcp.sql', 'e9957552586de65535d25c6a136b0bf30b17c771e679d2d668015d729db2cc33', '2025-11-20 09:38:09.915981+00'),
	(6, '0006_restart_policy.sql', '4dd89bf2c63a15d4120b7cd1ca62785c0119bc744cc81c12f9f39a46ba070772', '2025-11-20 09:38:09.916972+00'),
	(7, '0007_past_boots.sql', '2a6be8627add5ed0f56d66ee2b1c384fa588f0dc5d8cbe6badfc48791aa4a2d5', '2025-11-20 09:38:09.917632+00');

INSERT INTO public.networks VALUES
	('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', NULL, 'default', 'fcbr0', '10.213.0.1/16', true, '{}', 11, '2025-11-20 09:38:09.892533+00', '2025-11-20 09:38:09.892533+00');

INSERT INTO public.nics VALUES
	('01a1f852-10fc-7138-a59e-ce7bc41f57c5', '01a1f852-10f7-72ea-8db0-6ef107ff897b', 'eth0', '00000000-0000-7000-8000-000000000002', '02:7b:c4:1f:57:c5', '10.213.0.2', '2025-11-20 09:38:10.29395+00', '2025-11-20 09:38:10.29395+00'),
	('01a1f852-1171-7efa-989e-0eb2e9d255f0', '01a1f852-1169-7ca9-a49e-cce99a317526', 'eth0', '00000000-0000-7000-8000-000000000002', '02:b2:e9:d2:55:f0', '10.213.0.3', '2025-11-20 09:38:10.406997+00', '2025-11-20 09:38:10.406997+00'),
	('01a1f852-11bd-79ff-b26e-79763661950d', '01a1f852-11bc-7877-a346-9c20c683dd6a', 'eth0', '00000000-0000-7000-8000-000000000002', '02:76:36:61:95:0d', '10.213.0.4', '2025-11-20 09:38:10.491874+00', '2025-11-20 09:38:10.491874+00'),
	('01a1f852-120e-7756-b540-22c1d959321d', '01a1f852-120d-70f1-a02f-7ef6c9110e56', 'eth0', '00000000-0000-7000-8000-000000000002', '02:c1:d9:59:32:1d', '10.213.0.5', '2025-11-20 09:38:10.572484+00', '2025-11-20 09:38:10.572484+00'),
	('01a1f852-1223-75c6-b1a3-0e6842293cfc', '01a1f852-1221-73ff-9fd6-45f9eb12bad9', 'eth0', '00000000-0000-7000-8000-000000000002', '02:68:42:29:3c:fc', '10.213.0.6', '2025-11-20 09:38:10.593028+00', '2025-11-20 09:38:10.593028+00'),
	('01a1f852-1276-78fd-bde9-d759b433fd53', '01a1f852-1270-74d6-b04d-9a97e054a76e', 'eth0', '00000000-0000-7000-8000-000000000002', '02:59:b4:33:fd:53', '10.213.0.7', '2025-11-20 09:38:10.668519+00', '2025-11-20 09:38:10.668519+00'),
	('01a1f852-131a-7d38-a9ee-4dc05fd46a2c', '01a1f852-1315-7d1c-a5cb-d221e072dbcf', 'eth0', '00000000-0000-7000-8000-000000000002', '02:c0:5f:d4:6a:2c', '10.213.0.9', '2025-11-20 09:38:10.832909+00', '2025-11-20 09:38:10.832909+00'),
	('01a1f852-1408-7e16-8371-13ca756f3957', '01a1f852-1402-7fdc-99a4-72437069e56f', 'eth0', '00000000-0000-7000-8000-000000000002', '02:ca:75:6f:39:57', '10.213.0.10', '2025-11-20 09:38:11.073022+00', '2025-11-20 09:38:11.073022+00');

INSERT INTO public.operations VALUES
	('01a1f852-1101-7693-8111-c6507bb0f9ed', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm', '01a1f852-10f6-7164-93ab-ee1910151c4e', 'web-1', 'create', 1, 'done', 100, NULL, NULL, '7962b4ae-0ba3-4876-81bf-936d5a4134f0', '2025-11-20 09:48:10.304565+00', '2025-11-20 09:38:10.29395+00', '2025-11-20 09:38:10.39968+00', '2025-11-20 09:38:10.39968+00'),
	('01a1f852-12ff-78b3-9e34-7c90a47d7567', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', 'deleted-1', 'delete', 2, 'done', 100, NULL, NULL, '71e0ccb7-554b-4cb3-8f57-8f1012c5575e', '2025-11-20 09:48:10.814026+00', '2025-11-20 09:38:10.811034+00', '2025-11-20 09:38:10.826541+00', '2025-11-20 09:38:10.826541+00'),
	('01a1f852-1176-7ea6-828e-a1d17e151e60', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', 'paused-1', 'create', 1, 'done', 100, NULL, NULL, '88ab3991-854d-42da-b35d-89114374e7b9', '2025-11-20 09:48:10.421107+00', '2025-11-20 09:38:10.406997+00', '2025-11-20 09:38:10.462229+00', '2025-11-20 09:38:10.462229+00'),
	('01a1f852-11a3-7cd0-85af-987efe595fcb', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', 'paused-1', 'pause', 2, 'done', 100, NULL, NULL, 'e87183dc-7728-4743-9d0a-13175345ce68', '2025-11-20 09:39:10.466457+00', '2025-11-20 09:38:10.466136+00', '2025-11-20 09:38:10.484788+00', '2025-11-20 09:38:10.484788+00'),
	('01a1f852-11c1-7b03-8f92-ed411210d18e', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', 'off-1', 'create', 1, 'done', 100, NULL, NULL, '70f178b4-eabc-4ad8-ae19-c166635db9b3', '2025-11-20 09:48:10.496929+00', '2025-11-20 09:38:10.491874+00', '2025-11-20 09:38:10.534148+00', '2025-11-20 09:38:10.534148+00'),
	('01a1f852-131e-7d3b-9599-45f366a80ce6', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', 'doomed-1', 'create', 1, 'done', 100, NULL, NULL, '7c008fd9-4797-4b48-8cf3-56bb295b2669', '2025-11-20 09:48:10.846025+00', '2025-11-20 09:38:10.832909+00', '2025-11-20 09:38:10.891646+00', '2025-11-20 09:38:10.891646+00'),
	('01a1f852-11ed-7694-b7b3-ddd1ea303ca9', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-11bc-7313-a9ff-bf481ae00f44', 'off-1', 'stop', 2, 'done', 100, NULL, NULL, '638358a3-77c8-464b-9e45-daa5bf27fae2', '2025-11-20 09:50:10.540276+00', '2025-11-20 09:38:10.539499+00', '2025-11-20 09:38:10.569323+00', '2025-11-20 09:38:10.569323+00'),
	('01a1f852-1212-704e-b9d7-6f44d9885efa', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-120c-7d82-9541-776077da1e7d', 'never-1', 'create', 1, 'done', 100, NULL, NULL, '525c0697-5304-4941-8e82-9bcf1d8546f5', '2025-11-20 09:48:10.577859+00', '2025-11-20 09:38:10.572484+00', '2025-11-20 09:38:10.589251+00', '2025-11-20 09:38:10.589251+00'),
	('01a1f852-140c-7554-b35a-51ea7a8766eb', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-1401-7d25-9f7f-2485003b526a', 'new-1', 'create', 1, 'running', 0, NULL, NULL, '66cc1f65-6e61-4e46-b079-ba8c20dab688', '2025-11-20 09:48:11.083978+00', '2025-11-20 09:38:11.073022+00', '2025-11-20 09:38:11.073022+00', NULL),
	('01a1f852-1412-7dee-aac0-67e33eecdf77', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-1312-7ab4-be85-8c062f08ff0f', 'doomed-1', 'delete', 2, 'running', 0, NULL, NULL, '220e64c8-74da-40ff-a469-de1bf87bf041', '2025-11-20 09:48:11.087966+00', '2025-11-20 09:38:11.08725+00', '2025-11-20 09:38:11.08725+00', NULL),
	('01a1f852-1226-7ae2-9708-8bb38dfb994e', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-1221-767c-b4f6-4bc88502eda4', 'killed-1', 'create', 1, 'done', 100, NULL, NULL, '655b4193-14a5-4303-9c8a-21d46ed26c2a', '2025-11-20 09:48:10.598299+00', '2025-11-20 09:38:10.593028+00', '2025-11-20 09:38:10.637742+00', '2025-11-20 09:38:10.637742+00'),
	('01a1f852-1417-756e-8de9-1536584a28da', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'vm', '01a1f852-1167-77fc-be87-118205a8b686', 'paused-1', 'resume', 3, 'running', 0, NULL, NULL, '67f58efd-a711-4070-845e-7402676a0f97', '2025-11-20 09:40:11.09352+00', '2025-11-20 09:38:11.092927+00', '2025-11-20 09:38:11.092927+00', NULL),
	('01a1f852-127a-7349-998a-b68fa48bdc4f', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', 'rebooted-1', 'create', 1, 'done', 100, NULL, NULL, '146dc486-20da-4827-8e69-5fd56b8e91e5', '2025-11-20 09:48:10.681628+00', '2025-11-20 09:38:10.668519+00', '2025-11-20 09:38:10.72651+00', '2025-11-20 09:38:10.72651+00'),
	('01a1f852-12ac-7b72-969b-d24202f904b7', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-126e-79fe-a15c-b2a732617853', 'rebooted-1', 'reboot', 2, 'done', 100, NULL, NULL, '8ef0d73a-5636-47a5-8003-8cd6b3c1c1ad', '2025-11-20 09:48:10.731273+00', '2025-11-20 09:38:10.730955+00', '2025-11-20 09:38:10.763018+00', '2025-11-20 09:38:10.763018+00'),
	('01a1f852-12d6-7f9f-a191-ea818aad4845', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'vm', '01a1f852-12d0-7561-a1d6-756ca45468db', 'deleted-1', 'create', 1, 'done', 100, NULL, NULL, '98c70514-6879-469e-bd25-2205aa70b8df', '2025-11-20 09:48:10.773995+00', '2025-11-20 09:38:10.76827+00', '2025-11-20 09:38:10.804974+00', '2025-11-20 09:38:10.804974+00');

INSERT INTO public.projects VALUES
	('00000000-0000-7000-8000-000000000001', 'default', '2025-11-20 09:38:09.892533+00');

INSERT INTO public.released_addresses VALUES
	('00000000-0000-7000-8000-000000000002', '10.213.0.8', '2025-11-20 09:38:10.826541+00');

INSERT INTO public.sessions VALUES
	('01a1f852-107a-7a98-8be7-86e6e8fd17c5', '01a1f852-0fd0-7838-b01e-852319b1d2da', '\x158bf94378fe78aff29993bc5d50d2f4b82d899e7b9b6711c0c9cc92a1b7cf34', '2025-11-20 09:38:10.169944+00', '2025-11-20 09:38:10.169944+00', '2025-11-20 21:38:10.169944+00'),
	('01a1f852-10aa-7394-ba7c-de67f90831e5', '01a1f852-1033-7aec-acc3-84dc7163ab77', '\xf8808f68a6cdfd72676c5395eace304dc2075c376b53ed9ed849cf0901da3a8d', '2025-11-20 09:38:10.217938+00', '2025-11-20 09:38:10.217938+00', '2025-11-20 21:38:10.217938+00');

INSERT INTO public.ssh_keys VALUES
	('01a1f852-10bc-73c0-abfb-b70ba1b80805', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'laptop', 'ssh-ed25519', 256, 'ada@laptop', 'SHA256:qH8baHrA5X0qCBovKCZyM02Q7TFtK4GMqVgOo4TZJAE', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ada@laptop', '2025-11-20 09:38:10.236722+00', '2025-11-20 09:38:10.236722+00');

INSERT INTO public.users VALUES
	('01a1f852-0fd0-7838-b01e-852319b1d2da', 'root', '$argon2id$v=19$m=65536,t=3,p=4$yoXBlnhBsj+fzeZOb/KJEg$RinqgzlalqC+l/PG5YGTjHZBCAJvUCO/MMYg/8pxnIA', 'admin', true, '2025-11-20 09:38:10.000704+00', '2025-11-20 09:38:10.000704+00'),
	('01a1f852-1033-7aec-acc3-84dc7163ab77', 'ada', '$argon2id$v=19$m=65536,t=3,p=4$RtWu43vREQeDdxeHmDzyMA$qj928GfIWISGAPeQ0x1M3bcK+Bxobfz89RI8NDExaCA', 'user', false, '2025-11-20 09:38:10.099651+00', '2025-11-20 09:38:10.099651+00'),
	('01a1f852-1034-722c-80a4-fc8d40367533', 'otto', '$argon2id$v=19$m=65536,t=3,p=4$RtWu43vREQeDdxeHmDzyMA$qj928GfIWISGAPeQ0x1M3bcK+Bxobfz89RI8NDExaCA', 'user', false, '2025-11-20 09:38:10.099651+00', '2025-11-20 09:38:10.099651+00'),
	('01a1f852-1034-79b2-92a8-a800df91c9fd', 'vera', '$argon2id$v=19$m=65536,t=3,p=4$RtWu43vREQeDdxeHmDzyMA$qj928GfIWISGAPeQ0x1M3bcK+Bxobfz89RI8NDExaCA', 'viewer', false, '2025-11-20 09:38:10.099651+00', '2025-11-20 09:38:10.099651+00');

INSERT INTO public.vms VALUES
	('01a1f852-10f6-7164-93ab-ee1910151c4e', '01a1f852-10f7-72ea-8db0-6ef107ff897b', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'web-1', 'Serves the shop', '{shop}', '', '', 'running', NULL, 'ada', '\x01ed8d42fd2341da76d291e8b282e8b1f589b8a9b04127db86a21736bee243b93132ad71f746', '$6$9gpfckEf/3.cr/iW$Fo/MhXCp/zE151Hci.6E3rc0qm.ppFMKb9pIfGObMrQMXWApnSu.mZ/3dwjZKZ2cX6IuRBEwyiKWdCqTAgnjs0', '{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ada@laptop"}', '2025-11-20 09:38:10.29395+00', '2025-11-20 09:38:10.390659+00'),
	('01a1f852-1167-77fc-be87-118205a8b686', '01a1f852-1169-7ca9-a49e-cce99a317526', '00000000-0000-7000-8000-000000000001', '01a1f852-0fd0-7838-b01e-852319b1d2da', 'paused-1', '', '{}', '', '', 'paused', NULL, 'root', '\x013a67df933bb63ed9531fe43b2b9460e5dc76b9bf4655064fab706feb887053f8e4cc77dfb6ed1aaa4bc63cd7', '$6$glLOSHCPcNRrpYet$KaAIS8ktCx8xOxX2f7VTPlv5On7QbZ7zZkLtBwmWx9R1v9BHAUvX/M8eq.TJ/wLylkMmhmyryUTNEMg3RpvLs0', '{}', '2025-11-20 09:38:10.406997+00', '2025-11-20 09:38:10.483358+00'),
	('01a1f852-11bc-7313-a9ff-bf481ae00f44', '01a1f852-11bc-7877-a346-9c20c683dd6a', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'off-1', '', '{}', '', '', 'stopped', NULL, 'root', '\x0173fdff06889c3721b49d8ccb8ce6681161d23f5a3ada0f30976da9983631de549b98acc6989fceca59c58c0e', '$6$/G9PM4OCb8VxRMap$5fH1WuVDvlqecpT3EUZxYuXx2.HjmP5k/DLDUmnVneQ9BoxmYvatkuBJlB5zmqkGNLM1ktpySxXAv7kU.glbR1', '{}', '2025-11-20 09:38:10.491874+00', '2025-11-20 09:38:10.563023+00'),
	('01a1f852-120c-7d82-9541-776077da1e7d', '01a1f852-120d-70f1-a02f-7ef6c9110e56', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'never-1', '', '{}', '', '', 'stopped', NULL, 'root', '\x016315294df65fde110d7f3c169b71c7e4a366e6f0cbe5299fc25988d90b1bf66046984ae6de070c77539083c7', '$6$Mv9OrUhFFf.FKvMj$AKONvHw0rWQOxKpkxRFdrQl.JbMnSqxZh8wPuYjEV5LnB6HfWCFZT1p34Um16OoMWRiASaDwQ5FmEy3og7gGe0', '{}', '2025-11-20 09:38:10.572484+00', '2025-11-20 09:38:10.584159+00'),
	('01a1f852-1221-767c-b4f6-4bc88502eda4', '01a1f852-1221-73ff-9fd6-45f9eb12bad9', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'killed-1', '', '{}', '', '', 'stopped', 'It was killed by signal 9.', 'root', '\x0101d2b7f72cd1cf7775fb15308cbaa7e0d6df8640ba79dbf731d9e3ed9af5b198bd5e40d8510d00e5f5bac0e3', '$6$B/noBo3F0xnSU0lk$S2dJP6KA7GycbFefmgdFCAvNgi2aR2rAtEvbpafFd5fRYYqHAdBaoqhRNtMzAPgdXSvePtr.0G8zBKankuQOA.', '{}', '2025-11-20 09:38:10.593028+00', '2025-11-20 09:38:10.657557+00'),
	('01a1f852-126e-79fe-a15c-b2a732617853', '01a1f852-1270-74d6-b04d-9a97e054a76e', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'rebooted-1', '', '{}', '', '', 'running', NULL, 'root', '\x01df57ac5f5da682e501ccc8fb1843808d109a11e2edf67aad5c59c4a6ca9cd6bfd14d564d59661bfc0aa570f4', '$6$I8GSjf7zDzUda6Y7$vn3rDCyZGTWMAPo4uDOwJUXihwRDLEnHKhCRuBTvbIKAOZRfkK2SvzAZJQl958XddeHzSyMDvBXX44RICL.s01', '{}', '2025-11-20 09:38:10.668519+00', '2025-11-20 09:38:10.762766+00'),
	('01a1f852-1401-7d25-9f7f-2485003b526a', '01a1f852-1402-7fdc-99a4-72437069e56f', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'new-1', '', '{}', '', '', 'creating', NULL, 'root', '\x01120befe3ba71f2977f38c3338be359940af32c83037e67551d924c3ba0932052e546e77872e3c90c0c112925', '$6$HqVC47gMhlKmXcyJ$SttrVYL96O5UFcDJ8lKeQbN6HKvfX.Wmw6Y9lDQBAIguJu3B4QbRt5o2EIFGKdSToX6snEev4/KzTgjIiZJFH/', '{}', '2025-11-20 09:38:11.073022+00', '2025-11-20 09:38:11.073022+00'),
	('01a1f852-1312-7ab4-be85-8c062f08ff0f', '01a1f852-1315-7d1c-a5cb-d221e072dbcf', '00000000-0000-7000-8000-000000000001', '01a1f852-1033-7aec-acc3-84dc7163ab77', 'doomed-1', '', '{}', '', '', 'deleting', NULL, 'root', '\x01d034c1504b16f2c507d4a2eb1703a6f0889b796c5a1a76099e1cee82004b52d913c458fef283aedfa0880a65', '$6$CdBalv5E.Ma/hPOw$/FUh5MRYE1Q01avTAcCGl5DBm5L/1UQlHjJ1J0k1jZohtNMBZfcJRhNFPIpT.rd80D4nCSir1W99Rl.AX/dyx0', '{}', '2025-11-20 09:38:10.832909+00', '2025-11-20 09:38:11.08725+00');

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.certificate_authority
    ADD CONSTRAINT certificate_authority_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY public.discarded_machines
    ADD CONSTRAINT discarded_machines_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.drives
    ADD CONSTRAINT drives_machine_id_drive_id_key UNIQUE (machine_id, drive_id);

ALTER TABLE ONLY public.drives
    ADD CONSTRAINT drives_machine_id_position_key UNIQUE (machine_id, "position");

ALTER TABLE ONLY public.drives
    ADD CONSTRAINT drives_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.event_log
    ADD CONSTRAINT event_log_pkey PRIMARY KEY (is_only);

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY public.flows
    ADD CONSTRAINT flows_pkey PRIMARY KEY (subject_kind, subject_id);

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_credential_sha256_key UNIQUE (credential_sha256);

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_name_key UNIQUE (name);

ALTER TABLE ONLY public.hosts
    ADD CONSTRAINT hosts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key);

ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_project_id_kind_name_key UNIQUE (project_id, kind, name);

ALTER TABLE ONLY public.join_tokens
    ADD CONSTRAINT join_tokens_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.join_tokens
    ADD CONSTRAINT join_tokens_token_sha256_key UNIQUE (token_sha256);

ALTER TABLE ONLY public.machines
    ADD CONSTRAINT machines_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.networks
    ADD CONSTRAINT networks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.networks
    ADD CONSTRAINT networks_project_id_name_key UNIQUE (project_id, name);

ALTER TABLE ONLY public.nics
    ADD CONSTRAINT nics_mac_key UNIQUE (mac);

ALTER TABLE ONLY public.nics
    ADD CONSTRAINT nics_machine_id_iface_id_key UNIQUE (machine_id, iface_id);

ALTER TABLE ONLY public.nics
    ADD CONSTRAINT nics_network_id_address_key UNIQUE (network_id, address);

ALTER TABLE ONLY public.nics
    ADD CONSTRAINT nics_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.operations
    ADD CONSTRAINT operations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_name_key UNIQUE (name);

ALTER TABLE ONLY public.projects
    ADD CONSTRAINT projects_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.released_addresses
    ADD CONSTRAINT released_addresses_pkey PRIMARY KEY (network_id, address);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_token_sha256_key UNIQUE (token_sha256);

ALTER TABLE ONLY public.ssh_keys
    ADD CONSTRAINT ssh_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ssh_keys
    ADD CONSTRAINT ssh_keys_project_id_created_by_user_id_fingerprint_key UNIQUE (project_id, created_by_user_id, fingerprint);

ALTER TABLE ONLY public.ssh_keys
    ADD CONSTRAINT ssh_keys_project_id_created_by_user_id_name_key UNIQUE (project_id, created_by_user_id, name);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_username_key UNIQUE (username);

ALTER TABLE ONLY public.vms
    ADD CONSTRAINT vms_machine_id_key UNIQUE (machine_id);

ALTER TABLE ONLY public.vms
    ADD CONSTRAINT vms_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.vms
    ADD CONSTRAINT vms_project_id_name_key UNIQUE (project_id, name);

CREATE INDEX audit_by_subject ON public.audit USING btree (subject_kind, subject_id, at);

CREATE INDEX audit_by_time ON public.audit USING btree (at);

CREATE INDEX drives_by_image ON public.drives USING btree (image_id);

CREATE INDEX events_by_subject ON public.events USING btree (subject_kind, subject_id, seq);

CREATE INDEX events_by_time ON public.events USING btree (at);

CREATE INDEX flows_due ON public.flows USING btree (wake_at);

CREATE INDEX flows_leased ON public.flows USING btree (lease_expires) WHERE (lease IS NOT NULL);

CREATE INDEX flows_overdue ON public.flows USING btree (deadline) WHERE (deadline IS NOT NULL);

CREATE INDEX flows_woken ON public.flows USING btree (wakeups) WHERE (wakeups > heard);

CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (created_at);

CREATE INDEX images_by_sha256 ON public.images USING btree (sha256);

CREATE UNIQUE INDEX images_one_default ON public.images USING btree (project_id, kind) WHERE is_default;

CREATE INDEX machines_by_host ON public.machines USING btree (host_id);

CREATE INDEX operations_by_creation ON public.operations USING btree (project_id, created_at, id);

CREATE INDEX operations_by_end ON public.operations USING btree (finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX operations_by_subject ON public.operations USING btree (subject_kind, subject_id, generation);

CREATE INDEX operations_running ON public.operations USING btree (subject_kind, subject_id) WHERE (status = 'running'::text);

CREATE INDEX sessions_by_expiry ON public.sessions USING btree (expires_at);

CREATE INDEX sessions_by_user ON public.sessions USING btree (user_id);

CREATE INDEX vms_by_creation ON public.vms USING btree (project_id, created_at, id);

CREATE UNIQUE INDEX vms_by_host_name ON public.vms USING btree (project_id, lower(name));

CREATE INDEX vms_by_state ON public.vms USING btree (project_id, state);

CREATE INDEX vms_by_tag ON public.vms USING gin (tags);

ALTER TABLE ONLY public.discarded_machines
    ADD CONSTRAINT discarded_machines_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.drives
    ADD CONSTRAINT drives_image_id_fkey FOREIGN KEY (image_id) REFERENCES public.images(id);

ALTER TABLE ONLY public.drives
    ADD CONSTRAINT drives_machine_id_fkey FOREIGN KEY (machine_id) REFERENCES public.machines(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_created_by_user_id_fkey FOREIGN KEY (created_by_user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);

ALTER TABLE ONLY public.join_tokens
    ADD CONSTRAINT join_tokens_created_by_user_id_fkey FOREIGN KEY (created_by_user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.machines
    ADD CONSTRAINT machines_created_by_user_id_fkey FOREIGN KEY (created_by_user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.machines
    ADD CONSTRAINT machines_host_id_fkey FOREIGN KEY (host_id) REFERENCES public.hosts(id);

ALTER TABLE ONLY public.machines
    ADD CONSTRAINT machines_initramfs_image_id_fkey FOREIGN KEY (initramfs_image_id) REFERENCES public.images(id);

ALTER TABLE ONLY public.machines
    ADD CONSTRAINT machines_kernel_image_id_fkey FOREIGN KEY (kernel_image_id) REFERENCES public.images(id);

ALTER TABLE ONLY public.machines
    ADD CONSTRAINT machines_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);

ALTER TABLE ONLY public.networks
    ADD CONSTRAINT networks_created_by_user_id_fkey FOREIGN KEY (created_by_user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.networks
    ADD CONSTRAINT networks_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);

ALTER TABLE ONLY public.nics
    ADD CONSTRAINT nics_machine_id_fkey FOREIGN KEY (machine_id) REFERENCES public.machines(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.nics
    ADD CONSTRAINT nics_network_id_fkey FOREIGN KEY (network_id) REFERENCES public.networks(id);

ALTER TABLE ONLY public.operations
    ADD CONSTRAINT operations_created_by_user_id_fkey FOREIGN KEY (created_by_user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.operations
    ADD CONSTRAINT operations_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);

ALTER TABLE ONLY public.released_addresses
    ADD CONSTRAINT released_addresses_network_id_fkey FOREIGN KEY (network_id) REFERENCES public.networks(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.ssh_keys
    ADD CONSTRAINT ssh_keys_created_by_user_id_fkey FOREIGN KEY (created_by_user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.ssh_keys
    ADD CONSTRAINT ssh_keys_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);

ALTER TABLE ONLY public.vms
    ADD CONSTRAINT vms_created_by_user_id_fkey FOREIGN KEY (created_by_user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.vms
    ADD CONSTRAINT vms_machine_id_fkey FOREIGN KEY (machine_id) REFERENCES public.machines(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.vms
    ADD CONSTRAINT vms_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.projects(id);

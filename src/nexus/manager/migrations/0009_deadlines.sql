-- An operation's own time counts from its host's first action on; until then `deadline` is the patience for queues.
alter table operations add column begun_at timestamptz;
create index operations_by_deadline on operations (deadline) where status = 'running';

-- Why the present wish counts as failed, although it is still being pursued; a new wish clears it.
alter table machines add column late text;

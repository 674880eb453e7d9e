-- Whether a machine is started again when its host has restarted under it. Those that are there were, and stay so.
alter table machines add column restart_policy text not null default 'always'
    check (restart_policy in ('always', 'never'));
alter table machines alter column restart_policy set default 'never';

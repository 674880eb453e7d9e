-- Boots of a host that are over, newest first: a report from one of them that arrives now is old news.
alter table hosts add column past_boot_ids text[] not null default '{}';

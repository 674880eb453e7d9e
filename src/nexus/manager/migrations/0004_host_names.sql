-- A VM's name is its guest's host name, and host names are the same in any case.

create unique index vms_by_host_name on vms (project_id, lower(name));

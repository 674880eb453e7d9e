"""Which rule of `lifecycle` each endpoint of a VM follows: what the generated page docs/vm-states.md says, and what a
test holds every endpoint to, in every state. No state forbids the endpoints that are not here.
"""

from collections.abc import Mapping

from nexus.manager.vms.lifecycle import Verb

_CONFIGURE = (
    *("vm_config_put_machine_config", "vm_config_patch_machine_config"),
    *("vm_config_put_boot_source", "vm_config_patch_boot_source"),
    *("vm_config_put_balloon", "vm_config_patch_balloon", "vm_config_patch_balloon_statistics"),
    *("vm_config_put_cpu_config", "vm_config_put_vsock", "vm_config_put_entropy"),
    *("vm_config_put_serial", "vm_config_put_logger", "vm_config_post_guest_ip"),
    *("vm_config_put_mmds", "vm_config_patch_mmds", "vm_config_delete_mmds"),
    *("vm_config_put_mmds_config", "vm_config_put_user_data", "vm_config_delete_user_data"),
    *("drives_create", "drives_edit", "drives_delete", "nics_create", "nics_edit", "nics_delete"),
)

VERB_OF: Mapping[str, Verb] = {
    "vms_start": Verb.START,
    "vms_stop": Verb.STOP,
    "vms_pause": Verb.PAUSE,
    "vms_resume": Verb.RESUME,
    "vms_reboot": Verb.REBOOT,
    "snapshots_create": Verb.SNAPSHOT,
    "snapshots_rollback": Verb.ROLLBACK,
    "snapshots_clone": Verb.CLONE,
    "snapshots_suspend": Verb.SUSPEND,
    "vms_ctrl_alt_del": Verb.CTRL_ALT_DEL,
    "vms_exec": Verb.EXEC,
    "vms_get_files": Verb.COPY_FILES,
    "terminals_open": Verb.SHELL,
    "terminals_list": Verb.SHELL,
    "terminals_get": Verb.SHELL,
    "terminals_close": Verb.SHELL,
    "vm_config_flush_metrics": Verb.FLUSH_METRICS,
    "vm_config_get_balloon_statistics": Verb.FLUSH_METRICS,
    **dict.fromkeys(_CONFIGURE, Verb.CONFIGURE),
    "vms_delete": Verb.DELETE,
}
"""By operation id."""

"""Settings of a VM on the wire."""

from pydantic import BaseModel, Field, model_validator

from nexus.kit.envelopes import Item
from nexus.kit.fields import RequestBody
from nexus.protocol.machines import MOST_VCPUS

MOST_MEM_MIB = 1 << 20


class PutMachineConfig(RequestBody):
    """A VM's size."""

    vcpu: int = Field(ge=1, le=MOST_VCPUS, description="Virtual CPUs")
    mem_mib: int = Field(ge=128, le=MOST_MEM_MIB, description="Memory in MiB")


class PatchMachineConfig(RequestBody):
    """What of a VM's size to change; a field that is left out stays."""

    vcpu: int | None = Field(default=None, ge=1, le=MOST_VCPUS, description="Virtual CPUs")
    mem_mib: int | None = Field(default=None, ge=128, le=MOST_MEM_MIB, description="Memory in MiB")

    @model_validator(mode="after")
    def _nothing_is_cleared(self) -> "PatchMachineConfig":
        if cleared := sorted(field for field in self.model_fields_set if getattr(self, field) is None):
            raise ValueError(f"{cleared[0]} cannot be null")
        return self


class MachineConfigBody(BaseModel):
    """A VM's size: what is configured, and what the running boot has."""

    vcpu: int = Field(description="Virtual CPUs")
    mem_mib: int = Field(description="Memory in MiB")
    running_vcpu: int | None = Field(description="Those of the running boot; null while it is off")
    running_mem_mib: int | None = Field(description="That of the running boot; null while it is off")


class MachineConfigItem(Item[MachineConfigBody]):
    """A VM's size."""

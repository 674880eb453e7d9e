"""What a machine's CPU shows its guest, in the form that Firecracker gave it: a custom CPU template (x86-64).

A hypervisor that can mask single bits offers `cpu_config`.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from nexus.protocol.base import Message


class _Part(Message):
    """Nothing here may be left out of a template unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


Number = Annotated[str, StringConstraints(pattern=r"^(0x[0-9a-fA-F]{1,8}|0b[01]{1,32}|[0-9]{1,10})$")]
"""A 32-bit number: hexadecimal, binary or decimal."""


class RegisterModifier(_Part):
    """Bits of one register of a CPUID leaf."""

    register_: Literal["eax", "ebx", "ecx", "edx"] = Field(alias="register", description="Which register")
    bitmap: Annotated[str, StringConstraints(pattern=r"^0b[01x_]{1,40}$")] = Field(
        description="32 digits after 0b, highest bit first: 0 clears, 1 sets, x leaves a bit as it is"
    )


class CpuidModifier(_Part):
    """A CPUID leaf and what to change in it."""

    leaf: Number = Field(description="The leaf, such as 0x1")
    subleaf: Number = Field(description="The subleaf, such as 0x0")
    flags: int = Field(strict=True, ge=0, le=7, description="KVM's flags of this leaf: 1 where the subleaf counts")
    modifiers: Annotated[tuple[RegisterModifier, ...], Field(min_length=1, max_length=4)] = Field(
        description="By register"
    )


class MsrModifier(_Part):
    """Bits of one model specific register."""

    addr: Number = Field(description="The register's number, such as 0x10a")
    bitmap: Annotated[str, StringConstraints(pattern=r"^0b[01x_]{1,80}$")] = Field(
        description="64 digits after 0b, highest bit first: 0 clears, 1 sets, x leaves a bit as it is"
    )


class CpuConfig(_Part):
    """A custom CPU template."""

    kvm_capabilities: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^!?[0-9]{1,5}$")], ...], Field(max_length=64)
    ] = Field(default=(), description="Numbers of KVM capabilities to check for; with ! in front, not to check for")
    cpuid_modifiers: Annotated[tuple[CpuidModifier, ...], Field(max_length=64)] = Field(
        default=(), description="What to change in CPUID leaves"
    )
    msr_modifiers: Annotated[tuple[MsrModifier, ...], Field(max_length=64)] = Field(
        default=(), description="What to change in model specific registers"
    )

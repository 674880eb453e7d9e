"""The host's end of the guest channel (docs/protocol/guest.md): a `GuestChannel` per machine, a `GuestClient` on it."""

"""QEMU's `microvm`: under KVM where that is proven, else by software emulation (TCG)."""

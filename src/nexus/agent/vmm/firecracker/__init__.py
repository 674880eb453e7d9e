"""Firecracker, only ever through its jailer: a uid, a chroot, a network namespace and a cgroup for every launch.

`docs/firecracker-facts.md` says which of Firecracker's documented facts is honoured where; numbers in comments here
refer to it.
"""

"""Images: kernels, initramfs and disks that machines start from."""

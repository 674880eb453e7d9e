"""What a VM is made of, setting by setting: size, boot source, devices. Drives and NICs are slices of their own."""

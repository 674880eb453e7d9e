"""What may go wrong with images and disks."""


class StorageTrouble(Exception):
    """An image or disk cannot be had now; the message is a sentence for a user. Trying again may help."""

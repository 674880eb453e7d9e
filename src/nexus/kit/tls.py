"""Loading a key into a TLS context that is in no file: OpenSSL takes keys from paths only."""

import os
import ssl


def use_certificate(context: ssl.SSLContext, pem: bytes) -> None:
    """Present the certificate in `pem` (a private key and its certificate) on every connection made from now on."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)

"""Whether two evaluations saw the same images, told from the images themselves."""

from __future__ import annotations

import hashlib

from nas.core.data import Split


def fingerprint(part: Split) -> str:
    """64 bits of the SHA-256 of images and labels, in hexadecimal: equal where (and, in practice, only where) both are.

    Two runs may be paired image by image where their fingerprints are equal, whatever their settings say.
    """
    digest = hashlib.sha256(repr(tuple(part.images.shape)).encode())
    digest.update(part.images.contiguous().cpu().numpy().data)
    digest.update(part.labels.contiguous().cpu().numpy().data)
    return digest.hexdigest()[:16]

"""Whether two evaluations saw the same images, told from the images themselves."""

from __future__ import annotations

from nas.core.data import Split
from nas.core.data.checksum import digest


def fingerprint(part: Split) -> str:
    """64 bits of the SHA-256 of images and labels, in hexadecimal: equal where (and, in practice, only where) both are.

    Two runs may be paired image by image where their fingerprints are equal, whatever their settings say.
    """
    return digest(part)[:16]

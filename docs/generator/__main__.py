"""Write all pages of the site into a new folder: `PYTHONPATH=docs python -m generator build/docs` (`make docs`)."""

from __future__ import annotations

import sys
from pathlib import Path

from generator.assemble import assemble

if __name__ == "__main__":
    print(f"{assemble(Path(sys.argv[1]))} pages in {sys.argv[1]}")

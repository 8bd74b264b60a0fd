"""Write all pages of the site into a new folder: `PYTHONPATH=docs python -m generator build/docs` (`make docs`).

With `--without-results` behind the folder, the notebooks are not run, and their pages have only text and code.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generator.assemble import assemble

if __name__ == "__main__":
    number = assemble(Path(sys.argv[1]), run_notebooks="--without-results" not in sys.argv[2:])
    print(f"{number} pages in {sys.argv[1]}")

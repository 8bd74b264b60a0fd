"""Fuzz a reader, guided by coverage: `python tests/fuzz/fuzz.py TARGET --seconds 60`; `--list` names the targets.

Good inputs are changed at random by libFuzzer, with the words that readers trip over as its dictionary, and those that
reach new lines of the project are kept and changed further. It ends with exit code 0 where every input was taken or
refused in one line; else it says what was found, writes the input into the folder of `--found`, and ends with another.
Runs on one core; give every target a process of its own.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

from contract import Target, check
from inputs import ODD


def targets() -> dict[str, Target]:
    """What is fuzzed, by name: every reader of what comes from outside, each as one function of bytes."""
    files = sorted(Path(__file__).with_name("targets").glob("*.py"))
    values = [value for file in files for value in vars(import_module(f"targets.{file.stem}")).values()]
    return {value.name: value for value in values if isinstance(value, Target)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("target", nargs="?", help="what to fuzz")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--found", default=".", help="folder for an input that was a finding")
    arguments = parser.parse_args()
    if arguments.list or arguments.target is None:
        print("\n".join(f"{name:<24} {one.doc}" for name, one in targets().items()))
        return
    try:
        import atheris
    except ImportError:
        parser.exit(
            2, "Expected the package atheris but it is not there; `pip install atheris` (Python 3.11 to 3.13).\n"
        )
    with atheris.instrument_imports(include=["nas"], enable_loader_override=False):
        known = targets()
    if arguments.target not in known:
        parser.error(f"Expected a target but got {arguments.target!r}; `--list` names them.")
    target = known[arguments.target]
    logging.getLogger("nas").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    seeds = list(target.seeds())
    for seed in seeds:
        check(target, seed)  # what is cached fills; the first use of a library may be slow

    def once(data: bytes) -> None:
        check(target, data)

    with tempfile.TemporaryDirectory(prefix="nas-fuzz-") as place:
        corpus, words = Path(place, "corpus"), Path(place, "words")
        corpus.mkdir()
        for number, seed in enumerate(seeds):
            (corpus / str(number)).write_bytes(seed)
        words.write_text("\n".join(map(quoted, filter(len, ODD))))
        limits = (f"-max_total_time={arguments.seconds}", "-timeout=60", "-max_len=20000", "-rss_limit_mb=4096")
        source = (f"-seed={arguments.seed + 1}", f"-dict={words}", "-len_control=0")
        output = (f"-artifact_prefix={arguments.found}/", "-print_final_stats=1", "-verbosity=0")
        atheris.Setup([sys.argv[0], *limits, *source, *output, str(corpus)], once)
        atheris.Fuzz()


def quoted(word: bytes) -> str:
    """A line of a dictionary of libFuzzer, which takes no words of more than 64 bytes."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word[:64]) + '"'


if __name__ == "__main__":
    main()

"""CITATION.cff: what its schema asks for, in the version and with the license of the package."""

from __future__ import annotations

import configparser
from pathlib import Path

import yaml

from nas.report.paper.bibliography import entries
from nas.version import __version__

ROOT = Path(__file__).resolve().parent.parent


def test_the_file_says_how_to_cite_this_version() -> None:
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(content)
    assert content["cff-version"] == "1.2.0"
    assert content["version"] == __version__
    package = configparser.ConfigParser()
    package.read(ROOT / "setup.cfg")
    assert content["license"] == package["metadata"]["license"]
    (author,) = content["authors"]
    assert author["name"] in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_runs_cite_the_same_title_and_authors() -> None:
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    entry = entries()["robustnas2026"]
    assert content["title"].lower() in entry.lower()
    assert content["authors"][0]["name"] in entry

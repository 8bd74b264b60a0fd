"""The pages of the site: the reference has everything that exists, links lead somewhere, and each page is in a menu."""

from __future__ import annotations

import posixpath
import re
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

import nas
from nas.core.registry import Registry, _registries

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from generator import assemble, components, settings  # noqa: E402
from generator.markdown import linked, prose, table, with_plain_bars  # noqa: E402
from generator.sources import fields, sources  # noqa: E402

PLACE = {  # the page on which each kind of component is
    "attack": "attacks",
    "benchmark": "benchmarks",
    "command": "commands",
    "corruption": "corruptions",
    "data set": "data",
    "mixture": "strategies",
    "mixture noise": "strategies",
    "penalty": "strategies",
    "perturbation": "strategies",
    "predictor": "predictors",
    "proxy": "proxies",
    "regulariser": "strategies",
    "search space": "spaces",
    "strategy": "strategies",
    "supernet strategy": "strategies",
    "training method": "methods",
}
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return assemble.pages()


@pytest.fixture(scope="module")
def registries(pages: dict[str, str]) -> list[Registry[object]]:
    return [registry for registry in _registries if registry.package.startswith("nas.")]


def anchors(text: str) -> set[str]:
    """The ids of the headings, as Python-Markdown makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"[^\w\s-]", "", heading.replace("`", "").encode("ascii", "ignore").decode())
        slug = re.sub(r"[-\s]+", "-", plain.strip().lower())
        while slug in found:
            stem, _, number = slug.rpartition("_")
            slug = f"{stem}_{int(number) + 1}" if stem and number.isdigit() else f"{slug}_1"
        found.add(slug)
    return found


def test_every_registered_name_is_in_the_reference(pages: dict[str, str], registries: list[Registry[object]]) -> None:
    assert {registry.kind for registry in registries} <= set(PLACE), "add the page of the new kind to the generator"
    for registry in registries:
        page = pages[f"reference/{PLACE[registry.kind]}.md"]
        for name in registry.installed:
            words = f"nas {name}" if registry.kind == "command" else name
            assert f"## {words}\n" in page or f"| `{words}` |" in page or name == "study", (registry.kind, name)


def test_every_recipe_function_and_result_is_in_the_reference(pages: dict[str, str]) -> None:
    from nas import api
    from nas.core.config import shipped

    assert all(f"## {name}\n" in pages["reference/recipes.md"] for name in shipped())
    face = re.findall(r"^::: (\S+)$", pages["reference/python.md"], re.MULTILINE)
    assert {name.rpartition(".")[2] for name in face} >= {*api.__all__, "InputError", "NasError"}
    assert {f"nas.{name}" for name in dir(nas) if name != "__version__"} <= set(face)


def test_every_setting_is_in_the_reference_and_says_what_it_means(pages: dict[str, str]) -> None:
    for section, kind in settings.sections():
        for one in settings.settings_of(kind):
            key = f"{section}.{one.name}" if section else one.name
            assert f"| `{key}` |" in pages["reference/settings.md"], key
    reference = "\n".join(text for path, text in pages.items() if path.startswith("reference/"))
    found = re.findall(r"^\| `([\w.]+)` \| `[^|]*? \| *(.*?) *\|$", reference, re.MULTILINE)
    assert len(found) > 200
    unexplained = [key for key, meaning in found if not meaning]
    assert not unexplained, "write a comment behind these fields of the settings"


def test_a_default_is_written_as_in_yaml() -> None:
    rows = {one.name: one for _, kind in settings.sections() for one in settings.settings_of(kind)}
    assert (rows["seed"].default, rows["seeds"].default, rows["random"].default) == ("0", "1", "true")
    assert (rows["device"].default, rows["root"].default, rows["std"].default) == ("auto", "null", "[]")
    assert rows["attacks"].default == "[fgsm, pgd20, autoattack]"


def test_comments_are_found_behind_and_above_a_field() -> None:
    assert settings.comments(_Section) == {"é": "behind", "b": "above, on two lines", "c": ""}


class _Section:
    é: str = "#"  # behind
    # above,
    # on two lines
    b: int = 1
    c: int = 2


def test_links_lead_to_pages_and_headings_that_exist(pages: dict[str, str]) -> None:
    wrong = []
    for path, text in {**pages, "../README.md": (ROOT / "README.md").read_text(encoding="utf-8")}.items():
        for target in LINK.findall(re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))):
            if "://" in target:
                continue
            file, _, anchor = target.partition("#")
            there = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
            if there in pages:
                if anchor and anchor not in anchors(pages[there]) and there != "reference/python.md":
                    wrong.append((path, target))
            elif not (ROOT / "docs" / there).is_file():
                wrong.append((path, target))
    assert not wrong


def test_texts_of_the_project_mention_no_page_that_is_missing(pages: dict[str, str]) -> None:
    missing = []
    for folder in ("nas", "search_spaces", "strategies", "train", "eval", "configs", "bench", "tests", ".ci"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".yaml", ".txt", ".html") and file.name not in (
                "test_mutations.py",
                "test_site_pages.py",
            ):
                for page in re.findall(r"\bdocs/([\w/-]+\.md)\b", file.read_text(encoding="utf-8")):
                    missing += [] if page in pages else [(file.relative_to(ROOT), page)]
    assert not missing


def test_every_page_is_in_the_menu_and_begins_with_what_it_is_for(pages: dict[str, str]) -> None:
    menu = re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8"))
    assert set(menu) <= set(pages)
    assert len(menu) == len(set(menu))
    assert set(pages) - set(menu) <= {"latex.md", "spaces.md"}
    for path, text in pages.items():
        title, _, rest = text.partition("\n\n")
        assert re.fullmatch(r"# .+", title), path
        assert re.match(r"[^#|\n!]", rest), f"{path} has no sentence below its title"


def test_a_mention_of_a_page_becomes_a_link_except_in_code() -> None:
    titles = {"a/x.md": "X", "y.md": "Y"}
    assert linked("See `docs/y.md`, docs/a/x.md.", "a/x.md", titles) == "See [Y](../y.md), this page."
    assert linked("```\ndocs/y.md\n```\ndocs/a/x.md", "y.md", titles) == "```\ndocs/y.md\n```\n[X](a/x.md)"
    with pytest.raises(KeyError):
        linked("docs/none.md", "y.md", titles)


def test_signs_of_markdown_in_a_docstring_are_text() -> None:
    assert prose("a<b *c* `d<e *f*`") == r"a&lt;b \*c\* `d<e *f*`"
    assert prose("`a_b\nc_d` e_f `\n\ng_h` i_j") == "`a_b\nc_d` e\\_f `\n\ng\\_h` i\\_j"
    assert table(("a", "b"), [("1|2", "x\ny")]) == "| a | b |\n| --- | --- |\n| 1\\|2 | x y |"


def test_code_of_the_reference_has_no_escaped_signs(pages: dict[str, str]) -> None:
    for path, text in pages.items():
        if path.startswith("reference/"):
            spans = re.findall(r"`(?:[^`\n]|\n(?!\s*\n))+`", FENCE.sub("", text))
            assert not [span for span in spans if re.search(r"\\[*_~<[]|&lt;", span)], path
    assert "| the next free runs/&lt;configuration>-&lt;n> by default |" in pages["reference/settings.md"]


def test_readers_of_a_section_are_said_in_one_sentence(pages: dict[str, str]) -> None:
    assert (
        "These keys are read by `nas run`, with exceptions: `run.dir` is read by `nas "
        in pages["reference/settings.md"]
    )


def test_bars_in_the_code_of_a_table_have_no_backslash_on_the_site(pages: dict[str, str]) -> None:
    assert with_plain_bars("| `a\\|b` | c\\|d |\n`e\\|f`") == "| `a|b` | c\\|d |\n`e\\|f`"
    assert "| `|nor_conv_3x3~0|+|none~0|" in pages["topics/architectures.md"]


def test_the_text_of_the_package_has_no_link_that_only_a_checkout_can_follow() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    file = setup["metadata"]["long_description"].removeprefix("file: ")
    assert file != "README.md"
    assert all("://" in target for target in LINK.findall((ROOT / file).read_text(encoding="utf-8")))


def test_a_component_is_described_with_its_options() -> None:
    text = components.strategies()
    assert "| `strategy.tournament` | `25` (int) | S |" in text
    assert "Real et al., AAAI 2019" in text


def test_the_references_of_a_component_are_links_to_the_papers(
    pages: dict[str, str], registries: list[Registry[object]]
) -> None:
    for registry in registries:
        for name, one in registry.components.items():
            for reference in getattr(one, "references", ()):
                assert sources([reference]) in pages[f"reference/{PLACE[registry.kind]}.md"], (registry.kind, name)
    link = "[Towards Deep Learning Models Resistant to Adversarial Attacks](https://arxiv.org/abs/1706.06083)"
    assert (
        f"Madry et al., {link}, International Conference on Learning Representations, 2018"
        in pages["reference/attacks.md"]
    )


def test_an_entry_of_bibtex_is_read() -> None:
    entry = r"""@article{a, author = {Doll{\'a}r, Piotr and Lu{\'\i}s, A. and {\L}uk, B.},
      title = "A {NAS} of 1--2 \& more", year = 2020, doi={10.1/x}}"""
    found = fields(entry)
    assert found == {
        "author": "Dollár, Piotr and Luís, A. and Łuk, B.",
        "title": "A NAS of 1–2 & more",
        "year": "2020",
        "doi": "10.1/x",
    }
    assert sources([entry]).startswith("Dollár, Luís and Łuk, [A NAS of 1–2 & more](https://doi.org/10.1/x)")
    assert sources(["@misc{b, title = {Mine}}"]) == "*Mine*"
    assert sources([]) == ""

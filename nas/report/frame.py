"""What every page is put together from: the document, its sections, figures with words beside them."""

from __future__ import annotations

from html import escape

from nas.report.style import CSS


def document(title: str, header: str, body: str) -> str:
    """A page that needs nothing from outside; `title` is plain text, the rest is HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f"{header}\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, body: str, note: str = "") -> str:
    """A titled section; nothing where it has no content."""
    if not body:
        return ""
    note = f'<p class="note">{note}</p>' if note else ""
    return f"<section><h2>{title}</h2>{note}{body}</section>"


def beside(figure: str, words: str) -> str:
    """A figure with its legend and caption on the right, or below it on a narrow page."""
    return f'<figure class="beside"><div class="scroll">{figure}</div><figcaption>{words}</figcaption></figure>'

"""`nas tables`: what published benchmarks say."""

from __future__ import annotations

import typer

from nas.cli import tables_correlate, tables_predict, tables_search

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What published benchmarks say.")


@app.callback()
def _group() -> None:
    """What published benchmarks say. Example: `nas tables correlate --help`."""


app.command("correlate")(tables_correlate.command)
app.command("search")(tables_search.command)
app.command("predict")(tables_predict.command)

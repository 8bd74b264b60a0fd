"""`nas export`: a trained network as a self-contained folder."""

from __future__ import annotations

from pathlib import Path

import typer

from nas.cli.output import Json, output


def command(
    source: Path = typer.Argument(..., metavar="CHECKPOINT|RUN", help="A checkpoint, or a run that trained one."),
    folder: Path = typer.Argument(..., metavar="DIR", help="A new folder."),
    as_json: bool = Json,
) -> None:
    """Write a trained network with all that is needed to use it: weights, architecture, numbers, model card, ONNX.

    `nas.load(DIR)` in Python gives the network (images in [0, 1] in, logits out), `nas eval DIR` attacks it.
    Needs `pip install 'robust-nas[export]'`. Example:
    `nas export runs/quickstart-1/models/best-pgd/best.pt exported/best-pgd`.
    """
    from nas.export.folder import export

    with output(as_json) as out:
        result = export(source, folder)
        lines = [
            f"{result['name']}: {result['params']:,} weights, {result['evaluations']} evaluation(s)",
            f"files: {', '.join(result['files'])}",
            f"load it: nas.load({result['folder']!r})",
        ]
        out.emit(result, "\n".join(lines))

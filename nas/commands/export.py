"""`nas export`: write a trained network as a self-contained folder."""

from __future__ import annotations

from pathlib import Path

from nas.commands.base import Argument, Command, Output


class Export(Command):
    """Write a trained network with everything needed to use it: weights, architecture, numbers, model card, ONNX.

    In Python, `nas.load(DIR)` returns the network (from images in [0, 1] to logits); `nas eval DIR` attacks it.
    Needs `pip install 'robust-nas[export]'`. Example:
    `nas export runs/quickstart-1/models/best-pgd/best.pt exported/best-pgd`.
    """

    name, place = "export", 11
    arguments = (
        Argument("source", "A checkpoint, or a run that trained one network.", "CHECKPOINT|RUN", Path),
        Argument("folder", "A new folder.", "DIR", Path),
    )

    def call(self, output: Output, source: Path, folder: Path) -> None:
        from nas.export.folder import export

        result = export(source, folder)
        lines = [
            f"{result.name}: {result.params:,} weights, {result.evaluations} evaluation(s)",
            f"files: {', '.join(result.files)}",
            f"load it: nas.load({result.folder!r})",
        ]
        output.emit(result.to_json(), "\n".join(lines))

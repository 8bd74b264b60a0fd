"""The model card of an exported network: its data and architecture, training, numbers, and how to load it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nas.core.data import DataSettings
from nas.core.io.records import Json
from nas.core.radius import radius
from nas.report.wording import attack, norm, percent, with_interval
from nas.results import EvalResult
from nas.train import METHODS, TrainedNetwork


@dataclass(frozen=True)
class Facts:
    """What describes an exported network besides the fields of its `TrainedNetwork`."""

    params: int
    macs: int
    epoch: int | None  # the weights are those after this epoch
    recipe: Json | None  # settings of the training; None if its run is not found
    versions: dict[str, str]


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation of the network, with its data and the name of its run."""

    result: EvalResult
    data: Json
    run: str

    def to_json(self) -> Json:
        return {**replace(self.result, checkpoint=None, seconds={}).to_json(), "data": self.data, "run": self.run}


def card(name: str, trained: TrainedNetwork, facts: Facts, metrics: list[Evaluation]) -> str:
    """The card as Markdown. Raises InputError if the checkpoint's share of withheld images is impossible."""
    sections = [
        f"# {trained.name}\n\n{_description(trained, facts)}",
        f"## Training\n\n{_training(trained, facts)}",
        f"## Numbers\n\n{_numbers(metrics)}",
        f"## Loading\n\n{_loading(name, trained)}",
        f"## Limits\n\n{_limits(metrics)}",
        f"## Versions\n\n{_table(['package', 'version'], [[key, text] for key, text in facts.versions.items()])}",
    ]
    return "\n\n".join(sections) + "\n"


def _description(trained: TrainedNetwork, facts: Facts) -> str:
    size = trained.image_size
    settings = ", ".join(f"{key} {value}" for key, value in trained.settings.items())
    return (
        f"An image classifier that was found by architecture search in the space {trained.space}: "
        f"{trained.num_classes} classes of {trained.data['name']}, images of {size}×{size} pixels, "
        f"{facts.params:,} weights, "
        f"{facts.macs:,} multiply-accumulates per image.\n\n"
        f"- architecture: `{trained.arch}`\n- network: {settings}\n"
        f"- images in [0, 1], normalised inside by mean {_triple(trained.mean)} and standard deviation "
        f"{_triple(trained.std)}\n"
    ).rstrip()


def _training(trained: TrainedNetwork, facts: Facts) -> str:
    text = f"The network was trained by the method `{trained.training}`"
    if trained.training in METHODS.names():
        text += f" ({METHODS.get(trained.training).label})"
    if trained.eps > 0:
        text += f" with ε = {radius(trained.eps)}"
    text += f" on the training part of {trained.data['name']}, {_withheld(trained.data)}"
    if facts.epoch is not None:
        text += f"; the weights are those after epoch {facts.epoch}"
    if facts.recipe is None:
        return text + ". The other settings of the training are not known."
    rows = [[key, str(value)] for key, value in facts.recipe.items() if key != "method"]
    return f"{text}.\n\n{_table(['setting', 'value'], rows)}"


def _withheld(data: Json) -> str:
    """The part of the training images that was withheld; before 0.2.0 always a tenth, without a record of it."""
    settings = DataSettings(validation=data.get("validation", 0.1))
    settings.check()  # a checkpoint may name any value
    value = settings.validation
    if value == 0:
        return "of which nothing was withheld"
    images = f"{100 * value:g} %" if value < 1 else f"{value:,} images"
    return f"of which {images} were withheld for validation"


def _numbers(metrics: list[Evaluation]) -> str:
    if not metrics:
        return "This network was not evaluated before it was exported; `nas eval FOLDER` evaluates it."
    return "\n\n".join(_evaluation(entry) for entry in metrics)


def _evaluation(evaluation: Evaluation) -> str:
    entry = evaluation.result
    rows = [["none (clean)", with_interval(entry.clean, entry.clean_interval), ""]]
    for name, one in entry.attacks.items():
        rows.append([attack(name), with_interval(one.accuracy, one.interval), percent(one.hrs)])
    if corrupted := entry.corruptions:
        title = f"mean of {len(corrupted.mean_of)} types of common corruption"
        rows.append([title, with_interval(corrupted.mean, corrupted.interval), percent(corrupted.hrs)])
    about = (
        f"{entry.n_test:,} test images of {evaluation.data['name']}, {norm(entry.norm)} attacks of "
        f"ε = {radius(entry.eps)}; uncorrected 95 % Wilson intervals; HRS is the harmonic robustness score 2AR/(A + R)."
    )
    return f"{about}\n\n{_table(['attack', 'accuracy', 'HRS'], rows)}"


def _loading(name: str, trained: TrainedNetwork) -> str:
    size = trained.image_size
    return f"""```python
import nas, torch
model = nas.load({name!r})                      # eval mode; nothing in the folder is pickled
logits = model(torch.rand(1, 3, {size}, {size}))  # images in [0, 1]
```

This needs `pip install 'robust-nas[export]'`. `nas eval {name}` attacks the network.
`robustbench.benchmark(model, ...)` takes `model` as it is. Without this project: `model.onnx` (input `images`, float32,
any batch × 3 × {size} × {size} in [0, 1]; output `logits`), for example with onnxruntime."""


def _limits(metrics: list[Evaluation]) -> str:
    text = "Robust accuracy is an upper bound: another attack may find what the attacks above did not."
    if not any("autoattack" in one.result.attacks for one in metrics):
        text += " AutoAttack was not among them."
    return text + " The numbers say nothing about other radii, norms, corruptions or data."


def _triple(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)

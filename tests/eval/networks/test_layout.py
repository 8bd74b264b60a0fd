"""Networks get images in a memory order and type that they accept; both are decided once and kept with the run."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.images import unit_range
from nas.core.storage.memory import InMemoryStore
from nas.eval import EvalSettings, evaluate
from nas.eval.networks import layout
from nas.eval.networks.layout import (
    ChannelsLast,
    OneMode,
    Ordinary,
    adapt,
    freeze,
    in_eval_mode,
    layout_of,
    missing_gradient,
    with_layout,
)
from nas.eval.transfer import transfer
from nas.results import EvalResult, ImageFormat

SETTINGS = EvalSettings(attacks=["fgsm"], eps=0.1, n_test=20, batch_size=12)
CPU = torch.device("cpu")
X = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(DataSettings(size=8))


class LeNet(nn.Module):
    """LeNet as in many tutorials, but small."""

    def __init__(self, flatten: str = "view") -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.last = nn.Linear(4 * 9, 10)
        self.flatten = flatten

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv(x).relu(), 2)
        return self.last(getattr(x, self.flatten)(x.size(0), -1))


class Images(nn.Module):
    """A multilayer perceptron that calls `view` on the images themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(192, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(x.view(-1, 192))


class StandardisedWeights(nn.Module):
    """Calls `view` on its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(10, 3, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        rows = self.weight.view(10, -1)
        weight = (rows - rows.mean(1, keepdim=True)).view_as(self.weight)
        return F.conv2d(x, weight).flatten(1)


class Volume(nn.Module):
    """Has five-dimensional weights, for which there is no channels-last order."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 10, (3, 8, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x[:, None]).flatten(1)


class BackwardView(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 1

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0].view(len(grads[0]), -1).view_as(grads[0])


class Straight(nn.Module):
    """Calls `view` only in its backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 10, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(BackwardView.apply(self.conv(x))).flatten(1)


def evaluated(network: nn.Module, data: Dataset, outcomes: Any = None) -> EvalResult:
    outcomes = InMemoryStore() if outcomes is None else outcomes
    return evaluate(deepcopy(network), data, SETTINGS, 3, CPU, outcomes)


@pytest.mark.parametrize("kind", [LeNet, Images, StandardisedWeights, Volume, Straight])
def test_what_cannot_run_channels_last_runs_in_ordinary_order(kind: type[nn.Module], data: Dataset) -> None:
    torch.manual_seed(2)
    network = kind().eval()
    part = attacked(data, 20)
    x, y = (part.images.float() / 255).requires_grad_(True), part.labels
    logits = network(x)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), x)
    after = network((x + 0.1 * gradient.sign()).clamp(0, 1))
    clean, stands = logits.argmax(1) == y, (logits.argmax(1) == y) & (after.argmax(1) == y)
    found = evaluated(network, data)
    assert found.image_format == ImageFormat("ordinary", "float32")
    assert found.correct["clean"].tolist() == clean.tolist()
    assert found.correct["fgsm"].tolist() == stands.tolist()


def test_what_can_runs_channels_last_as_before(data: Dataset) -> None:
    network = LeNet("reshape").eval()
    kept: Any = InMemoryStore()
    found = evaluated(network, data, kept)
    assert found.image_format is None, "it is the usual one"
    assert kept.get("door") == {"order": "channels_last", "type": "float32"}
    seen = []
    network.conv.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    adapt(network, X)
    assert all(x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous() for x in seen)
    assert network.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_resumed_run_takes_the_order_that_it_began_with(data: Dataset) -> None:
    """Also with channels-last, the only order of earlier versions, which did not keep it."""
    network = LeNet("reshape").eval()
    for kept, order in (
        ({"door": {"order": "ordinary", "type": "float32"}}, "ordinary"),
        ({"door": {"order": "channels_last", "type": "float32"}}, "channels_last"),
        ({"clean/0": [1] * 12}, "channels_last"),
    ):
        memory: Any = InMemoryStore()
        for key, value in kept.items():
            memory.put(key, value)
        copy, seen = deepcopy(network), []
        copy.conv.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0].is_contiguous()))
        evaluate(copy, data, SETTINGS, 3, CPU, memory)
        assert set(seen) == {order == "ordinary"}
        assert memory.get("door") == kept.get("door")


def test_runs_of_before_are_not_tried_and_cast_nothing() -> None:
    """They do not even cast logits that the network itself makes in half precision."""
    door = with_layout(nn.Sequential(nn.Flatten()), layout.OLD_LAYOUT)
    assert type(door) is ChannelsLast
    assert door(X.half()).dtype == torch.float16


def test_each_network_of_a_transfer_has_its_own_order(data: Dataset) -> None:
    torch.manual_seed(2)
    networks = {"a": LeNet().eval(), "b": LeNet("reshape").eval()}
    kept: Any = InMemoryStore()
    transfer("a", networks, attacked(data, 20), SETTINGS, 3, CPU, kept)
    assert kept.get("a/door")["order"] == "ordinary"
    assert kept.get("b/door")["order"] == "channels_last"


def test_a_network_that_changes_its_images_in_place_leaves_the_stored_ones_alone(data: Dataset) -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(192, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(x.sub_(0.5).view(len(x), -1))

    door = adapt(InPlace().eval(), X)
    assert type(door) is Ordinary
    x = X.clone()
    door(x)
    assert torch.equal(x, X)


def half(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_images_are_cast_to_the_type_of_the_network_and_logits_to_theirs(dtype: torch.dtype) -> None:
    network = half(dtype).eval()
    door = adapt(network, X)
    assert layout_of(door)["type"] == str(dtype).removeprefix("torch.")
    logits = door(X)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, network(X.contiguous(memory_format=torch.channels_last).to(dtype)).float())
    assert {weight.dtype for weight in network.parameters()} == {dtype}
    x = X.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(door(x).square().sum(), x)
    assert gradient.dtype == torch.float32
    assert bool(gradient.any())


def test_a_half_network_is_evaluated(data: Dataset) -> None:
    network = half(torch.float16).eval()
    part = attacked(data, 20)
    right = network((part.images.float() / 255).half()).argmax(1) == part.labels
    found = evaluated(network, data)
    assert found.image_format == ImageFormat("channels_last", "float16")
    assert found.correct["clean"].tolist() == right.tolist()


def test_a_network_of_several_types_gets_the_one_it_takes() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.last = nn.Linear(192, 10).half()

        def forward(self, x: Tensor) -> Tensor:
            return self.last(x.flatten(1)).float() * self.scale

    assert layout_of(adapt(Mixed(), X))["type"] == "float16"


def test_a_double_network_that_took_float32_images_still_does() -> None:
    class Promoting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :10] * self.scale

    assert layout_of(adapt(Promoting(), X))["type"] == "float32"


def test_the_failure_that_is_raised_is_that_of_the_network_itself() -> None:
    """It is not the failure that another memory order or type causes."""
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        adapt(LeNet(), torch.rand(2, 3, 16, 16))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        adapt(half(torch.float16), torch.rand(2, 3, 16, 16))


def scripted() -> dict[str, nn.Module]:
    network = half(torch.float32).eval()
    script = torch.jit.script(network)
    return {"scripted": script, "frozen": torch.jit.freeze(torch.jit.script(deepcopy(network)))}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_torchscript_is_attacked_as_the_network_that_it_was(data: Dataset) -> None:
    expected = evaluated(half(torch.float32).eval(), data)
    for name, network in scripted().items():
        found = evaluate(network, data, SETTINGS, 3, CPU, InMemoryStore())
        assert found.to_json()["correct"] == expected.to_json()["correct"], name
        assert not any(weight.requires_grad for weight in network.parameters()), name


def test_freezing_reaches_every_weight() -> None:
    network = half(torch.float32)
    freeze(network)
    assert not any(weight.requires_grad for weight in network.parameters())


def test_what_cannot_change_its_mode_is_attacked(data: Dataset) -> None:
    class Program(type(half(torch.float32))):  # type: ignore[misc]
        def train(self, mode: bool = True) -> nn.Module:
            raise NotImplementedError("Calling train() is not supported yet.")

    network = half(torch.float32).eval()
    program = Program(*deepcopy(network))
    one = in_eval_mode(program)
    assert isinstance(one, OneMode)
    assert nn.Sequential(one).eval()[0] is one
    found = evaluate(program, data, SETTINGS, 3, CPU, InMemoryStore())
    assert found.to_json()["correct"] == evaluated(network, data).to_json()["correct"]


@pytest.mark.slow
def test_a_program_of_torch_export_is_attacked(data: Dataset) -> None:
    network = half(torch.float32).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    program: Any = torch.export.export(deepcopy(network), (X,), dynamic_shapes=({0: batch},)).module()
    found = evaluate(program, data, SETTINGS, 3, CPU, InMemoryStore())
    assert found.to_json()["correct"] == evaluated(network, data).to_json()["correct"]


class NoGrad(nn.Module):
    def __init__(self, width: int = 192) -> None:
        super().__init__()
        self.last = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.last(x.flatten(1))


class Votes(nn.Module):
    """Its outputs are whole numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return F.one_hot(x.flatten(1)[:, :10].argmax(1), 10).float()


class Detached(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach().flatten(1)[:, :10]


@pytest.mark.parametrize("kind", [NoGrad, Votes, Detached])
def test_networks_without_gradients_are_known(kind: type[nn.Module]) -> None:
    door = adapt(kind().eval(), X)
    assert door.order == "channels_last"
    assert missing_gradient(door, X) is not None


def test_weights_without_gradients_lie_in_the_order_of_the_images() -> None:
    """This holds although the other order was tried afterwards."""
    network = nn.Sequential(nn.Conv2d(3, 10, 3), NoGrad(10 * 36)).eval()
    assert adapt(network, X).order == "channels_last"
    weight = network[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()


def test_gradients_come_back_in_ordinary_order() -> None:
    x = X.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(ChannelsLast(nn.Conv2d(3, 4, 3))(x).square().sum(), x)
    assert gradient.is_contiguous()


@pytest.mark.filterwarnings("ignore:torch.ao.quantization:DeprecationWarning")
@pytest.mark.parametrize("first", [nn.Flatten(), nn.Sequential(nn.Conv2d(3, 3, 1), nn.Flatten())])
def test_a_quantised_network_has_no_gradient(first: nn.Module) -> None:
    """Torch takes 0 for the gradient, and warns."""
    network = nn.Sequential(first, nn.Linear(3 * 64, 10))
    quantised = torch.ao.quantization.quantize_dynamic(network, {nn.Linear}).eval()
    missing = missing_gradient(adapt(quantised, X), X)
    assert "quantized::linear_dynamic has no derivative" in str(missing) or "not have been used" in str(missing)


def test_a_gradient_of_zero_is_a_gradient() -> None:
    class Rounds(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.round().flatten(1)[:, :10]

    assert missing_gradient(Rounds(), X) is None


def test_the_trial_moves_no_random_number() -> None:
    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x + torch.randn_like(x)).flatten(1)[:, :10]

    before = torch.get_rng_state()
    adapt(Noisy(), X)
    assert torch.equal(torch.get_rng_state(), before)


def test_images_reach_the_network_in_its_order() -> None:
    last = unit_range(torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8))
    assert Ordinary(nn.Identity())(last).is_contiguous()
    assert ChannelsLast(nn.Identity())(X).is_contiguous(memory_format=torch.channels_last)


def test_a_part_that_has_one_mode_says_which_it_was_told() -> None:
    part = OneMode(nn.Dropout())
    part.network.eval()
    assert part.train() is part
    assert part.training
    assert not part.network.training
    assert not part.train(False).training


def test_logits_of_another_type_stay_so_where_no_type_was_asked_for() -> None:
    class Twice(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.double()

    assert Ordinary(Twice())(X).dtype == torch.float64
    assert Ordinary(Twice(), torch.float32)(X).dtype == X.dtype

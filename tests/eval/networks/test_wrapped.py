"""Foreign networks: how images in [0, 1] are prepared for them, and the options of the functions that make them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.errors import InputError
from nas.eval import EvalSettings
from nas.eval.networks.making import keywords, make_network
from nas.eval.networks.wrapped import Normalisation, Normalized
from nas.results import UsedNormalisation


class Seen(nn.Module):
    """Returns its input."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_images_are_normalised_channel_by_channel() -> None:
    x = torch.rand(2, 3, 4, 4)
    found = Normalized(Seen(), [0.1, 0.2, 0.3], [0.5, 0.25, 2.0])(x)
    for channel, (mean, std) in enumerate([(0.1, 0.5), (0.2, 0.25), (0.3, 2.0)]):
        torch.testing.assert_close(found[:, channel], (x[:, channel] - mean) / std)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_network_gets_the_type_of_its_images(dtype: torch.dtype) -> None:
    wrapped = Normalized(Seen(), [0.5] * 3, [0.25] * 3)
    x = torch.tensor([0.1, 0.6]).view(2, 1, 1, 1).expand(2, 3, 1, 1).to(dtype)
    found = wrapped(x)
    assert found.dtype == dtype
    exact = torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(found, ((x.to(exact) - 0.5) / 0.25).to(dtype))
    assert not wrapped.state_dict()  # the constants are no weights


def test_a_normalisation_says_whose_it_is() -> None:
    network = Seen()
    assert Normalisation("none").around(network) is network
    assert Normalisation("none").used() == UsedNormalisation("none", None, None)
    own = Normalisation("settings", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    wrapped: Any = own.around(network)
    assert wrapped.network is network
    assert wrapped.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert wrapped.std.flatten().tolist() == pytest.approx([0.4, 0.5, 0.6])
    assert own.used() == UsedNormalisation("settings", [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, Normalisation(None)),
        ({"normalise": "library"}, Normalisation("library")),
        ({"normalise": "none"}, Normalisation("none")),
        ({"mean": [0.5], "std": [0.25]}, Normalisation("settings", (0.5,), (0.25,))),
        ({"mean": [0.5], "std": [0.1, 0.2, 0.3]}, Normalisation("settings", (0.5,) * 3, (0.1, 0.2, 0.3))),
        ({"mean": [0.1, 0.2, 0.3], "std": [0.5]}, Normalisation("settings", (0.1, 0.2, 0.3), (0.5,) * 3)),
    ],
)
def test_what_the_settings_ask_for(settings: dict[str, Any], expected: Normalisation) -> None:
    assert EvalSettings(**settings).normalisation == expected


# model options


def test_options_are_read_as_yaml() -> None:
    options = ["a=1", "b=0.5", "c=true", "d=text", "e=[1, 2]", "f=null", "g=x=y"]
    assert keywords(options) == {
        "a": 1, "b": 0.5, "c": True, "d": "text", "e": [1, 2], "f": None, "g": "x=y",
    }  # fmt: skip
    assert keywords([]) == {}


@pytest.mark.parametrize("text", ["a", "=1", "1a=2", "a.b=1", "a b=1"])
def test_an_option_is_a_name_and_a_value(text: str) -> None:
    with pytest.raises(InputError, match="as key=value,key=value but got"):
        keywords([text])


@pytest.mark.parametrize("text", ["a=[1", "a=" + "[" * 50 + "]" * 50])
def test_an_option_that_is_no_value_is_told(text: str) -> None:
    with pytest.raises(InputError, match=r"Expected a YAML value in eval\.model_options"):
        keywords([text])


def test_the_weights_that_a_maker_draws_are_those_of_the_seed() -> None:
    state = torch.random.get_rng_state()
    first, again, other = (make_network("there", lambda: nn.Linear(3, 2), seed) for seed in (1, 1, 2))
    assert torch.equal(first.weight, again.weight)  # type: ignore[arg-type]
    assert not torch.equal(first.weight, other.weight)  # type: ignore[arg-type]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_maker_that_fails_or_makes_something_else_is_told() -> None:
    def fails() -> Any:
        raise KeyError("depth")

    with pytest.raises(InputError, match=r"Expected there to make a network but: KeyError: 'depth'; check eval\.model"):
        make_network("there", fails, 0)
    with pytest.raises(InputError, match=r"make an nn\.Module but got dict; return the network"):
        make_network("there", dict, 0)

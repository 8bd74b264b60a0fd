"""The moving average against a literal recursion, and the network's own weights are restored afterwards."""

from __future__ import annotations

import torch
from torch import nn

from nas.core.optimisation.ema import ModelEMA


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_it_is_the_literal_recursion_over_weights_and_statistics() -> None:
    model = small()
    average = ModelEMA(model, 0.6)
    expected = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(12):
        with torch.no_grad():
            model[0].weight.add_(torch.randn_like(model[0].weight))  # type: ignore[index, union-attr]
        model(torch.rand(5, 3, 6, 6))  # changes the running statistics
        average.update()
        decay = min(0.6, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * value
            else:
                expected[name] = value.clone()
    with average.swapped_in():
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, expected[name])
    assert int(expected["1.num_batches_tracked"]) == 12


def test_the_model_has_its_own_weights_again_also_after_an_error() -> None:
    model = small()
    average = ModelEMA(model, 0.9)
    with torch.no_grad():
        model[0].weight.add_(1.0)  # type: ignore[index, union-attr]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tensors = [value.data_ptr() for value in model.state_dict().values()]
    try:
        with average.swapped_in():
            assert not torch.equal(model.state_dict()["0.weight"], before["0.weight"])
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert tensors == [value.data_ptr() for value in model.state_dict().values()]  # compiled graphs refer to them


def test_it_goes_on_from_its_state() -> None:
    model = small()
    first = ModelEMA(model, 0.9)
    with torch.no_grad():
        model[0].weight.add_(1.0)  # type: ignore[index, union-attr]
    first.update()
    second = ModelEMA(model, 0.9)
    second.load_state_dict(first.state_dict())
    first.update()
    second.update()
    assert all(torch.equal(first.average[name], second.average[name]) for name in first.average)

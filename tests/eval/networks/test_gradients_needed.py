"""Networks whose outputs have no gradient are refused if an attack needs one."""

from __future__ import annotations

from pathlib import Path

import pytest
from opening import opened

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.eval import EvalSettings
from nas.eval.networks.fitting import check_fits, gradient_users

WITHOUT = (
    "import torch\nfrom torch import nn\n"
    "class NoGrad(nn.Module):\n"
    "    def __init__(self):\n        super().__init__()\n        self.last = nn.Linear(3072, 10)\n"
    "    def forward(self, x):\n        with torch.no_grad():\n            return self.last(x.flatten(1))\n"
    "class Votes(nn.Module):\n"
    "    def forward(self, x):\n"
    "        return nn.functional.one_hot(x.flatten(1)[:, :10].argmax(1), 10).float()\n"
)


@pytest.mark.parametrize("name", ["NoGrad", "Votes"])
def test_networks_without_gradients_are_refused_where_one_is_needed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Dataset
) -> None:
    (tmp_path / f"without_{name.lower()}.py").write_text(WITHOUT)
    monkeypatch.syspath_prepend("")
    text = f"without_{name.lower()}:{name}"
    subject = opened(text, [], tmp_path, 0)
    for keys, words in (
        ({"attacks": ["square100", "pgd20"]}, "for pgd20 but"),
        ({"attacks": ["autoattack"]}, "for autoattack but"),
        ({"attacks": ["square100"], "measures": ["jacobian"]}, r"for eval\.measures=jacobian but"),
        ({"attacks": ["square100"], "checks": True}, r"for eval\.checks=true but"),
        ({"attacks": ["square100"], "sweep": [0.5], "sweep_attack": ["fgsm"]}, "for fgsm but"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            check_fits(subject, digits, text, EvalSettings(**keys))  # type: ignore[arg-type]
        assert "square and corruptions need none" in str(caught.value)
    check_fits(subject, digits, text, EvalSettings(attacks=["square100"], corruptions=["all"], measures=["classes"]))
    check_fits(subject, digits, text)


def test_what_needs_a_gradient() -> None:
    settings = EvalSettings(
        attacks=["square", "fab"],
        sweep=[0.5, 1.0],
        sweep_attack=["square10", "pgd3"],
        measures=["calibration", "classes", "hessian"],
        measure_attack="square10",
    )
    assert gradient_users(settings) == ["fab", "pgd3", "eval.measures=hessian"]
    settings.measure_attack = "fgsm"
    assert "eval.measures=calibration" in gradient_users(settings)

"""Shared fixtures: the folder of real data, a cache folder for tests only, one thread, every search space."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from families import one_per_family

from nas.search_spaces import SPACES, SearchSpace

# Without AVX-512, torch 2.14 and 2.15 crash in oneDNN on some tiny networks of the tests (docs/trust/reliability.md).
# The variable is read at the first convolution, also by the processes that a test starts.
if torch.backends.cpu.get_cpu_capability() == "AVX2":
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX")

# Networks here are tiny: threads that wait for each other would take most of the time, also in fixtures and in the
# processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job; the commands of tests would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("NAS_TEST_DATA", ROOT / "../shared/data")).resolve()

SMOKE = (  # quick test files of each area for `-m smoke`, to find out whether a version of torch or numpy works
    "api/test_ask_tell.py",
    "api/test_tables.py",
    "bench/test_bench_base.py",
    "cli/test_progress.py",
    "commands/test_measures_command.py",
    "docs/test_site_pages.py",
    "commands/test_supernet_search.py",
    "commands/test_transfer_command.py",
    "commands/test_command_checks.py",
    "core/optimisation/test_image_augmentations.py",
    "core/io/test_checkpoint.py",
    "core/config/test_config.py",
    "core/data/test_data_contract.py",
    "core/test_reproducibility.py",
    "core/execution/test_executor.py",
    "core/test_logits.py",
    "core/optimisation/test_trainer.py",
    "core/optimisation/test_attack_steps.py",
    "core/data/test_resize.py",
    "core/storage/test_sqlite.py",
    "export/test_export.py",
    "faults/test_judging.py",
    "fuzz/test_fuzzing.py",
    "objectives/test_objectives.py",
    "report/test_report.py",
    "runs/test_definitions.py",
    "scoring/test_score_loop.py",
    "searches/test_search_loop.py",
    "settings/test_data_settings.py",
    "studies/test_correlate.py",
    "eval/attacks/test_attacks.py",
    "eval/attacks/test_autoattack.py",
    "eval/attacks/test_torchattacks_classes.py",
    "eval/test_checks.py",
    "eval/corruptions/test_corruption_contract.py",
    "eval/corruptions/test_corruption_references.py",
    "eval/corruptions/test_blur_references.py",
    "eval/corruptions/test_spatter_references.py",
    "eval/corruptions/test_weather_references.py",
    "eval/test_evaluation.py",
    "eval/networks/test_layout.py",
    "eval/networks/test_foreign_networks.py",
    "eval/networks/test_gradients_needed.py",
    "eval/networks/test_normalisation.py",
    "eval/networks/test_logit_shapes.py",
    "eval/measures/test_measures.py",
    "eval/measures/test_curvature_and_jacobian.py",
    "eval/measures/test_reliability_and_landscape.py",
    "eval/test_outputs.py",
    "eval/attacks/test_own_attacks.py",
    "eval/test_model_source.py",
    "eval/networks/test_weights_files.py",
    "search_spaces/test_space_contract.py",
    "search_spaces/test_depthwise.py",
    "search_spaces/test_supernet_derivation.py",
    "search_spaces/test_supernet_references.py",
    "search_spaces/test_supernets.py",
    "strategies/predictors/test_predictor_contract.py",
    "strategies/proxies/test_croze.py",
    "strategies/proxies/test_gradient_proxies.py",
    "strategies/proxies/test_jacobian_proxies.py",
    "strategies/proxies/test_proxy_contract.py",
    "strategies/proxies/test_synflow.py",
    "strategies/supernet/test_bilevel.py",
    "strategies/supernet/test_bilevel_steps.py",
    "strategies/test_strategy_contract.py",
    "tables/test_csv_tables.py",
    "train/test_exact_resume.py",
    "train/test_exported.py",
    "train/test_methods.py",
    "train/test_options.py",
    "train/test_training.py",
)


@pytest.hookimpl(tryfirst=True)  # before pytest selects tests by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        if item.path.relative_to(tests).as_posix() in SMOKE and item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.smoke)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data for tests; without it, the test is skipped."""
    if not DATA.is_dir():
        pytest.skip(f"no test data at {DATA}; set NAS_TEST_DATA to the folder that holds it")
    return DATA


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True, scope="module")
def _short_collections() -> None:
    """Garbage collections skip the objects from before the tests of a file, most of which belong to libraries.

    Python collects garbage from time to time, and the program does when memory is short; each collection would take
    most of a second if it included the objects of torch and scikit-learn.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tests use one thread: on a busy machine, threads of tiny networks mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=one_per_family())
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES.get(request.param)()


@pytest.fixture(scope="session")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The override for an .npz file of 300 real digits of 8 by 8 pixels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    path: Path = tmp_path_factory.mktemp("data") / "digits.npz"
    images = np.rint(digits.images[:300] * (255 / 16)).astype(np.uint8)
    np.savez(path, images=images, labels=digits.target[:300].astype(np.uint8))
    return f"data.root={path}"

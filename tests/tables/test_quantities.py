"""Direction and unit of a column, by the names that people give."""

from __future__ import annotations

import numpy as np
import pytest

from nas.tables.layouts.quantities import quantity

HIGHER = (
    "val val_108 test timely top1 top5 mIoU val_score fgsm@1 throughput fps best_epoch_acc log_likelihood "
    "valid_neg_loss test_neg_loss neg_loss negLoss minus_loss -loss 1-error one_minus_error 1_minus_err neg_mse "
    "inv_latency inverse_flops val_acc_12_epochs acc_200epochs accuracy@epochs=12 acc@200ep valid_acc_ep12 "
    "val_epochs200_acc accuracy_size_32 accuracy_after_200_epochs acc_at_epoch_12 acc_per_params images_per_second "
    "images/sec val/acc cifar10/val_acc acc_after_warmup_time"
)
LOWER = (
    "err testErr test_error top1_error top-1-error acc_err misclassification accuracy_loss ssim_loss mse rmse mae nll "
    "cross_entropy wer mCE ece negative_log_likelihood minus_acc neg_accuracy 100-accuracy seconds seconds_108 "
    "latency_ms runtime duration train_time train/time edgegpu_energy edgegpu_latency params params_12 MParams "
    "params_m nparams FLOPs gflops GFLOPs mflops flops_g MAdds epochs loss_12_epochs val/loss seconds_per_image "
    "ms_per_image time_per_epoch time_to_accuracy epochs_to_90_acc val_loss_at_best_acc loss@best_acc "
    "in_domain_loss epochs_12 size_32"
)
EITHER = "accuracy_time test_time_acc acc_latency params_acc loss_acc acc_best_loss"


@pytest.mark.parametrize(
    ("name", "higher"),
    [
        *((name, True) for name in HIGHER.split()),
        *((name, False) for name in LOWER.split()),
        *((name, None) for name in EITHER.split()),
    ],
)
def test_direction_of_a_column(name: str, higher: bool | None) -> None:
    found = quantity(name, np.array([0.1, 0.9]))
    assert found.higher_is_better is higher
    words = {True: "higher is better", False: "lower is better", None: "does not say in which direction"}
    assert words[higher] in str(found)


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("val_108", [0.1, 0.9], "fraction"),
        ("cifar10_test_acc", [10, 94.3], "percent"),
        ("val_acc_12_epochs", [10, 94.3], "percent"),
        ("val", [-1.2, -0.6], ""),  # minus a loss
        ("test_error", [0.05, 0.9], "fraction"),
        ("testErr", [5, 90], "percent"),
        ("neg_loss", [-1.2, -0.6], ""),
        ("val_loss", [0.1, 0.9], ""),
        ("edgegpu_latency", [0.1, 0.9], ""),
        ("seconds", [0.1, 0.9], "seconds"),
        ("latency_ms", [0.1, 0.9], "ms"),
        ("train_hours", [0.1, 0.9], "hours"),
        ("params", [0.1, 0.9], ""),
        ("FLOPs", [0.1, 0.9], ""),
        ("val", [np.nan, np.nan], ""),
    ],
)
def test_unit_of_a_column(name: str, values: list[float], unit: str) -> None:
    assert quantity(name, np.array(values)).unit == unit

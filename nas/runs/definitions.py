"""What proxy values depend on besides the settings: the data for which costs are counted, and changed definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.runs.run_folder import Run
from nas.strategies.proxies.eproxy.settings import EproxyOptions
from nas.strategies.proxies.jacobian import MANY_CLASSES

CHANGED_IN = "0.2.0"  # the version in which the definitions below changed
Definitions = dict[str, dict[str, int] | dict[str, str]]
EARLIER_DEFINITIONS: Definitions = {  # of earlier versions, whose files do not state them
    "counted_for": {"num_classes": 10, "image_size": 32},
    "definition": {"epe_nas": "s_c per pair of images"},
}


def definitions(proxies: Sequence[str], options: Mapping[str, object], dataset: Dataset) -> Definitions:
    """What the values of these proxies depend on, and nothing else, given their `options` and the data set.

    `counted_for` holds the number of classes if weights are counted, and the image size if MACs are counted.
    `definition` is the definition of EPE-NAS if there are more than 100 classes.
    """
    eproxy = options["eproxy"] if "eproxy" in proxies else None
    flops = "flops" in proxies or (isinstance(eproxy, EproxyOptions) and eproxy.alpha != 0)
    counted = {"num_classes": dataset.num_classes} if flops or "params" in proxies else {}
    counted |= {"image_size": dataset.image_size} if flops else {}
    depends_on: Definitions = {"counted_for": counted} if counted else {}
    if _changed_epe_nas(proxies, dataset):
        depends_on["definition"] = {"epe_nas": "s_c per image, classes of one image left out"}
    return depends_on


def check_run(run: Run, dataset: Dataset) -> None:
    """Raise `InputError` if the run would go on with a search whose proxies an earlier version defined differently."""
    older = run.begun_before(CHANGED_IN)
    if older is None or run.store.get("search/result") is not None:
        return
    if _changed_epe_nas(run.settings.search.metrics(), dataset):
        raise InputError(
            f"Expected version {CHANGED_IN} or later to have begun a search by epe_nas on more than {MANY_CLASSES} "
            f"classes but {run.folder} was begun by {older}, whose epe_nas gave other values there; start a new run."
        )


def _changed_epe_nas(names: Sequence[str], dataset: Dataset) -> bool:
    return "epe_nas" in names and dataset.num_classes > MANY_CLASSES

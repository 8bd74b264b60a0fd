"""What each command gives back: frozen dataclasses whose `to_json` is the content of `result.json`.

There is a file for each command, and `from nas.results import NAME` works for every name. Attributes are called alike
everywhere: an architecture is a string `arch`, the best of several is `best` and the list `top`, the numbers of an
attack are `attacks[name].accuracy`, `.interval` and `.hrs`, and `correct[name]` holds for each image whether it was
classified correctly. Accuracies and scores are fractions; intervals are 95 % and uncorrected.

Results of all versions since 0.1.0 can be read: a key that only later versions write has a default here.
"""

from nas.results.base import (
    NOT_COUNTED,
    Correct,
    Count,
    Environment,
    Interval,
    Provenance,
    Result,
    Revision,
    result_type,
)
from nas.results.corruptions import CorruptionResult, RelativeErrors
from nas.results.dps import Agreement, DpsResult, HeldOut, Ranking, RhoDifference
from nas.results.eval import (
    CLEAN,
    OUTPUT_CHECKS,
    WORST_CASE,
    AttackResult,
    Check,
    Curve,
    EvalResult,
    ImageFormat,
    UsedNormalisation,
    WorstCase,
)
from nas.results.export import ExportResult
from nas.results.measures import Bin, Calibration, ClassAccuracy, Landscape, Measures, Reliability, Spread
from nas.results.run import Difference, RunResult
from nas.results.score import ScoreRow
from nas.results.search import FoundArchitecture, PercentileRank, SearchResult, SupernetEpoch, SupernetTraining
from nas.results.study import Repeated, RepeatedDifference, RepeatedModel, StudyResult
from nas.results.train import Checkpoint, Epoch, TrainedModel, TrainResult
from nas.results.transfer import CleanAccuracies, TransferMatrix, TransferNetwork, TransferResult

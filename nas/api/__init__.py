"""The Python face of the project: one function for each thing that a researcher does; `import nas` has them all."""

from nas.api.ask_tell import OpenSearch, open_search
from nas.api.checks import Checks
from nas.api.comparing import ComparedReports, compare
from nas.api.evaluation import evaluate
from nas.api.opening import open_run, space
from nas.api.ranking import RankCorrelation, rank_correlation
from nas.api.registering import register
from nas.api.results import Found, Model, Report, Scores
from nas.api.scoring import score
from nas.api.searching import resume, search
from nas.api.table_searching import table_search
from nas.api.tables import open_tables
from nas.api.training import train_model
from nas.train.exported import load

__all__ = [
    "Checks",
    "ComparedReports",
    "Found",
    "Model",
    "OpenSearch",
    "RankCorrelation",
    "Report",
    "Scores",
    "compare",
    "evaluate",
    "load",
    "open_run",
    "open_search",
    "open_tables",
    "rank_correlation",
    "register",
    "resume",
    "score",
    "search",
    "space",
    "table_search",
    "train_model",
]

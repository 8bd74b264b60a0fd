"""The commands that are compared: every command of the command line, with settings that take seconds.

`{inputs}` is the folder that `inputs.make` writes. Each case has a folder of its own; the files of the case NAME are in
`../NAME/...`. Most cases print text; those with `--json` show that the JSON is the same too.
"""

from __future__ import annotations

from comparison.network_cases import evaluations, trainings
from comparison.run_cases import runs
from comparison.search_cases import objectives, strategies
from comparison.table_cases import scores, tables
from comparison.word_cases import words

CASES = (
    *words(),
    *trainings(),
    *strategies(),
    *objectives(),
    *evaluations(),
    *runs(),
    *scores(),
    *tables(),
)

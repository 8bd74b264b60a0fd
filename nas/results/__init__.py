"""What each command gives back: frozen dataclasses whose `to_json` is the content of `result.json`.

There is a file for each command, and `from nas.results import NAME` works for every name. Attributes have the same
names everywhere: an architecture is a string `arch`, the best of several is `best` and the list `top`, the numbers of
an attack are `attacks[name].accuracy`, `.interval` and `.hrs`, and `correct[name]` says of each image whether it was
classified correctly. Accuracies and scores are fractions; intervals are 95 % and uncorrected.

Results of all versions since 0.1.0 can be read: a key that only later versions write has a default here.
"""

from nas.results.base import *
from nas.results.comparison import *
from nas.results.corruptions import *
from nas.results.dps import *
from nas.results.eval import *
from nas.results.export import *
from nas.results.measures import *
from nas.results.run import *
from nas.results.score import *
from nas.results.search import *
from nas.results.study import *
from nas.results.train import *
from nas.results.transfer import *

# %% [markdown]
# # Search on a table, with statistics
#
# This notebook is for everyone who wants to know whether one search strategy is better than another. It runs four
# strategies on one table, each with the same 20 seeds, and tests their differences. At the end you have the regret of
# each strategy with an interval, its number of queries to the optimum, a corrected p-value for each pair of strategies,
# and a picture of the regret over the queries.
#
# It takes less than a minute on two cores and needs no download. With a published table, change one line.

# %%
QUICK = False  # True: a few seconds and smaller numbers everywhere, to see whether the notebook runs
ROBUSTNESS = None  # the folder of the robustness dataset, if you have it: then the table is of robust accuracies
if QUICK:
    print("QUICK is True: this shows that the notebook runs; its numbers mean nothing.")

# %% [markdown]
# ## The table
#
# A table has a row for each architecture and a column for each quantity. This one has a row for each class of
# isomorphic cells of NAS-Bench-201, and as its column a quantity that everyone can compute for all of them in seconds:
# the number of multiply-adds of the network, or 0 if it has more than 30 % of the weights of the largest network. The
# search thus has to pack as much computing as possible into a given size. Nobody needs the answer, but nothing about it
# is invented.

# %%
import csv

import nas

space = nas.space("nasbench201")
if ROBUSTNESS is None:
    limit = 0.3 * space.cost(space.largest()).params
    with open("table.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "packed"])
        for text in sorted({str(space.canonical(cell)) for cell in space}):
            cost = space.cost(space.parse(text))
            writer.writerow([text, cost.macs if cost.params <= limit else 0])
    tables, objective = nas.open_tables(scores="table.csv"), "scores:packed"
else:
    tables, objective = nas.open_tables(robustness=ROBUSTNESS), "pgd@1"

column = tables[objective]
optimum = max(column.values())
equal = sum(value == optimum for value in column.values())
print(f"{len(column):,} classes; the best {objective} is {optimum:g}, in {equal} of them")

# %% [markdown]
# ## Many runs
#
# `nas.open_search` gives a search whose caller evaluates: `ask` proposes architectures, `tell` says their value. Here
# the value is looked up. A search asks for each class only once. Of every run we keep the regret after each query: how
# far the best value so far is behind the optimum, in percent of the optimum.
#
# `evolution` draws at random until its population is full. With its default of 100 architectures it would be the same
# as `random` here, so the population must be smaller.

# %%
import numpy as np

QUERIES, SEEDS = (20, 6) if QUICK else (100, 20)
STRATEGIES = {
    "random": {},
    "local": {},
    "evolution": {"strategy.population": 16, "strategy.tournament": 4},
    "warmup-move": {
        "strategy.ranked_by": "objective",
        "strategy.warmup": 16,
        "strategy.pool": 16,
        "strategy.tournament": 4,
        "strategy.neighbours": 4,
    },
}


def regret_of(strategy, seed):
    """The regret in percent after each query: (QUERIES,)."""
    settings = STRATEGIES[strategy]
    search = nas.open_search(space=space, strategy=strategy, settings=settings, budget=QUERIES, seed=seed)
    values = []
    while archs := search.ask(1):
        values.append(column[archs[0]])
        search.tell(archs[0], values[-1])
    return 100 * (1 - np.maximum.accumulate(values) / optimum)


regret = {  # of each strategy (SEEDS, QUERIES)
    name: np.array([regret_of(name, seed) for seed in range(SEEDS)]) for name in STRATEGIES
}

# %% [markdown]
# ## What each strategy reaches
#
# The median of the runs with its 95 % interval. A run that did not reach the optimum would have needed more queries
# than it had, nobody knows how many. It counts as infinite: a median can take that, a mean cannot. So `inf` says that
# at least half of the runs did not reach the optimum.

# %%
from scipy.stats import quantile_test


def median(values):
    """The median and its 95 % interval from order statistics, as text."""
    low, high = quantile_test(values, p=0.5).confidence_interval(0.95)
    return f"{np.median(values):.1f} [{low:.1f}, {high:.1f}]"


def queries_to_optimum(runs):
    """The first query of each run at which its regret is 0; infinite if there is none."""
    return np.where((runs == 0).any(axis=1), (runs == 0).argmax(axis=1) + 1, np.inf)


last = {name: runs[:, -1] for name, runs in regret.items()}
queries = {name: queries_to_optimum(runs) for name, runs in regret.items()}
print(f"{'':12}{'regret, %':17}queries")
for name in STRATEGIES:
    print(f"{name:12}{median(last[name]):17}{median(queries[name])}")

# %% [markdown]
# ## Which differences are significant
#
# The runs of two strategies with the same seed are a pair: both begin with the same random cell. If the strategies were
# equally good, each difference could as well have the opposite sign. The sign-flip test tries all choices of signs; its
# p-value is the share of them whose mean difference is at least as far from 0 as the observed one. There are six pairs
# of strategies, and the more comparisons, the more of them seem significant by chance. Holm's correction accounts for
# that.

# %%
from itertools import combinations

from nas.core.statistics.paired import SIGNIFICANCE, holm
from nas.core.statistics.repetitions import sign_flip

pairs = list(combinations(STRATEGIES, 2))
difference = {(a, b): last[a] - last[b] for a, b in pairs}  # paired by seed
p_values = holm([sign_flip(list(one)) for one in difference.values()])
corrected = dict(zip(pairs, p_values))
for (a, b), p in corrected.items():
    star = "*" if p < SIGNIFICANCE else ""
    print(f"{a:>9} - {b:11} {difference[a, b].mean():6.2f}  p {p:.4f} {star}")

# %% [markdown]
# A positive difference says that the second strategy of the pair is better, a star that the difference is significant.
# Not significant does not mean equal: more seeds could show a difference. And one has to decide what is compared before
# one sees the numbers, here the regret after the last query. The picture shows that another number of queries would be
# another question.

# %%
import matplotlib.pyplot as plt

plt.figure("Regret after each query: median and middle half of the runs", figsize=(7, 4))
for name, runs in regret.items():
    low, middle, high = np.percentile(runs, (25, 50, 75), axis=0)
    steps = np.arange(1, QUERIES + 1)
    (line,) = plt.plot(steps, middle, label=name)
    plt.fill_between(steps, low, high, color=line.get_color(), alpha=0.15)
plt.xlabel("queries")
plt.ylabel("regret, % of the optimum")
plt.ylim(0, np.median(regret["random"][:, 0]))
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# ## The same in one call
#
# On a table, nobody has to write this loop. The command `nas tables search` runs every strategy on every column, and so
# does `nas.table_search`, much faster. It derives the seeds of its runs in another way, so these are other runs and
# their numbers differ a little. It gives the mean regret and the share of the runs that reached the optimum.

# %%
options = {
    key.replace("strategy", name): value for name, settings in STRATEGIES.items() for key, value in settings.items()
}
study = nas.table_search(tables, objective, list(STRATEGIES), queries=QUERIES, seeds=SEEDS, settings=options)
for name, one in study.strategies.items():
    mean, found = 100 * one.regret[-1] / optimum, one.queries_to_optimum.found
    print(f"{name:12}regret {mean:5.2f} %, optimum in {found:.0%}")

# %% [markdown]
# What you have learnt holds for this table, these settings and this number of queries. For robust accuracies, the page
# [Search strategies](../studies/strategies.md) compares more strategies, with 100 seeds.

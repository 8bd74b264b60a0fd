# %% [markdown]
# # What a proxy is worth
#
# This notebook is for everyone who wants to search with a zero-cost proxy and first asks whether its ranking agrees
# with that of training. At the end you have a CSV file of cells that you have trained yourself, the rank correlations
# of four proxies and of the number of weights with their accuracies, each with its interval and in a picture, and an
# idea of what so few cells can show and what they cannot.
#
# It takes about a minute on two cores. The data are scikit-learn's handwritten digits, which need no download.

# %%
QUICK = False  # True: a few seconds and smaller numbers everywhere, to see whether the notebook runs
ROBUSTNESS = None  # the folder of the robustness dataset, if you have it: then the last table is of its accuracies
if QUICK:
    print("QUICK is True: this shows that the notebook runs; its numbers mean nothing.")

# %% [markdown]
# ## Train some cells
#
# The cells are a random sample of NAS-Bench-201, without those in which no path leads from the image to the output.
# Cells that a search has picked would resemble each other, and a ranking of similar cells says little about the space.
# Each cell is trained for three epochs, twice, with two seeds. That is far from a finished training, but the steps are
# those of a real study.

# %%
import csv

import nas

space = nas.space("nasbench201")
sample = space.draw(40, seed=3, unique=True)
cells = [cell for cell in sample if space.connected(cell)][: 3 if QUICK else 15]
size = {"model.channels": 4, "model.cells_per_stage": 1, "data.size": 8}
training = {
    "train.batch_size": 64,
    "train.flip": False,  # a mirrored digit is no digit
    "train.crop": 1,
}


def label(cell, seed):
    """Clean and robust accuracy of a cell after a short training."""
    epochs = 1 if QUICK else 3
    model = nas.train_model(cell, epochs=epochs, settings=size | training, seed=seed)
    report = nas.evaluate(model, attacks=["fgsm"], eps="8/255")
    return {"clean": report.clean, "fgsm": report.attacks["fgsm"].accuracy}


rows = []
for cell in cells:
    again = {f"{name} again": value for name, value in label(cell, seed=1).items()}
    rows.append({"arch": str(cell), **label(cell, seed=0), **again})

with open("trained.csv", "w", newline="") as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)

# %% [markdown]
# `fgsm` is the accuracy under an attack with radius 8/255. Two trainings of the same cell differ:

# %%
for row in rows[:5]:
    print(row["arch"])
    print(f"    fgsm {row['fgsm']:.3f}, and again {row['fgsm again']:.3f}")

# %% [markdown]
# ## Score the same cells
#
# CRoZe compares the features and gradients of clean and perturbed images. SynFlow looks at the weights, NWOT at the
# ReLUs that an image switches on, and `jacov` at how alike the gradients of different images are. Higher is better for
# all of them. The number of weights stands beside them: a proxy that ranks no better is not worth its computation.

# %%
proxies = ["croze", "synflow", "nwot", "jacov", "params"]
as_trained = size | {"scoring.channels": 4, "scoring.cells_per_stage": 1}
scores = nas.score(cells, proxies=proxies, settings=as_trained, run="scores.csv")
for row in scores.rows[:5]:
    print(row.arch)
    print("   ", ", ".join(f"{name} {value:.5g}" for name, value in row.scores.items()))

# %% [markdown]
# ## Rank correlations with intervals
#
# Spearman's ρ is 1 if a proxy orders the cells as their accuracies do, 0 if it knows nothing about them, and -1 if it
# orders them the other way round. `nas.rank_correlation` gives it as `rho`; for its 95 % `interval`, cells are drawn
# with replacement, a thousand times. It also gives Kendall's `tau`, and the number `n` of cells with both values.
#
# Two more rows help to read the table. The second training of the same cells shows how much can be expected: if two
# trainings disagree, no proxy can agree with both. Chance is where 95 % of all random rankings lie.

# %%
import numpy as np

from nas.core.statistics.ranks import spearman_difference, spearman_matrix


def worth(rankings, accuracy):
    """ρ of each ranking with the accuracies, with its 95 % interval; also of chance."""
    table = {}
    for name, ranking in rankings.items():
        found = nas.rank_correlation(ranking, accuracy)
        table[name] = (found.rho, *found.interval)
    rng = np.random.default_rng(0)
    random_rankings = [rng.permutation(len(accuracy)) for _ in range(1000)]
    by_chance = spearman_matrix(random_rankings, [accuracy])[:, 0]
    return {**table, "chance": (0.0, *np.percentile(by_chance, (2.5, 97.5)))}


def show(title, table):
    print(title)
    for name, (value, low, high) in table.items():
        print(f"  {name:15} {value:6.2f}  [{low:5.2f}, {high:5.2f}]")


# the cells on which every proxy has a value
valued = [number for number, row in enumerate(scores) if row.reason is None]
ranked = {name: [scores.values(name)[number] for number in valued] for name in proxies}
results = {}
for column in ("clean", "fgsm"):
    first = [rows[number][column] for number in valued]
    second = [rows[number][f"{column} again"] for number in valued]
    results[column] = worth({**ranked, "second training": second}, first)
    show(f"{column}, {len(valued)} cells", results[column])

# %%
import matplotlib.pyplot as plt

title = "Rank correlations with their intervals"
figure, panels = plt.subplots(1, 2, sharey=True, figsize=(8, 3), num=title)
for panel, (column, table) in zip(panels, results.items()):
    *names, chance = table
    panel.axvspan(*table[chance][1:], color="0.9", label="chance")
    for height, name in enumerate(reversed(names)):
        value, low, high = table[name]
        panel.plot([low, high], [height, height], color="tab:blue")
        panel.plot(value, height, "o", color="tab:blue")
    panel.set(title=column, xlabel="Spearman's ρ", xlim=(-1, 1))
    panel.set_yticks(range(len(names)), names[::-1])
panels[0].legend(loc="upper left")
figure.tight_layout()

# %% [markdown]
# ## Is a proxy better than counting weights?
#
# Two intervals that overlap do not answer this: both rankings are of the same cells, so their difference has an
# interval of its own, which is narrower. A proxy is shown to be better than size only if it lies above 0; among several
# proxies, one whose interval barely does may be there by chance.

# %%
accuracy = [rows[number]["fgsm"] for number in valued]
for name in proxies[:-1]:
    value, low, high = spearman_difference(ranked[name], ranked["params"], accuracy)
    print(f"{name:8} minus params {value:6.2f}  [{low:5.2f}, {high:5.2f}]")

# %% [markdown]
# ## What fifteen cells can show
#
# They can show that a proxy is far better than chance. They can hardly rank proxies: look at the width of the intervals
# above, none of which is corrected for the number of rows. An interval that contains 0 does not show that a proxy is
# useless; it shows that there are too few cells. The proxy that looks best here may not be the best on fifteen others.
#
# More cells would not help against the rest. ρ counts all cells alike, but a search has to choose among the best. Three
# epochs are not a finished training, and digits are not the data that you care about. Where the two trainings disagree
# much, the mean of several trainings is a better label than one.
#
# Published tables have thousands of cells after a full training. With the robustness dataset (trained on CIFAR-10), the
# next cell scores more cells, and then draws samples of fifteen: how far does their ρ spread around that of all?

# %%
if ROBUSTNESS is not None:
    published = nas.open_tables(robustness=ROBUSTNESS, dataset="cifar10")["fgsm@1"]
    more = space.draw(20 if QUICK else 150, seed=0, unique=True)
    cheap = ["synflow", "nwot", "params"]
    scores_of_more = nas.score(more, proxies=cheap, settings=as_trained)
    usable = [row for row in scores_of_more if row.reason is None]
    accuracy = np.array([published[row.arch] for row in usable])
    rankings = {name: np.array([row.scores[name] for row in usable]) for name in cheap}
    show(f"fgsm@1 after full training, {len(usable)} cells", worth(rankings, accuracy))
    rng = np.random.default_rng(0)
    samples = [rng.choice(len(usable), 15, replace=False) for _ in range(200)]
    for name, ranking in rankings.items():
        rho = [spearman_matrix([ranking[few]], [accuracy[few]])[0, 0] for few in samples]
        low, high = np.percentile(rho, (2.5, 97.5))
        print(f"{name}: in 95 % of the samples of 15, ρ is {low:.2f} to {high:.2f}")
else:
    print("This needs the robustness dataset: meta.zip and the accuracies of cifar10 from")
    print("http://robustness.vision. Unpack them into a folder, name it in the first cell")
    print('(ROBUSTNESS = "FOLDER"), and run the notebook again.')

# %% [markdown]
# ## Keep it
#
# `trained.csv` and `scores.csv` have a row for each cell, so that others can compute another statistic. With published
# tables, `nas tables correlate` does all of this in one command; it also gives the correlation that is left at equal
# size.

# %%
from pathlib import Path

for file in ("trained.csv", "scores.csv"):
    print(Path(file).read_text().splitlines()[0])

# %% [markdown]
# # A first search
#
# This notebook is for everyone who has not used `nas` before. It searches NAS-Bench-201 for a cell with a proxy of
# robustness, trains the cell that it finds and a random one, and attacks both. At the end you have two trained networks
# with their accuracies, clean and under attack, the answer to whether the search was worth it, and a report as a page.
#
# It takes less than a minute on two cores. The data are scikit-learn's handwritten digits, which need no download.

# %%
QUICK = False  # True: a few seconds and smaller numbers everywhere, to see whether the notebook runs
if QUICK:
    print("QUICK is True: this shows that the notebook runs; its numbers mean nothing.")

# %%
import nas

space = nas.space("nasbench201")
print(f"{len(space):,} cells; one of them:", space.draw(1, seed=1)[0])

# %% [markdown]
# ## Search
#
# A cell is written as its operations with the nodes from which they come. The proxy CRoZe scores an untrained network
# in a second: how alike it treats clean and perturbed images. Evolution changes one operation of a good cell at a time.
# The constraint keeps the networks small; without one, a proxy often prefers the largest.

# %%
found = nas.search(
    space=space,
    objective="croze",
    strategy="evolution",
    budget=4 if QUICK else 40,
    constraints=["params<=85%"],
    settings={
        "scoring.channels": 4,
        "strategy.population": 4 if QUICK else 12,
        "strategy.tournament": 4,
    },
    data="digits",
)
found

# %% [markdown]
# `found.top` has the best few. The same call with the same seed gives the same cells. `found.failures` says why an
# evaluation failed: in some cells no path leads from the image to the output, so there is nothing to score.

# %%
print(found.best.arch)
print(f"CRoZe {found.best.metrics['croze']:.0f}, the best of {found.evaluated} cells")
for reason, count in found.failures.items():
    print(f"{count} failed: {reason}")

# %% [markdown]
# ## Train
#
# A proxy is only a guess, so the best cell has to be trained. A random cell is trained in the same way: without it, you
# would not know what the search was good for. `method="pgd"` is adversarial training: each step uses images that an
# attack has changed by at most `eps`, as a fraction of the range of a pixel.

# %%
small = {
    "model.channels": 4,
    "model.cells_per_stage": 1,
    "data.size": 8,
    "train.batch_size": 64,
    "train.flip": False,  # a mirrored digit is no digit
    "train.crop": 1,
    "train.steps": 3,
}
random_cell = space.draw(2, seed=5)[1]
models = {}
for name, arch in {"found": found.best.arch, "random": random_cell}.items():
    models[name] = nas.train_model(
        arch, data="digits", method="pgd", eps=0.1, step_size=0.05, epochs=1 if QUICK else 4, settings=small
    )
    print(name, models[name])

# %%
models["found"]

# %% [markdown]
# ## Attack
#
# Robust accuracy is the share of test images that are correct before and after an attack. HRS, the harmonic robustness
# score, is the harmonic mean of clean and robust accuracy. Each accuracy has its 95 % interval, which is wide with so
# few images.

# %%
reports = {
    name: nas.evaluate(model, attacks=["fgsm", "pgd20"], eps=0.1, n_test=32 if QUICK else 300)
    for name, model in models.items()
}
reports["found"]

# %%
reports["random"]

# %% [markdown]
# ## Compare
#
# Both networks were attacked on the same images, so their difference can be paired image by image. `significant` is
# true if McNemar's p-value is below .05 after Holm's correction for all differences of the table.

# %%
compared = nas.compare(reports["found"], reports["random"])
compared

# %% [markdown]
# A significant difference between these two networks is no proof that CRoZe finds robust cells: it is one search, one
# random cell and one training of each. How much a proxy is worth can be measured, on many cells.
#
# ## Keep it
#
# A page with all numbers, and a checkpoint that `nas.load` and `nas eval` read:

# %%
print(compared.save_page("comparison.html"), models["found"].save("found.pt"))

# %% [markdown]
# With `run="runs/mine"`, each of these calls would leave its run folder, which `nas.resume` continues after a stop.

# %% [markdown]
# # Evaluate your own network like a reviewer
#
# This notebook is for everyone who has a trained PyTorch network and wants a robust accuracy that stands the questions
# of a reviewer. Which attacks, on how many images? Is the gradient masked? Is the difference to another network more
# than chance? At the end you have two networks that were trained in plain PyTorch, their accuracies under four attacks
# with intervals, checks of these numbers, a network that fails the checks, a paired comparison, and a page of it all.
#
# It takes less than a minute on two cores. The data are scikit-learn's handwritten digits, which need no download.

# %%
QUICK = False  # True: a few seconds and smaller numbers everywhere, to see whether the notebook runs
if QUICK:
    print("QUICK is True: this shows that the notebook runs; its numbers mean nothing.")

# %% [markdown]
# ## Two networks of your own
#
# This part does not use `nas`; your own data, network and training stand here. What matters later: images are floats
# in [0, 1] of shape (N, 3, H, W), and the network gives logits, without a softmax. If yours needs normalised images, it
# has to normalise them itself, so that the radius of an attack keeps its meaning.

# %%
import logging

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

logging.getLogger("auto-attack").setLevel("ERROR")  # its line about zero gradients: the checks below say more
digits = load_digits()
grey = torch.tensor(digits.images / 16, dtype=torch.float32)
images = grey[:, None].repeat(1, 3, 1, 1)
labels = torch.tensor(digits.target)
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
test, train = order[:250], order[250:]


class Standard(nn.Module):
    """A small network, trained on the images as they are."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 4 * 4, 10),
        )

    def forward(self, x):
        return self.layers(x)


class Adversarial(Standard):
    """The same network, trained on adversarial images."""


# %% [markdown]
# Adversarial training changes each image within the radius `EPS`, in steps that make the loss larger, and trains on the
# changed images.

# %%
EPS = 0.1  # as a fraction of the range of a pixel


def attacked(network, x, y, steps=3):
    change = torch.empty_like(x).uniform_(-EPS, EPS)
    for _ in range(steps):
        change.requires_grad_()
        loss = cross_entropy(network((x + change).clamp(0, 1)), y)
        (gradient,) = torch.autograd.grad(loss, change)
        change = (change + EPS / 2 * gradient.sign()).clamp(-EPS, EPS).detach()
    return (x + change).clamp(0, 1)


def trained(network):
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(1 if QUICK else 15):
        for batch in train[torch.randperm(len(train))].split(64):
            x, y = images[batch], labels[batch]
            if isinstance(network, Adversarial):
                x = attacked(network, x, y)
            optimiser.zero_grad()
            cross_entropy(network(x), y).backward()
            optimiser.step()
    return network.eval()


torch.manual_seed(0)
standard, adversarial = trained(Standard()), trained(Adversarial())

# %% [markdown]
# ## Several attacks on the same images
#
# FGSM takes one step along the gradient, PGD twenty. APGD chooses its step sizes and follows another loss, so it can
# succeed where PGD fails because of its step size or its loss; where there is no gradient, it fails as PGD does. Square
# uses no gradient at all: it only asks the network for its logits. The worst case counts an image as correct only if it
# is correct under every attack; this is the number to report. A table of a paper would add `autoattack`, which takes
# many times longer.

# %%
import nas

attack = {
    "data": (images[test], labels[test]),
    "n_test": 20 if QUICK else 250,
    "eps": EPS,
    "attacks": ["fgsm", "pgd20", "apgd-dlr", "square50" if QUICK else "square1000"],
}
checks = {} if QUICK else {"eval.checks": True, "eval.checks_images": 50}
reports = {"standard": nas.evaluate(standard, **attack)}
reports["standard"]

# %%
reports["adversarial"] = nas.evaluate(adversarial, **attack, settings=checks)
reports["adversarial"]

# %% [markdown]
# `low` and `high` are the ends of the 95 % interval: how far the accuracy may be off because there are only so many
# images. HRS, the harmonic robustness score, is the harmonic mean of clean accuracy C and robust accuracy R,
# 2 C R / (C + R). It is high only if both are high, so that neither can be traded away for the other unnoticed.
#
# ## Is the gradient masked?
#
# An attack that follows the gradient fails if the gradient is zero or misleading, and then the accuracy is high
# although the network is not robust. `eval.checks` attacks a few images in ways whose outcome is known unless the
# gradient is masked: the accuracy must fall as the radius grows, down to nothing; more steps must not help much; an
# attack without a gradient must not be the better one.

# %%
import textwrap


def show(report, *results):
    for check in report.checks:
        if check.ok in results:
            line = f"{check.ok} {check.name}: {check.reason}"
            print(textwrap.fill(line, 80, subsequent_indent=" " * 5))


show(reports["adversarial"], "pass", "warn")

# %% [markdown]
# ## What a failed check looks like
#
# This network rounds each pixel to one of four values before it looks at the image. Rounding has the derivative zero,
# so no gradient reaches the image. PGD and APGD have nothing to follow, and a paper that reports these alone would have
# found a robust network without any adversarial training.


# %%
class Rounded(nn.Module):
    """The standard network behind a rounding of the images."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network((3 * x).round() / 3)


rounded = nas.evaluate(Rounded(standard), **attack, settings=checks)
rounded

# %%
show(rounded, "warn")

# %% [markdown]
# The warnings say where to look; the proof is an attack that works. Square is one. Another is made for this network: it
# computes the same logits, but its gradient passes the rounding as if it were not there (Athalye et al., ICML 2018,
# arXiv:1802.00420). A reviewer will ask for such an adaptive attack.


# %%
class StraightThrough(Rounded):
    """The same function, with a gradient as if nothing were rounded."""

    def forward(self, x):
        return self.network(x + ((3 * x).round() / 3 - x).detach())


adaptive = nas.evaluate(StraightThrough(standard), **attack)
for name, one in {"rounded": rounded, "adaptive": adaptive}.items():
    accuracies = [f"{key} {result.accuracy:.3f}" for key, result in one.attacks.items()]
    print(f"{name:9}", ", ".join(accuracies))

# %% [markdown]
# ## Is one network better than the other?
#
# Two intervals that overlap do not answer this. Both networks were attacked on the same images, so they can be compared
# image by image: McNemar's test looks only at the images on which they differ. `corrected` is the p-value after Holm's
# correction for all rows of the table, and `significant` says whether it is below .05.

# %%
compared = nas.compare(reports["standard"], reports["adversarial"])
compared

# %% [markdown]
# This is about these two networks. Whether one way of *training* is better than the other needs several trainings of
# each with different seeds, since two trainings of the same network differ too.
#
# ## Keep it
#
# The pages have every number, the checks, all settings and versions; `to_latex()` and `to_csv()` give the tables.

# %%
print(reports["adversarial"].save_page("adversarial.html"))
print(compared.save_page("comparison.html"))

# %% [markdown]
# What a reviewer asks beyond this page: was anything chosen on the test images? Is the radius that of other work on
# these data? Do other people get the same numbers? For the last, give the seed and the settings
# (`reports["adversarial"].settings`), or a run folder with `run="runs/mine"`.

# %% [markdown]
# # A search space, a proxy and an attack of your own
#
# This notebook is for everyone who wants to search networks, rank them or attack them in a way that nobody has built in
# yet. It writes the code for each of the three and uses them by their names. At the end you have an architecture of
# your space that your proxy preferred, trained and evaluated with your attack beside PGD.
#
# It takes less than a minute on two cores. The data are scikit-learn's handwritten digits, which need no download.

# %%
QUICK = False  # True: a few seconds and smaller numbers everywhere, to see whether the notebook runs
if QUICK:
    print("QUICK is True: this shows that the notebook runs; its numbers mean nothing.")

# %% [markdown]
# ## A search space
#
# A network of this space is a chain of three convolutions with 4, 8 or 16 channels each; an architecture is written
# `8-16-4`. First the network. It is a `Body`: it gives the output of each stage, what is pooled, and a classifier. The
# library puts the normalisation of the images before it.

# %%
from torch import nn

from nas.search_spaces.network import Body


class Chain(Body):
    def __init__(self, channels, num_classes):
        super().__init__()
        self.parts, before = nn.ModuleList(), 3
        for width in channels:
            conv = nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False)
            self.parts.append(nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU()))
            before = width
        self.classifier = nn.Linear(before, num_classes)

    def stages(self, x):
        outputs = []
        for part in self.parts:
            x = part(x)
            outputs.append(x)
        return outputs

    def pooled(self, last):
        return last


# %% [markdown]
# Then the space. One half of it are points: read them, draw them, change them. The other half are networks: build one,
# and say what it costs without building it. `@nas.register` makes the name `widths` known.

# %%
from dataclasses import dataclass
from itertools import product

import numpy as np

import nas
from nas.core.errors import InputError
from nas.search_spaces import Cost, Network, SearchSpace
from nas.search_spaces.base import conv_bn_cost

CHOICES = (4, 8, 16)


@dataclass(frozen=True)
class Widths:
    channels: tuple[int, ...]

    def __str__(self):
        return "-".join(map(str, self.channels))


@dataclass
class Size:
    factor: int = 1  # multiplies all channels; `model.factor` in settings

    def check(self):
        if self.factor < 1:
            raise InputError(f"Expected factor >= 1 but got {self.factor}; correct it.")


@nas.register
class WidthSpace(SearchSpace):
    """Three convolutions of 4, 8 or 16 channels."""

    name = "widths"
    Settings = ScoringSettings = Size

    def parse(self, text):
        known = {str(arch): arch for arch in self}
        if text.strip() not in known:
            raise InputError(f"Expected widths such as 8-16-4 but got {text[:40]!r}; correct it.")
        return known[text.strip()]

    def sample(self, rng):
        return Widths(tuple(rng.choice(CHOICES) for _ in range(3)))

    def neighbors(self, arch):  # in a fixed order
        def differing(other):
            return sum(a != b for a, b in zip(arch.channels, other.channels))

        return [other for other in self if differing(other) == 1]

    def mutate(self, arch, rng):
        return rng.choice(self.neighbors(arch))

    def canonical(self, arch):
        return arch  # no two architectures of this space are isomorphic

    def connected(self, arch, **settings):
        return True  # the logits of every network depend on the image

    def __iter__(self):
        return map(Widths, product(CHOICES, repeat=3))

    def __len__(self):
        return len(CHOICES) ** 3

    def largest(self):
        return Widths((16, 16, 16))

    def build(self, arch, num_classes=10, *, factor=1, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)):
        Size(factor).check()
        return Network(Chain([factor * width for width in arch.channels], num_classes), mean, std)

    def cost(self, arch, num_classes=10, *, image_size=32, factor=1):
        before, layers = 3, []
        for width in arch.channels:
            image_size = (image_size + 1) // 2
            layers.append(conv_bn_cost(before, factor * width, 3, image_size))
            before = factor * width
        layers.append(Cost((before + 1) * num_classes, before * num_classes))  # the classifier
        return Cost(*map(sum, zip(*layers)))

    def features(self, arch):  # what predictors see
        return np.array(arch.channels, dtype=np.float32)

    def feature_names(self):
        return ["first", "second", "third"]

    def edges(self, arch):  # what the report draws
        nodes = ["image", "1", "2", "3"]
        layers = zip(nodes, nodes[1:], arch.channels)
        return {"network": [(start, end, f"conv {width}") for start, end, width in layers]}


# %% [markdown]
# Does it keep its promises? Three of them are easily broken, so try them on the whole space: `parse` reads what `str`
# writes, neighbours are mutual, and the cost is that of the network. The project's own tests try many more on any
# space; [Add a search space](../guides/add-a-space.md) says how to run them.

# %%
space = nas.space("widths")
for arch in space:
    assert space.parse(str(arch)) == arch
    assert arch not in space.neighbors(arch)
    assert all(arch in space.neighbors(other) for other in space.neighbors(arch))
    weights = space.build(arch).parameters()
    assert space.cost(arch).params == sum(weight.numel() for weight in weights)
print(len(space), "architectures, the largest", space.largest(), space.cost(space.largest()))

# %% [markdown]
# ## A proxy
#
# A proxy is a function of a `Probe`, which holds an untrained network and a batch of images. This one moves each image
# a little in the direction that raises the loss and measures how far the logits move, relative to their size. The guess
# is that a network whose logits move less is easier to make robust. `higher_is_better=False` is a property of the
# proxy, so that every search and every table knows its direction.

# %%
import torch

from nas.strategies.proxies.base import proxy


@nas.register
@proxy("logit_shift", higher_is_better=False, source="this notebook", passes=4 / 3)
def logit_shift(probe, options):
    """The mean over the batch of |f(x') - f(x)| / |f(x)|, where x' = x + 0.1 sign(dL/dx)."""
    moved = probe.fgsm(0.1)
    with probe.view(), torch.no_grad():  # `view` puts the network back as it was
        before, after = probe.body(probe.images), probe.body(moved)
    return float(((after - before).norm(dim=1) / before.norm(dim=1)).mean())


some = space.draw(3 if QUICK else 12, seed=1)
scores = nas.score(some, space=space, proxies=["logit_shift", "params"])
scores

# %% [markdown]
# Two questions before you believe a proxy: does it have the same value when it is computed again, and is it more than
# the size of the network? The rank correlation with the number of weights answers the second one.

# %%
from scipy.stats import spearmanr

again = nas.score([scores[0].arch], space=space, proxies=["logit_shift"])
print("the same again:", again[0].scores["logit_shift"] == scores[0].scores["logit_shift"])
correlation = spearmanr(scores.values("logit_shift"), scores.values("params")).statistic
print(f"rank correlation with params: {correlation:.2f}")

# %% [markdown]
# ## An attack
#
# An attack returns images within `eps` of those that it is given, and in [0, 1]; an evaluation that gets others stops
# with an error. It is given only images that are still correct. This attack needs no gradient: it tries random corners
# of the cube around each image and keeps the first one that is misclassified. The number in a name, as in `corners50`,
# is the number of steps.

# %%
from nas.eval.attacks import Attack


@nas.register
class Corners(Attack):
    """Random corners of the cube around an image."""

    name = "corners"
    default_steps = 10
    needs_gradient = False
    reads = frozenset()  # neither step_size nor restarts

    def perturb(self, network, x, y, stage, seed):
        result = x.clone()
        left = torch.ones_like(y, dtype=torch.bool)  # images that are still correct
        for _ in range(self.steps):
            tried = (x + self.eps * torch.randn_like(x).sign()).clamp(0, 1)
            wrong = left & (network(tried).argmax(1) != y)
            result[wrong] = tried[wrong]
            left &= ~wrong
        return result

    def passes(self):
        return self.steps / 3  # forward passes only


# %% [markdown]
# ## All three together
#
# The constraint keeps the smallest networks out: some of them are good in this proxy, but they learn little.

# %%
found = nas.search(
    space="widths",
    objective="logit_shift",
    strategy="evolution",
    budget=4 if QUICK else 12,
    constraints=["params>=30%"],
    settings={"strategy.population": 4, "strategy.tournament": 2},
)
found

# %% [markdown]
# Training is adversarial, with the library's own method. `model.factor` is the setting of this space: the network that
# is trained has four times the channels of the one that was scored.

# %%
model = nas.train_model(
    found.best.arch,
    space="widths",
    data="digits",
    method="pgd",
    eps=0.1,
    step_size=0.05,
    epochs=1 if QUICK else 8,
    settings={
        "model.factor": 4,
        "data.size": 8,
        "train.batch_size": 64,
        "train.flip": False,  # a mirrored digit is no digit
        "train.crop": 1,
        "train.steps": 3,
    },
)
model

# %%
attacks = ["corners10", "corners100", "pgd20"]
report = nas.evaluate(model, attacks=attacks, eps=0.1, n_test=32 if QUICK else 300)
report

# %% [markdown]
# Each attack gives an upper bound of the accuracy that an attacker would leave. A new attack is worth reporting if its
# bound is lower than that of a known one, so it always needs one beside it. The same images were attacked, so you can
# count those that only your attack changes:

# %%
correct = report.correct
print("only corners100:", int((~correct["corners100"] & correct["pgd20"]).sum()))
print("only pgd20:     ", int((~correct["pgd20"] & correct["corners100"]).sum()))

# %%
print(report.save_page("own_parts.html"))

# %% [markdown]
# Worker processes (`workers=4`) cannot import from a notebook: put the parts into a module first. Strategies,
# predictors, training methods, corruptions and data sets are registered in the same way.

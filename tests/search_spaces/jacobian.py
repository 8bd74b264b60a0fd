"""Whether the logits of a network depend on the image, by its numerical Jacobian."""

from __future__ import annotations

from typing import Any

import torch

from nas.search_spaces import SearchSpace


def depends_on_the_image(space: SearchSpace, arch: Any, image_size: int = 6, **settings: Any) -> bool:
    """The answer, which must be the same in train mode and then in eval mode with the statistics of that batch.

    ∂⟨V, logits⟩/∂x for a random V (B, classes), in float64: it is 0 with probability 1 only where the Jacobian is. The
    sum of the logits would not do: in train mode normalisation may fix it though each image's own logits vary. Some
    draws of few weights leave ReLUs of nothing but zeros, so up to three are looked at.
    """
    found = [False, False]
    for seed in range(3):
        torch.manual_seed(seed)
        network = space.build(arch, 3, **settings).double()
        for mode in (0, 1):
            x = torch.rand((3, 3, image_size, image_size), dtype=torch.float64, requires_grad=True)
            logits = network.train(mode == 0)(x)
            (slope,) = torch.autograd.grad((logits * torch.randn_like(logits)).sum(), x, allow_unused=True)
            if slope is not None and slope.abs().max() > 0:
                found[mode] = True
            else:
                assert torch.equal(logits, logits[:1].expand_as(logits)), "all images, one answer"
        if all(found):
            break
    assert found[0] == found[1]
    return found[0]

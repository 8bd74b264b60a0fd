"""AG-Net's generator written out for one latent vector, node by node and edge by edge: slow, and not the same code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def mlp(net: Any, *inputs: Tensor) -> Tensor:
    first, _, last = net
    return last(torch.relu(first(torch.cat(inputs))))


def read_out(part: Any, states: list[Tensor]) -> Tensor:
    if len(states) == 1:
        return part.value(states[0])
    return sum((torch.sigmoid(part.gate(h)) * part.value(h) for h in states), start=torch.zeros(32))


def gru(cell: nn.GRUCell, message: Tensor, state: Tensor) -> Tensor:
    """The equations of a gated recurrent unit (Cho et al., 2014), with torch's order of the gates: r, z, n."""
    w, u = cell.weight_ih.split(16), cell.weight_hh.split(16)
    b, c = cell.bias_ih.split(16), cell.bias_hh.split(16)
    r = torch.sigmoid(w[0] @ message + b[0] + u[0] @ state + c[0])
    z = torch.sigmoid(w[1] @ message + b[1] + u[1] @ state + c[1])
    n = torch.tanh(w[2] @ message + b[2] + r * (u[2] @ state + c[2]))
    return (1 - z) * n + z * state


def one_round(part: Any, halves: list[Tensor], edges: set[tuple[int, int]]) -> list[Tensor]:
    """`edges` hold (from, to) of the messages."""
    new = []
    for node, half in enumerate(halves):
        message = torch.zeros(32)
        for source, target in edges:
            if target == node:
                message = message + part.message(torch.cat([half, halves[source]]))
        new.append(gru(part.update, message, half))
    return new


def generate(net: Any, z: Tensor, rounds: int) -> tuple[list[Tensor], dict[tuple[int, int], Tensor]]:
    """Logits of the types of all nodes, and of each edge."""
    one_hot = torch.zeros(net.kinds)
    one_hot[1] = 1
    types, logits = [20 * one_hot], {}
    states = [mlp(net.first, mlp(net.embedding, one_hot), z)]
    edges: set[tuple[int, int]] = set()
    for node in range(1, net.nodes):
        graph, other = read_out(net.graph, states), read_out(net.other_graph, states)
        types.append(mlp(net.next_type, graph, z))
        state = mlp(net.begin, mlp(net.embedding, types[-1]), other, z)
        for source, earlier in enumerate(states):
            logit = torch.tensor([20.0]) if node == 1 else mlp(net.edge, earlier, state, graph, z)
            logits[source, node] = logit
            if logit > 0.5:
                edges.add((source, node))
        states.append(state)
        for number in range(rounds):
            following = one_round(net.along[number], [h[:16] for h in states], edges)
            opposing = one_round(net.against[number], [h[16:] for h in states], {(b, a) for a, b in edges})
            states = [torch.cat(pair) for pair in zip(following, opposing)]
    return types, logits

"""The entropy of an attention: 0 where an atom looks at one neighbour, 1 where it looks at all alike."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.networks.se3_transformer import SE3Transformer
from equinotes.support.errors import UserError
from equinotes.training.terms.base import Seen, Term


class AttentionEntropy(Term):
    r"""Mean of :math:`H_i / \log \deg_i`, over layers, heads and the atoms with two neighbours or more.

    An atom with one neighbour has attention 1 there, whatever the weights: more than half of QM9's atoms. Penalised, the
    attention gets sharper.
    """

    def forward(self, seen: Seen) -> Tensor:
        """The mean; zero where no atom has two neighbours."""
        if not isinstance(seen.net, SE3Transformer):
            raise UserError("term 'attention_entropy' needs an attention")
        target = seen.batch.edge_index[1]
        found = [entropies(weights, target, len(seen.batch.z)) for weights in seen.net.attention(seen.batch).values()]
        return torch.stack([each.mean() if len(each) else seen.outputs.new_zeros(()) for each in found]).mean()


class AttentionUniform(AttentionEntropy):
    """One minus this: penalised, the attention gets uniform. The control."""

    def forward(self, seen: Seen) -> Tensor:
        return 1 - super().forward(seen)


def entropies(
    weights: Float[Tensor, "edges heads"], target: Int[Tensor, " edges"], atoms: int
) -> Float[Tensor, "some_atoms heads"]:
    """Entropy of each atom's attention as a share of the largest one, for atoms with two neighbours or more.

    >>> entropies(torch.tensor([[0.5], [0.5], [1.0]]), torch.tensor([0, 0, 1]), 2).tolist()
    [[1.0]]
    """
    degree = torch.bincount(target, minlength=atoms)
    each = -torch.xlogy(weights, weights.clamp(min=1e-12))
    sums = weights.new_zeros(atoms, weights.shape[1]).index_add(0, target, each)
    some = degree >= 2
    return sums[some] / degree[some].log()[:, None].to(weights.dtype)

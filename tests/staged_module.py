"""A made-up module with the stages, names and labels of SevenNet: it knows rotations, but no parity."""

from collections import OrderedDict

import torch
from e3nn import o3
from e3nn.nn import FullyConnectedNet
from torch import nn

HIDDEN, SH = "4x0e+3x1e+2x2e", o3.Irreps("1x0e+1x1e+1x2e")
ELEMENTS = (1, 6, 7, 8, 9)


class Edges(nn.Module):
    def forward(self, data):
        lengths = data["edge_vec"].norm(dim=-1, keepdim=True)
        basis = torch.exp(-((lengths - torch.linspace(1, 4, 6)) ** 2))
        return data | {"edge_attr": o3.spherical_harmonics(SH, data["edge_vec"], True, "component"), "edge_embedding": basis}


class OneHot(nn.Module):
    def forward(self, data):
        return data | {"x": nn.functional.one_hot(data["x"], len(ELEMENTS)).float(), "atom_type": data["x"]}


class Linear(nn.Module):
    def __init__(self, irreps_in, irreps_out):
        super().__init__()
        self.linear = o3.Linear(irreps_in, irreps_out)

    def forward(self, data):
        return data | {"x": self.linear(data["x"])}


class Convolution(nn.Module):
    def __init__(self, irreps_in):
        super().__init__()
        irreps_in = o3.Irreps(irreps_in)
        found = [
            (i, j, mul, out)
            for i, (mul, ir) in enumerate(irreps_in)
            for j, (_, sh) in enumerate(SH)
            for out in ir * sh
            if out in o3.Irreps(HIDDEN)
        ]
        found.sort(key=lambda path: path[3])
        paths = [(i, j, k, "uvu", True) for k, (i, j, _, _) in enumerate(found)]
        out = o3.Irreps([(mul, ir) for _, _, mul, ir in found])
        self.convolution = o3.TensorProduct(irreps_in, SH, out, paths, shared_weights=False, internal_weights=False)
        self.weight_nn = FullyConnectedNet([6, 8, self.convolution.weight_numel], torch.nn.functional.silu)
        self.denominator = nn.Parameter(torch.tensor([3.0]), requires_grad=False)

    def forward(self, data):
        target, source = data["edge_index"]
        messages = self.convolution(data["x"][source], data["edge_attr"], self.weight_nn(data["edge_embedding"]))
        sums = messages.new_zeros(len(data["x"]), messages.shape[1]).index_add(0, target, messages)
        return data | {"x": sums / self.denominator}


class Gate(nn.Module):
    def __init__(self, irreps_in, irreps_out):
        super().__init__()
        self.gate = o3.Linear(irreps_in, irreps_out)

    def forward(self, data):
        return data | {"x": self.gate(data["x"])}


class Energy(nn.Module):
    def forward(self, data):
        of_atoms = data["x"].tanh().sum(dim=1) + 0.1 * data["atom_type"]
        total = of_atoms.new_zeros(int(data["batch"].max()) + 1)
        return data | {"inferred_total_energy": total.index_add(0, data["batch"], of_atoms)}


class Staged(nn.Sequential):
    """Three interactions; the last one has scalars alone. Nothing reads 2e behind the first one unless `all_orders`."""

    def __init__(self, seed=0, *, all_orders=True):
        torch.manual_seed(seed)
        stages = OrderedDict(edge_embedding=Edges(), onehot_idx_to_onehot=OneHot())
        stages["onehot_to_feature_x"] = Linear(f"{len(ELEMENTS)}x0e", "4x0e")
        irreps = "4x0e"
        for t, out in enumerate((HIDDEN, HIDDEN, "4x0e")):
            stages[f"{t}_convolution"] = Convolution(irreps)
            stages[f"{t}_equivariant_gate"] = Gate(stages[f"{t}_convolution"].convolution.irreps_out, out)
            irreps = out
        stages["energy"] = Energy()
        super().__init__(stages)
        self.z_to_onehot_tensor = torch.full((10,), -1)
        self.z_to_onehot_tensor[list(ELEMENTS)] = torch.arange(len(ELEMENTS))
        if not all_orders:
            reads = self._modules["1_convolution"]
            with torch.no_grad():
                start = 0
                for path in reads.convolution.instructions:
                    mul = reads.convolution.irreps_in1[path.i_in1].mul
                    if path.i_in1 == 2:
                        reads.weight_nn[-1].weight[:, start : start + mul] = 0
                    start += mul

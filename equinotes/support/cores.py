"""Several cores for a convolution: torch shares out single operations, from which many small products of matrices gain little.

`train`, `embed` and what predicts use all of torch's threads this way; in steps of one's own it is one line more:

>>> with side_by_side():
...     loss = torch.zeros(())  # net.normalised(batch), loss.backward(), optimizer.step()
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Cores(NamedTuple):
    pool: ThreadPoolExecutor
    number: int


_cores: ContextVar[_Cores | None] = ContextVar("cores", default=None)


@contextmanager
def side_by_side() -> Iterator[None]:
    """Within this, parts of a convolution are computed side by side, on as many cores as torch has threads; all else on one.

    With threads in both places those of torch, which wait for their next operation awake, would hold the others up. Results
    are the same each time with the same number of cores. Changes nothing where torch has one thread, or within another.
    """
    number = torch.get_num_threads()
    if number < 2 or _cores.get() is not None:
        yield
        return
    torch.set_num_threads(1)  # first, for the pool's threads start with what this one has
    try:
        with ThreadPoolExecutor(number, "equinotes") as pool:
            token = _cores.set(_Cores(pool, number))
            try:
                yield
            finally:
                _cores.reset(token)
    finally:
        torch.set_num_threads(number)


def num_cores() -> int:
    """Cores that a convolution uses here: those of `side_by_side`, otherwise torch's threads."""
    cores = _cores.get()
    return torch.get_num_threads() if cores is None else cores.number


def shares(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], device: torch.device) -> list[Result]:
    """Results of `work` on shares of the items, computed without gradients: within `side_by_side` one share for each core,
    otherwise, and away from the CPU, one of all items.
    """
    cores = _cores.get()
    number = 1 if cores is None or device.type != "cpu" else min(cores.number, len(items))
    if cores is None or number < 2:
        with torch.no_grad():
            return [work(items)]
    inference = torch.is_inference_mode_enabled()  # threads do not inherit it

    def share(first: int) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return work(items[first::number])

    return list(cores.pool.map(share, range(number)))

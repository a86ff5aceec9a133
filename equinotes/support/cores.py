"""Several cores for a convolution: torch parallelises single operations, which helps little with many small matrix products.

`train`, `embed` and all prediction functions use torch's threads this way. A custom training step needs one more line:

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
    """Run tiles of a convolution in parallel, on as many cores as torch has threads, and all other operations on one.

    With threads at both levels, torch's own, which busy-wait between operations, would slow the others down. Results are
    reproducible for a given number of cores. No effect if torch has one thread, or when nested.
    """
    number = torch.get_num_threads()
    if number < 2 or _cores.get() is not None:
        yield
        return
    torch.set_num_threads(1)  # before the pool, whose threads inherit the setting
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
    """Cores available to a convolution: those of `side_by_side`, otherwise torch's threads."""
    cores = _cores.get()
    return torch.get_num_threads() if cores is None else cores.number


def shares(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], device: torch.device) -> list[Result]:
    """Results of `work` on shares of the items, without gradients: one share per core within `side_by_side` on the CPU,
    otherwise one share of all items.
    """
    cores = _cores.get()
    number = 1 if cores is None or device.type != "cpu" else min(cores.number, len(items))
    if cores is None or number < 2:
        with torch.no_grad():
            return [work(items)]
    inference = torch.is_inference_mode_enabled()  # not inherited by threads

    def share(first: int) -> Result:
        with torch.inference_mode(inference), torch.no_grad():
            return work(items[first::number])

    return list(cores.pool.map(share, range(number)))

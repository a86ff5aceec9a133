"""Names of devices, checked without loading torch."""

import re

from equinotes.support.errors import UserError


def check_device(name: str) -> str:
    """The name of a device as it is; UserError where no machine has such a one.

    >>> check_device("cuda:1")
    'cuda:1'
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UserError(f"unknown device {name!r}; known: auto, cpu, cuda, cuda:0, cuda:1, ...")
    return name

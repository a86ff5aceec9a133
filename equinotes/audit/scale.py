"""At which scale the audit ran: the reduced protocol beside the paper's, what is stored, and what a full run would take."""

from collections.abc import Iterable

from equinotes.analysis.harmonics import selection_rules
from equinotes.audit import protocol
from equinotes.audit.report import Tables, markdown_table, rows_of
from equinotes.config import RunConfig

PAPER = RunConfig.preset("paper").num_train
"""Molecules that the paper trains on."""


def counted_parameters(ls: tuple[int, ...], mul: int) -> int:
    """Parameters of the paper's network, counted from its description (equation eq-parameters of the book).

    >>> counted_parameters((0, 1, 2), 32)
    1648034
    """
    paths = int(selection_rules(ls).allowed.sum())
    return 6400 + (20 * mul + 64 * mul**2 * len(ls)) + 4 * (20 * mul + paths * mul**3) + mul + 2


def protocol_statement(tables: Tables) -> str:
    """The reduced protocol, why it is as it is, and what it cannot say; numbers from the protocol and from the stored runs."""
    reduced, paper = [RunConfig.from_dict(protocol.REDUCED)], protocol.full()
    cells = [
        [field, *(_values(getattr(config, name) for config in configs) for configs in (reduced, paper))]
        for field, name in {
            "molecules to fit": "num_train", "molecules watched": "num_val", "molecules tested": "num_test", "epochs": "epochs",
            "molecules in a batch": "batch_size", "learning rate": "lr",
        }.items()
    ] + [["steps", *(_values(map(steps, configs)) for configs in (reduced, paper))]]  # fmt: skip
    table = markdown_table(["", "reduced", "paper's"], cells)
    lines = [
        "Everything else is the paper's: networks, channels, bonds, loss, optimiser. Smaller batches and a larger learning rate "
        "make up for the small number of steps; both were chosen on validation errors of the orders 0–2 alone.",
        _time_at_full_scale(tables),
        "**What it cannot say.** How far each set comes when it is trained to the end, or on more molecules. A set may learn "
        "faster and end no lower. What is said below holds at the reduced scale.",
    ]
    return "\n\n".join([table, *filter(None, lines)])


def steps(config: RunConfig) -> int:
    """Training steps of a run.

    >>> steps(RunConfig(num_train=100, batch_size=32, epochs=3))
    12
    """
    return config.epochs * -(-config.num_train // config.batch_size)


def _values(values: Iterable[float]) -> str:
    return " or ".join(f"{value:,}" for value in sorted(set(values)))


def _time_at_full_scale(tables: Tables) -> str:
    runs = tables["runs"]
    runs = runs[(runs["experiment"] == "table") & (runs["device"] == "cpu") & (runs["threads"] == 1)]
    epochs_run = runs[["run_id", "ls", "mul"]].merge(tables["metrics"][["run_id", "molecules_per_s"]], on="run_id")
    if epochs_run.empty:
        return ""
    speeds = epochs_run.groupby(["ls", "mul"])["molecules_per_s"].median()
    days = [
        PAPER * config.epochs / speeds[config.ls, config.mul] / 86400
        for config in protocol.full()
        if (config.ls, config.mul) in speeds.index
    ]
    return (
        f"Why reduced: at the speed of these runs on one core, one network at the paper's scale takes {min(days):.1f} to "
        f"{max(days):.1f} days."
    )


def stored_runs(tables: Tables) -> str:
    """How many runs of each experiment are stored, of how many planned, as Markdown."""
    stored = tables["runs"]["experiment"].value_counts()
    rows = [[name, int(stored.get(name, 0)), len(configs)] for name, configs in protocol.experiments().items()]
    return markdown_table(["experiment", "stored runs", "planned"], rows)


def parameters_agree(tables: Tables) -> str:
    """Whether the stored networks have the parameters that the description of the paper's model gives."""
    runs = tables["runs"]
    runs = runs[runs["experiment"].isin(["table", "full"])]
    if runs.empty:
        return "No network of the table is stored."
    same = [counted_parameters(row.ls, row.mul) == row.parameters for row in rows_of(runs)]
    return f"Of {len(same)} stored networks, {sum(same)} have exactly the counted number of parameters."

"""What was committed before which run: git's history of the files that state and apply the rules, and the runs' own dates.

The files have moved since; git knows them by the places where they were committed. Where the history is not there (no clone, or a
shallow one) a record that lies beside the stored tables stands in for it. The record holds git's own identifiers of the files'
contents, so that it can be checked against any full clone.
"""

import hashlib
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.first import PROTOCOL, claims
from equinotes.audit.protocols.first.evidence import pairs
from equinotes.audit.protocols.first.runs import REFERENCES
from equinotes.support.errors import UserError
from equinotes.support.files import read_json, write_json
from equinotes.support.repository import find_root

RECORD = "history.json"
CLAIMS = "equinotes/audit/claims.py"
STATED = ("equinotes/audit/protocol.py", CLAIMS)
"""Where runs, claims, rules and thresholds were first written down."""
APPLIED = ("equinotes/audit/statistics.py", "equinotes/audit/evidence.py", "equinotes/audit/rules.py")
"""Where the code that applies them was first written down."""


def git(*words: str, root: Path | None = None) -> str | None:
    """What git says in the repository; None where it cannot answer."""
    try:
        done = subprocess.run(["git", *words], cwd=root or find_root(), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def whole_history(root: Path | None = None) -> bool:
    """Whether this is a clone that knows its first commits."""
    return (git("rev-parse", "--is-shallow-repository", root=root) or "").strip() == "false"


def blob(text: str) -> str:
    """Git's identifier of a file's content.

    >>> blob("")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def first_commit(path: str, root: Path | None = None) -> dict[str, str] | None:
    """The commit that added a file, by the place that it had then: `commit`, `date`, `blob`; None where git cannot tell."""
    added = git("log", "--diff-filter=A", "--format=%H %cI", "--", path, root=root) if whole_history(root) else None
    if not added or not added.strip():
        return None
    commit, date = added.splitlines()[-1].split()
    return {"commit": commit, "date": date, "blob": (git("rev-parse", f"{commit}:{path}", root=root) or "").strip()}


def commit_date(commit: str, root: Path | None = None) -> str | None:
    """When a commit was made; None where git does not have it."""
    return (git("show", "--no-patch", "--format=%cI", commit.partition("+")[0], root=root) or "").strip() or None


def make_record(tables: Tables, root: Path | None = None) -> dict[str, Any]:
    """What the pages need of git: `files` (first commits), `commits` (dates of the runs' commits) and the `claims` as
    committed."""
    files = {path: first_commit(path, root) for path in (*STATED, *APPLIED)}
    if not all(files.values()):
        raise UserError("git does not have the first commits of the rules here; a full clone does")
    commits = {commit: commit_date(commit, root) for commit in sorted(set(tables["runs"]["commit"].dropna()))}
    commit = str((files[CLAIMS] or {})["commit"])
    return {"files": files, "commits": commits, "claims": git("show", f"{commit}:{CLAIMS}", root=root)}


def record(root: Path | None = None) -> dict[str, Any]:
    """The record beside the first protocol's tables."""
    found: dict[str, Any] = read_json((root or find_root()) / PROTOCOL.place / RECORD)
    return found


def write_record(tables: Tables, root: Path | None = None) -> None:
    """Write the record anew from git's history."""
    write_json((root or find_root()) / PROTOCOL.place / RECORD, make_record(tables, root))


def committed(root: Path | None = None) -> tuple[dict[str, dict[str, str]], bool]:
    """First commits of the files by place, and whether git itself says so (otherwise the record does)."""
    kept, found = record(root)["files"], {path: first_commit(path, root) for path in (*STATED, *APPLIED)}
    return {path: found[path] or kept[path] for path in found}, all(found.values())


def unchanged(root: Path | None = None) -> bool:
    """Whether claims, rules and thresholds say what they said when they were written down.

    The text of that time is git's where git has it, else the record's, whose content must be the one that was committed.
    """
    known = record(root)["files"][CLAIMS]
    source = git("show", f"{known['commit']}:{CLAIMS}", root=root) or record(root)["claims"]
    if blob(source) != known["blob"]:
        return False
    then: dict[str, Any] = {}
    exec(compile(source, CLAIMS, "exec"), then)
    names = [name for name in then if name.isupper()]
    return all(then[name] == getattr(claims, name, None) for name in names)


def events(tables: Tables, root: Path | None = None) -> dict[str, Any]:
    """The order of events: `stated` and `applied` (rows of file, commit and date), `by_git`, `unchanged`, and the runs' `start`.

    Each row has `seconds`: how long before (negative) or after the start of the first stored run; None where nothing is stored.
    """
    commits, by_git = committed(root)
    started = [datetime.fromisoformat(date) for date in tables["runs"]["started"]]
    start = min(started, default=None)

    def row(path: str) -> dict[str, Any]:
        date = datetime.fromisoformat(commits[path]["date"])
        return {"file": path, **commits[path], "seconds": (date - start).total_seconds() if start else None}

    return {
        "stated": [row(path) for path in STATED], "applied": [row(path) for path in APPLIED], "by_git": by_git,
        "unchanged": unchanged(root), "start": start.isoformat() if start else None,
    }  # fmt: skip


def mixed_runs(tables: Tables, root: Path | None = None) -> pd.DataFrame:
    """Stored runs by the code that made them: `numerics`, `commit`, `runs`, first and last start (`first`, `last`), `committed`
    (the commit's date, None unknown) and `younger`: runs that started before their commit was made."""
    runs, kept = tables["runs"].drop_duplicates("run_id"), record(root)["commits"]
    rows = []
    for (numerics, data, commit), part in runs.groupby(["numerics", "data_sha256", "commit"], dropna=False, sort=False):
        made = commit_date(str(commit), root) or kept.get(commit)
        starts = sorted(map(datetime.fromisoformat, part["started"]))
        younger = sum(start < datetime.fromisoformat(made) for start in starts) if made else 0
        rows.append((numerics, data, commit, len(part), starts[0].isoformat(), starts[-1].isoformat(), made, younger))
    columns = ["numerics", "data_sha256", "commit", "runs", "first", "last", "committed", "younger"]
    return pd.DataFrame(rows, columns=columns).sort_values("first", ignore_index=True)


def mixed_pairs(tables: Tables) -> dict[str, int]:
    """Of the seed `pairs` that the rules compare, how many have runs of different commits (`commits`) or numerics
    (`numerics`)."""
    runs = tables["runs"]
    runs = runs[runs["experiment"].isin(("table", "substitutes"))].drop_duplicates("run_id")
    keys = zip(runs["ls"], runs["mul"], runs["reference"], runs["seed"], strict=True)
    made = dict(zip(keys, zip(runs["commit"], runs["numerics"], strict=True), strict=True))
    found = {"pairs": 0, "commits": 0, "numerics": 0}
    for pair in pairs():
        for reference in REFERENCES:
            for seed in range(max(5, int(runs["seed"].max()) + 1 if len(runs) else 0)):
                sides = [made.get((ls, pair.mul, reference, seed)) for ls in (pair.first, pair.second)]
                if None in sides:
                    continue
                (one, other) = sides
                found["pairs"] += 1
                found["commits"] += one[0] != other[0]  # type: ignore[index]
                found["numerics"] += one[1] != other[1]  # type: ignore[index]
    return found

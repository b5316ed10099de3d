"""Searches: started as the program ``nas-search``, watched, and read."""

import json
import os
import shutil
import signal
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Deque, Dict, Iterator, List, Optional, Union

import numpy as np
from numpy.typing import ArrayLike

from ._mpic import Error, Network

if TYPE_CHECKING:
    import pandas

_Path = Union[str, "os.PathLike[str]"]

#: Files that ``arrays`` writes.
_ARRAYS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")


@dataclass(frozen=True)
class Progress:
    """How a search gets on."""

    #: A sentence, or what is being worked on.
    text: str
    #: Steps done of that work.
    done: int = 0
    #: Steps in all; 0 for a sentence, and where nobody knows.
    total: int = 0
    #: Where the work stands, for example its loss.
    note: str = ""

    def __str__(self) -> str:
        steps = f" {self.done}/{self.total}" if self.total else ""
        return self.text + steps + (f": {self.note}" if self.note else "")


class Run:
    """A run of ``nas-search`` in its folder, finished or not, or a merged report."""

    def __init__(self, folder: _Path) -> None:
        """:raises Error: if the folder holds no ``pareto.json``."""
        self.folder = Path(folder)
        path = self.folder / "pareto.json"
        try:
            self.json: Dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as e:
            raise Error(f"{self.folder} is no run that has found a network: cannot read {path.name}: {e}") from None
        if self.json.get("format") != "nas-pareto" or self.json.get("version") != 1:
            raise Error(f"{path} is no pareto.json of version 1")

    @property
    def points(self) -> List[Dict[str, Any]]:
        """What is known of each network found, as ``docs/formats.md`` says."""
        return self.json["points"]

    @property
    def metric(self) -> str:
        """What scores count: "accuracy", "100 x AUC" or "explained variance"."""
        return self.json["metric"]

    @property
    def report(self) -> Path:
        """The page ``report.html``."""
        return self.folder / "report.html"

    def _file(self, point: str, name: str) -> Path:
        known = {p["id"]: p["run"] for p in self.points}
        if point not in known:
            raise Error(f"{self.folder} has no point '{point}'; there are: {', '.join(known)}")
        # In a merged report the points lie in the folders of their runs.
        folders = [self.folder] + [Path(r["folder"]) for r in self.json["runs"] if r["name"] == known[point]]
        for folder in folders:
            path = folder / "points" / point / name
            if path.exists():
                return path
        raise Error(f"{name} of point '{point}' is in none of: {', '.join(map(str, folders))}")

    def network(self, point: str) -> Network:
        """The integer network of a point, by its id."""
        return Network.load(self._file(point, "network.json"))

    def elf(self, point: str) -> Path:
        """The ELF of a point, by its id."""
        return self._file(point, "network.elf")

    def __repr__(self) -> str:
        return f"<mpic.Run {self.folder}: {len(self.points)} networks>"


class Search:
    """A search on its way: iterate over its progress, or wait for its run.

    Left as a context manager before its end, it is stopped as Ctrl-C stops it, so that it can be resumed.
    """

    def __init__(self, command: List[str], folder: Path) -> None:
        self.command = command
        self.folder = folder
        #: The last sentences, for the message of a failure.
        self._said: Deque[str] = deque(maxlen=20)
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )

    def __iter__(self) -> Iterator[Progress]:
        stream = self._process.stderr
        if stream is None or stream.closed:
            return
        for line in stream:
            event = self._event(line.rstrip("\n"))
            if event is not None:
                yield event

    def _event(self, line: str) -> Optional[Progress]:
        try:
            event = json.loads(line)
            return Progress(event["text"], event.get("done", 0), event.get("total", 0), event.get("note", ""))
        except (ValueError, TypeError, KeyError):
            # What is no event is said to people: how a failure is explained.
            self._said.append(line)
            return None

    def run(self) -> Run:
        """Wait for the end.

        :raises Error: if the search fails, with what the program says.
        :raises KeyboardInterrupt: if it was interrupted; ``search(resume=folder)`` goes on.
        """
        try:
            status = self._end()
        except KeyboardInterrupt:
            self.stop()
            raise
        if status == 130:
            raise KeyboardInterrupt(f"interrupted; mpic.search(resume={str(self.folder)!r}) goes on")
        if status != 0:
            said = "\n".join(self._said).strip()
            raise Error(said.removeprefix("nas-search: ") if hasattr(said, "removeprefix") else said)
        return Run(self.folder)

    def stop(self) -> None:
        """Stop after the step that is on its way; what was found is kept."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._end()

    def _end(self) -> int:
        """Wait for the end; the exit status."""
        for _ in self:
            pass
        if self._process.stderr is not None:
            self._process.stderr.close()
        return self._process.wait()

    def __enter__(self) -> "Search":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _program(program: Optional[_Path]) -> str:
    wanted = os.fspath(program or os.environ.get("NAS_SEARCH") or "nas-search")
    found = shutil.which(wanted)
    if found is None:
        raise Error(
            f"the program {wanted} is not there: build it with `make build` in the project (it needs libtorch, which this "
            "package does not), and put target/release on PATH, name it in the variable NAS_SEARCH, or give program="
        )
    return found


def _option(name: str, value: Any) -> List[str]:
    flag = "--" + name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    if isinstance(value, (list, tuple)):
        value = ",".join(str(v) for v in value)
    # With `=`, lest a value that begins with a minus sign be taken for an option.
    return [f"{flag}={os.fspath(value) if isinstance(value, os.PathLike) else value}"]


def search(
    *,
    out: Optional[_Path] = None,
    resume: Optional[_Path] = None,
    task: Optional[str] = None,
    data: Optional[_Path] = None,
    model: Optional[_Path] = None,
    cost: Optional[_Path] = None,
    program: Optional[_Path] = None,
    **options: Any,
) -> Search:
    """Start a search.

    >>> with mpic.search(model="net.onnx", data="data", cost="lut.json", out="runs/own", points=6) as search:
    ...     for progress in search:
    ...         print(progress)
    >>> run = search.run()

    :param out: folder of the run; needed unless ``resume`` is given.
    :param resume: folder of a run that was interrupted, to go on with; no other option may be given.
    :param task: see ``nas-search tasks``; "arrays" if ``data`` holds arrays (``x_train.npy``), else "fashion".
    :param data: folder with the data; :func:`arrays` writes one.
    :param model: the network: a built-in name, a TOML file or an ONNX file.
    :param cost: the measured table; see :func:`mpic.lut.measure`.
    :param program: where ``nas-search`` lies, if it is neither on PATH nor named by the variable NAS_SEARCH.
    :param options: any other option of ``nas-search``, by its name with ``_`` for ``-`` (``lambda_`` for ``--lambda``);
        lists are joined by commas, ``True`` stands for an option without a value. ``nas-search --help`` lists them.
    :raises Error: if the program is not there. What it says against its options comes from :meth:`Search.run`.
    """
    command = [_program(program), "--progress=json"]
    if resume is not None:
        if out or task or data or model or cost or options:
            raise Error("a run goes on as it was asked for: resume= cannot be combined with other options")
        return Search([*command, *_option("resume", resume)], Path(resume))
    if out is None:
        raise Error("say where the run goes, with out=")
    if task is None and data is not None and (Path(data) / "x_train.npy").exists():
        task = "arrays"
    known = {"out": out, "task": task, "data": data, "model": model, "cost": cost}
    for name, value in {**known, **options}.items():
        command += _option(name, value)
    return Search(command, Path(out))


def arrays(
    folder: _Path,
    *,
    layout: Optional[str] = None,
    classes: Optional[int] = None,
    force: bool = False,
    **data: ArrayLike,
) -> Path:
    """Write arrays where ``search(data=folder)`` looks for them.

    :param folder: made if it is not there.
    :param layout: "nchw" or "nhwc", where the axes of a sample fit the network in both orders.
    :param classes: how many classes there are, where not every one occurs.
    :param force: replace files that are there already.
    :param data: ``x_train``, ``x_test``, perhaps ``x_val``: samples first, uint8 (p stands for p / 255) or float32.
        ``y_train``, ``y_test``, ``y_val``: whole numbers are classes, float32 are numbers to learn; without them the
        samples themselves are reproduced.
    :raises Error: if an array is called otherwise, or a file is there already.
    """
    folder = Path(folder)
    unknown = sorted(set(data) - set(_ARRAYS))
    if unknown:
        raise Error(f"{', '.join(unknown)}: arrays are called {', '.join(_ARRAYS)}")
    files = {folder / f"{name}.npy": np.asarray(value) for name, value in data.items()}
    settings = folder / "arrays.toml"
    lines = [f'layout = "{layout}"\n'] if layout else []
    lines += [f"classes = {classes}\n"] if classes else []
    there = [str(path) for path in [*files, *([settings] if lines else [])] if path.exists()]
    if there and not force:
        raise Error(f"{there[0]} is there already; name another folder, or replace it with force=True")
    folder.mkdir(parents=True, exist_ok=True)
    for path, array in files.items():
        # A search reads single precision; NumPy makes double unless told otherwise.
        np.save(path, array.astype(np.float32) if array.dtype == np.float64 else array)
    if lines:
        settings.write_text("".join(lines))
    return folder


def pareto(run: Union[Run, _Path], *, front: bool = False) -> "pandas.DataFrame":
    """The networks of a run as a pandas frame, the cheapest first.

    Its columns are those of a point in ``pareto.json`` (``id``, ``accuracy``, ``cycles``, ``energy_uj``,
    ``weight_bytes`` and so on), without layers and widths, and ``front``: no other network is at once as accurate and
    as fast, and better in one of them.

    :param front: only those.
    :raises Error: if pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise Error("pareto() needs pandas: pip install pandas") from None
    run = run if isinstance(run, Run) else Run(run)
    long = ("layers", "assignment", "confusion")
    frame = pandas.DataFrame([{k: v for k, v in p.items() if k not in long} for p in run.points])
    frame = frame.sort_values(["cycles", "accuracy"], ascending=[True, False], ignore_index=True)
    best = frame["accuracy"].cummax()
    frame["front"] = (frame["accuracy"] == best) & ~best.duplicated()
    return frame[frame["front"]].reset_index(drop=True) if front else frame

"""The model's files in a bundle: what the runtime opens, and the ONNX file that it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paredown.deploy.device_model import BUILD, STEM
from paredown.measurement import Trial
from paredown.model import Model
from paredown.protocols import Shipping
from paredown.runtimes import runtime as find_runtime
from paredown.study.store import file_stem
from paredown.targets import Target


@dataclass(frozen=True)
class ModelFiles:
    """What ships of one model.

    built: what the runtime made or takes. source: the ONNX file that it was made of; None where it is itself
    what was built. size_bytes: of what was built. runtime: its key. built_with: "openvino 2026.4.1", now.
    measured_with: what computed the figures, where that was another version.
    """

    built: tuple[Path, ...]
    source: Path | None
    size_bytes: int
    runtime: str
    built_with: str
    measured_with: str = ""

    @property
    def ships(self) -> Shipping:
        """How the runtime opens them."""
        return find_runtime(self.runtime).SHIPS

    @property
    def pending(self) -> bool:
        """Whether what the runtime opens is yet to be built, on the device."""
        return self.built[0].name != self.ships.names[0]

    def fingerprints(self) -> dict[str, str]:
        """The sha256 of every file by its name."""
        paths = (*self.built, *(() if self.source is None else (self.source,)))
        more = (self.built[0].with_name(BUILD),) if self.pending else ()
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (*paths, *more)}

    def rows(self) -> list[str]:
        """Lines of the README's table of files."""
        names = ", ".join(f"`{path.name}`" for path in self.built)
        if self.pending:
            engine = self.ships.names[0]
            return [
                f"| {names} | the model, made for {self.ships.package} |",
                f"| `{BUILD}` | the command that builds `{engine}` of it on the device, for `detect.py` |",
            ]
        other = f", measured with {self.measured_with}" if self.measured_with else ""
        made = self.ships.made
        if self.source is None:
            return [f"| {names} | the model, for {self.built_with}{other}: {made} |"]
        return [
            f"| {names} | the model, for {self.built_with}{other}: made of `{self.source.name}`, {made} |",
            f"| `{self.source.name}` | the same model as the recipe wrote it, for other runtimes |",
        ]


def model_files(model: Model, trial: Trial, place: Target, folder: Path) -> ModelFiles:
    """The files, made in the folder. Raises what the runtime's `build` raises."""
    package = find_runtime(place.runtime).SHIPS.package
    onnx = folder / f"{STEM}.onnx"
    onnx.write_bytes(model.data)
    built = place.build(onnx, folder)
    now = place.version()
    surroundings = {} if trial.measurement is None else trial.measurement.environment
    packages = surroundings.get("packages")
    then = packages.get(package, now) if isinstance(packages, Mapping) else now
    source = None
    if onnx not in built.files:
        source = onnx.rename(folder / f"{file_stem(trial.short)}.onnx")
    other = "" if then == now else f"{package} {then}"
    return ModelFiles(built.files, source, built.size_bytes, place.runtime, f"{package} {now}", other)

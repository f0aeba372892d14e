"""The model's files in a bundle: what the runtime opens, and the ONNX file that it was made of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from paredown.deploy.device_model import STEM
from paredown.measurement import Trial
from paredown.model import Model
from paredown.runtimes import runtime as find_runtime
from paredown.study.store import file_stem
from paredown.targets import Target


@dataclass(frozen=True)
class ModelFiles:
    """What ships of one model.

    opened: what the runtime opens, the first one first. source: the ONNX file that they were made of; None
    where it is itself what is opened. size_bytes: of what is opened. runtime: its key. built_with: "openvino
    2026.4.1", now. measured_with: what computed the figures, where that was another version.
    """

    opened: tuple[Path, ...]
    source: Path | None
    size_bytes: int
    runtime: str
    built_with: str
    measured_with: str = ""

    @property
    def package(self) -> str:
        """What opens them, as pip calls it."""
        return find_runtime(self.runtime).SHIPS.package

    def fingerprints(self) -> dict[str, str]:
        """The sha256 of every file by its name."""
        paths = (*self.opened, *(() if self.source is None else (self.source,)))
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def rows(self) -> list[str]:
        """Lines of the README's table of files."""
        names = ", ".join(f"`{path.name}`" for path in self.opened)
        made = find_runtime(self.runtime).SHIPS.made
        other = f", measured with {self.measured_with}" if self.measured_with else ""
        if self.source is None:
            return [f"| {names} | the model, for {self.built_with}{other}: {made} |"]
        return [
            f"| {names} | the model, for {self.built_with}{other}: made of `{self.source.name}`, {made} |",
            f"| `{self.source.name}` | the same model as the recipe wrote it, for other runtimes |",
        ]


def model_files(model: Model, trial: Trial, place: Target, folder: Path) -> ModelFiles:
    """The files, made in the folder. Raises what the runtime's `build` raises."""
    ships = find_runtime(place.runtime).SHIPS
    onnx = folder / f"{STEM}.onnx"
    onnx.write_bytes(model.data)
    built = place.build(onnx, folder)
    now = place.version()
    surroundings = {} if trial.measurement is None else trial.measurement.environment
    packages = surroundings.get("packages")
    then = packages.get(ships.package, now) if isinstance(packages, dict) else now
    source = None
    if onnx not in built.files:
        source = onnx.rename(folder / f"{file_stem(trial.short)}.onnx")
    return ModelFiles(
        built.files,
        source,
        built.size_bytes,
        place.runtime,
        f"{ships.package} {now}",
        "" if then == now else f"{ships.package} {then}",
    )

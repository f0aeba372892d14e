"""A CSV of file and label: a header, then an image per row for classifiers, a box per row for detectors.

The columns are found by their header. The label is the first of: a column of class indices, else a column
of names. With indices, `classes` has a place for each index up to the largest; an index that no row names
is called by its number. With names alone, classes are the names found, sorted.
"""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from paredown.data.files import files_in, head, is_file, is_image_name, read_text, sub_folders
from paredown.data.images import file_sample, readable_size
from paredown.data.labels import Repairs, shown, to_class_names
from paredown.data.locate import locate
from paredown.data.split_names import split_kind
from paredown.data.table_boxes import BoxColumns, Placed, box_columns, truths_of
from paredown.errors import DataError
from paredown.sample import Dataset

MAX_CSV_BYTES = 64 << 20
MAX_ROWS = 500_000  # some 400 MB once read
_MAX_CLASSES = 100_000
_FILE = (
    "file",
    "filename",
    "file_name",
    "filepath",
    "path",
    "image",
    "image_path",
    "image_name",
    "image_id",
    "imageid",
)
_INDEX = ("class_index", "class_idx", "class_id", "label_index", "label_id", "target", "index")
_EITHER = ("label", "class", "category", "y")  # an index where every value is one
_NAME = ("name", "class_name", "label_name", "category_name", "labelname", "wnid")

Rows = list[dict[str, str]]


class Table(NamedTuple):
    """A file that was read. path: the data set's, as named. file_column: the header of the image files."""

    path: Path
    file: Path
    rows: Rows
    file_column: str


def looks_like(path: Path) -> bool:
    return bool(_tables(path))


def splits(path: Path) -> tuple[str, ...]:
    tables = _tables(path)
    return tuple(tables) if len(tables) > 1 else ()


def read(path: Path, split: str | None) -> Dataset:
    tables = _tables(path)
    if not tables:
        raise DataError(
            f"no CSV of files and labels at {str(path)!r}", expected="a header line such as file,label"
        )
    file = tables[split] if split else next(iter(tables.values()))
    rows, file_column = _rows(file)
    names = list(dict.fromkeys(row[file_column] for row in rows))
    columns = box_columns([c for c in rows[0] if c != file_column])
    folder, found = locate(file, names)
    odd = next((written for written in found.values() if not is_image_name(written)), None)
    if odd is not None:
        raise DataError(f"a file that is no image in {str(file)!r}", got=shown(odd))
    if columns is not None:
        return _read_boxes(Table(path, file, rows, file_column), columns, folder, found, split)
    indices, classes = _labels(rows, file, file_column)
    chosen: dict[str, int] = {}
    for row, index in zip(rows, indices, strict=True):
        name = row[file_column]
        if chosen.setdefault(name, index) != index:
            raise DataError(f"two labels for {shown(name)} in {str(file)!r}")
    repeated = len(rows) - len(chosen)
    notes = (f"{repeated} rows of {file.name} repeat an image and were kept once",) if repeated else ()
    samples = tuple(file_sample(folder / found[name], found[name], index) for name, index in chosen.items())
    return Dataset(file.stem, "csv", str(path), classes, samples, split, notes)


def _read_boxes(
    table: Table, columns: BoxColumns, folder: Path, found: dict[str, str], split: str | None
) -> Dataset:
    """The data set of a table with a box in each row."""
    file = table.file
    held = [(row, columns.values(row, f"row {i} of {file.name}")) for i, row in enumerate(table.rows, 2)]
    boxed = [{k: v for k, v in row.items() if k not in columns.names} for row, box in held if box is not None]
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    indices: list[int] = []
    if boxed and _label_columns(boxed[0], table.file_column) == (None, None):
        notes = (f"no column of {file.name} names classes: all boxes are class 0",)
        indices, classes = [0] * len(boxed), ("0",)
    elif boxed:
        indices, classes = _labels(boxed, file, table.file_column)
    index = iter(indices)
    placed = [
        Placed(row[table.file_column], box, -1 if box is None else next(index), f"row {i} of {file.name}")
        for i, (row, box) in enumerate(held, 2)
    ]
    repairs = Repairs()
    truths = truths_of(placed, {name: readable_size(folder / p) for name, p in found.items()}, repairs)
    samples = tuple(file_sample(folder / found[name], found[name], truth) for name, truth in truths.items())
    return Dataset(file.stem, "csv", str(table.path), classes, samples, split, notes + repairs.notes())


def _tables(path: Path) -> dict[str, Path]:
    """The CSV files at `path` that list images, by the name of their split."""
    if is_file(path):
        return {path.stem: path} if path.suffix.lower() in (".csv", ".tsv") else {}
    here = {f.stem: f for f in files_in(path, ".csv") if _lists_images(f)}
    if here:
        return here
    below = {f.name: files_in(f, ".csv") for f in sub_folders(path) if split_kind(f.name)}  # Roboflow
    return {
        name: own[0] for name, files in below.items() if len(own := list(filter(_lists_images, files))) == 1
    }


def _lists_images(file: Path) -> bool:
    first = head(file, 10_000).decode("utf-8-sig", "replace").partition("\n")[0]
    header = {cell.strip().lower() for cell in first.replace(";", ",").replace("\t", ",").split(",")}
    if header & set(_FILE) and box_columns(sorted(header)) is not None:
        return True
    if file.name == "_classes.csv":  # Roboflow: a column of 0 and 1 for each class
        return bool(header & set(_FILE))
    labelled = header & {*_EITHER, *_NAME} or any(c.startswith(_INDEX) for c in header)
    return bool(header & set(_FILE)) and bool(labelled)


def _rows(file: Path) -> tuple[Rows, str]:
    """The rows as dictionaries by lower-case header, and the header of the file column."""
    text = read_text(file, MAX_CSV_BYTES)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    cells = (line for line in csv.reader(io.StringIO(text), delimiter=delimiter) if line)
    try:
        header, *lines = list(islice(cells, MAX_ROWS + 2)) or [[]]
    except csv.Error as error:
        raise DataError(f"{str(file)!r} is no CSV", got=error) from error
    if len(lines) > MAX_ROWS:
        raise DataError(f"{str(file)!r} is too long", got=f"more than {MAX_ROWS:,} rows")
    header = [cell.strip().lower() for cell in header]
    file_column = next((c for c in _FILE if c in header), None)
    if file_column is None:
        raise DataError(f"no column of files in {str(file)!r}", got=shown(first), expected=" or ".join(_FILE))
    if not lines:
        raise DataError(f"no image in {str(file)!r}", got="a header without rows")
    rows = []
    for number, line in enumerate(lines, 2):
        if len(line) != len(header):
            raise DataError(f"{len(line)} cells in row {number} of {str(file)!r}", expected=len(header))
        rows.append({key: cell.strip() for key, cell in zip(header, line, strict=True)})
    return rows, file_column


def _labels(rows: Rows, file: Path, file_column: str) -> tuple[list[int], tuple[str, ...]]:
    """Class index of each row, and the classes."""
    header = [c for c in rows[0] if c != file_column]
    index_column, name_column = _label_columns(rows[0], file_column)
    if index_column in _EITHER and not all(_is_index(row[index_column]) for row in rows):
        index_column, name_column = None, name_column or index_column
    if index_column is not None:
        return _numbered(rows, file, index_column, name_column)
    one_of = [*"0" * (len(header) - 1), "1"]  # Roboflow's _classes.csv
    if name_column is None and all(sorted(row[c] for c in header) == one_of for row in rows):
        return [next(i for i, c in enumerate(header) if row[c] == "1") for row in rows], tuple(header)
    if name_column is None:
        raise DataError(
            f"no column of labels in {str(file)!r}",
            got=", ".join(header),
            expected="label, class_index or name",
        )
    names = to_class_names((r[name_column] for r in rows), str(file))
    classes = tuple(sorted(set(names)))
    place = {name: i for i, name in enumerate(classes)}
    return [place[n] for n in names], classes


def _label_columns(row: dict[str, str], file_column: str) -> tuple[str | None, str | None]:
    """The column of class indices and that of names, each None where there is none."""
    header = [c for c in row if c != file_column]
    index = next((c for c in header if c.startswith(_INDEX)), None)
    if index is None:
        index = next((c for c in _EITHER if c in header), None)
    name = next((c for c in (*_NAME, *_EITHER) if c in header and c != index), None)
    return index, name


def _numbered(
    rows: Rows, file: Path, index_column: str, name_column: str | None
) -> tuple[list[int], tuple[str, ...]]:
    known: dict[int, str] = {}
    indices = []
    for number, row in enumerate(rows, 2):
        cell = row[index_column]
        if not _is_index(cell) or int(cell) >= _MAX_CLASSES:
            raise DataError(
                f"no class index in row {number} of {str(file)!r}",
                got=shown(cell),
                expected="a whole number from 0",
            )
        index = int(cell)
        indices.append(index)
        if name_column is not None and known.setdefault(index, row[name_column]) != row[name_column]:
            raise DataError(f"two names for class {index} in {str(file)!r}", got=shown(row[name_column]))
    if name_column is None and not all(known.get(i) for i in indices):
        known = {}
    return indices, to_class_names((known.get(i, str(i)) for i in range(max(indices) + 1)), str(file))


def _is_index(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) < 10

"""A CSV of file and label for classifiers: a header, then an image per row, named from the CSV's folder.

The columns are found by their header. The label is the first of: a column of class indices, else a column
of names. With indices, `classes` has a place for each index up to the largest; an index that no row names
is called by its number. With names alone, classes are the names found, sorted.
"""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path

from paredown.data.files import files_in, head, is_file, is_image_name, read_text
from paredown.data.images import file_sample
from paredown.data.labels import shown, to_class_names
from paredown.errors import DataError
from paredown.sample import Dataset

MAX_CSV_BYTES = 64 << 20
MAX_ROWS = 500_000  # some 400 MB once read
_MAX_CLASSES = 100_000
_FILE = ("file", "filename", "file_name", "filepath", "path", "image", "image_path")
_INDEX = ("class_index", "class_idx", "class_id", "label_index", "label_id", "target", "index")
_EITHER = ("label", "class", "category", "y")  # an index where every value is one
_NAME = ("name", "class_name", "label_name", "category_name", "wnid")

Rows = list[dict[str, str]]


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
    indices, classes = _labels(rows, file, file_column)
    chosen: dict[str, int] = {}
    for row, index in zip(rows, indices, strict=True):
        name = row[file_column]
        if chosen.setdefault(name, index) != index:
            raise DataError(f"two labels for {shown(name)} in {str(file)!r}")
    lost = [name for name in chosen if not is_file(file.parent / name)]
    if lost:
        raise DataError(
            f"{len(lost)} of {len(chosen)} images of {str(file)!r} are missing", got=shown(lost[0])
        )
    odd = next((name for name in chosen if not is_image_name(name)), None)
    if odd is not None:
        raise DataError(f"a file that is no image in {str(file)!r}", got=shown(odd))
    repeated = len(rows) - len(chosen)
    notes = (f"{repeated} rows of {file.name} repeat an image and were kept once",) if repeated else ()
    samples = tuple(file_sample(file.parent / name, name, index) for name, index in chosen.items())
    return Dataset(file.stem, "csv", str(path), classes, samples, split, notes)


def _tables(path: Path) -> dict[str, Path]:
    """The CSV files at `path` that list images, by the name of their split."""
    if is_file(path):
        return {path.stem: path} if path.suffix.lower() in (".csv", ".tsv") else {}
    return {f.stem: f for f in files_in(path, ".csv") if _lists_images(f)}


def _lists_images(file: Path) -> bool:
    first = head(file, 10_000).decode("utf-8-sig", "replace").partition("\n")[0]
    header = {cell.strip().lower() for cell in first.replace(";", ",").replace("\t", ",").split(",")}
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
    index_column = next((c for c in header if c.startswith(_INDEX)), None)
    if index_column is None:
        index_column = next((c for c in _EITHER if c in header and all(_is_index(r[c]) for r in rows)), None)
    name_column = next((c for c in (*_NAME, *_EITHER) if c in header and c != index_column), None)
    if index_column is not None:
        return _numbered(rows, file, index_column, name_column)
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

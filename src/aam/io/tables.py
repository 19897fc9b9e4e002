"""Feature tables in every format of the field, told apart by their content."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scipy.sparse import csr_array, vstack

from aam.errors import TableError
from aam.io.biom_json import read_json_table
from aam.io.biom_table import BiomFile
from aam.io.classic_table import read_classic_table
from aam.io.count_table import CountTable, Table, refuse_duplicates
from aam.io.qza import TABLE, payload
from aam.io.text_file import read_plain_or_gzip

ACCEPTED = (
    "Pass BIOM 2.1 (HDF5), BIOM 1.0 (JSON), tab-separated text with '#OTU ID', or a FeatureTable[Frequency] (.qza)."
)
_TEXT_FORMATS = {b"{": read_json_table}
"""Readers of text by its first byte; text that begins otherwise is tab-separated."""


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a table of counts, to be read block by block; samples without reads are kept. Only HDF5 is not read into memory whole.

    Accepted are BIOM 2.1 (HDF5), BIOM 1.0 (JSON) and tab-separated text whose first column is ``#OTU ID``, the last two plain or
    gzip, and each of them in a QIIME 2 artifact FeatureTable[Frequency].

    Raises
    ------
    TableError
        The file is missing, damaged or in another format; it has no samples or features, duplicate ids, or values that are not
        counts (negative, fractional or not finite).
    """
    import h5py

    with payload(path, TABLE, TableError, "--table") as file:
        if h5py.is_hdf5(file):
            with BiomFile(path, file) as table:
                yield table
            return
        content = read_plain_or_gzip(path, file, TableError, "--table")
    try:
        text = content.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError:
        raise TableError(
            f"--table {path} is neither HDF5 nor UTF-8 text: it is damaged or in another format. {ACCEPTED}"
        ) from None
    if not text:
        raise TableError(f"--table {path} is empty. {ACCEPTED}")
    yield _TEXT_FORMATS.get(text[0].encode(), read_classic_table)(path, text)


def read_table(path: Path) -> CountTable:
    """Read a whole table of counts into memory.

    Raises
    ------
    TableError
        As in `open_table`.
    """
    with open_table(path) as table:
        if isinstance(table, CountTable):
            return table
        samples = [name for block in table.ids("sample") for name in block]
        features = [name for block in table.ids("observation") for name in block]
        refuse_duplicates("samples", samples)
        refuse_duplicates("features", features)
        return CountTable(samples, features, csr_array(vstack(list(table.blocks()), format="csr")))

"""What tests of bad files share: a reader for each option, valid files, and ways to spoil them."""

import gzip
import io
import stat
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
from scipy.sparse import csr_array

from aam.ecology.tree import FeatureTree
from aam.errors import InputError
from aam.io.distances import read_distances
from aam.io.metadata import read_metadata
from aam.io.newick import read_newick
from aam.io.sequences import sequences_in_fasta
from aam.io.tables import read_table
from aam.io.taxonomy import read_taxonomy
from helpers.files import COUNTS, FEATURES, SAMPLES, UUID, artifact, hdf5_table

LONGEST_MESSAGE = 1000


def read_sequences(path):
    """Give the tokens of each feature of the study."""
    tokens = {}
    for block in sequences_in_fasta(path, FEATURES):
        rows = np.split(block.tokens, np.cumsum(block.lengths)[:-1])
        tokens |= {int(feature): row.tolist() for feature, row in zip(block.features, rows, strict=True)}
    return [tokens[number] for number in range(len(FEATURES))]


READERS = {
    "--table": read_table,
    "--sequences": read_sequences,
    "--tree": lambda path: FeatureTree.from_arrays(read_newick(path), FEATURES),
    "--metadata": read_metadata,
    "--distances": read_distances,
    "--taxonomy": read_taxonomy,
}
PLAIN = {
    "--table": "table.biom", "--sequences": "sequences.fasta", "--tree": "tree.nwk", "--metadata": "metadata.tsv",
    "--distances": "distances.tsv", "--taxonomy": "taxonomy.tsv",
}  # fmt: skip


def assert_is_one_clear_message(error: InputError, option: str) -> None:
    message = str(error)
    assert "\n" not in message
    assert len(message) < LONGEST_MESSAGE
    assert message.endswith((".", "`"))
    assert "aam-" not in message, "the private folder of an artifact shows"


class Given:
    """The valid files, and a place for those that a case makes."""

    def __init__(self, valid: dict[str, dict[str, Path]], own: Path) -> None:
        self.valid = valid
        self.own = own

    def file(self, name, content) -> Path:
        (self.own / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.own / name

    def content(self, name) -> bytes:
        return next(files[name] for files in self.valid.values() if name in files).read_bytes()

    def cut(self, name, share) -> Path:
        content = self.content(name)
        return self.file(name, content[: int(share * len(content))])

    def flip(self, name, share) -> Path:
        content = bytearray(self.content(name))
        place = int(share * len(content))
        content[place : place + 4] = bytes(byte ^ 0x55 for byte in content[place : place + 4])
        return self.file(name, bytes(content))

    def hdf5(self, **parts) -> Path:
        """Change parts of the table's matrix."""
        path = hdf5_table(self.own / "table.biom")
        with h5py.File(path, "r+") as file:
            for part, values in parts.items():
                del file[f"sample/matrix/{part}"]
                file[f"sample/matrix/{part}"] = values
        return path

    def both_ways(self, **parts) -> Path:
        """Store the counts by feature as well, and change parts of that; None takes one away."""
        path, matrix = hdf5_table(self.own / "table.biom"), csr_array(COUNTS.T.astype(float))
        with h5py.File(path, "r+") as file:
            for part in ("data", "indices", "indptr"):
                values = parts.get(part, getattr(matrix, part))
                if values is not None:
                    file[f"observation/matrix/{part}"] = values
        return path

    def table(self, **options) -> Path:
        return hdf5_table(self.own / "table.biom", **options)

    def counts(self, value) -> Path:
        values = COUNTS.astype(float)
        values[1, 2] = value
        return self.table(values=values)

    def qza(self, option, semantic_type, name, content, **changes) -> Path:
        return artifact(self.own / "a.qza", semantic_type, "Any", {name: content}, **changes)

    def zip(self, *entries) -> Path:
        """Write a zip archive of (name or entry, content)."""
        with zipfile.ZipFile(self.own / "a.qza", "w", zipfile.ZIP_DEFLATED) as file:
            for entry, content in entries:
                file.writestr(entry, content)
        return self.own / "a.qza"

    def zip_link(self) -> Path:
        entry = zipfile.ZipInfo(f"{UUID}/data/tree.nwk")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        return self.zip((entry, "/etc/passwd"))

    def zip_twice(self) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.zip((f"{UUID}/VERSION", "x"), (f"{UUID}/VERSION", "y"))

    def zip_bomb(self) -> Path:
        return self.zip(
            (f"{UUID}/metadata.yaml", f"uuid: {UUID}\ntype: Phylogeny[Rooted]\nformat: NewickDirectoryFormat\n"),
            (f"{UUID}/VERSION", "QIIME 2\narchive: 1\nframework: 2.0.6\n"),
            (f"{UUID}/data/tree.nwk", bytes(2**27)),
        )

    def gzip_bomb(self) -> Path:
        return self.file("tree.nwk.gz", gzip.compress(b" " * 2**27))

    def npy(self, values, ids=SAMPLES) -> Path:
        buffer = io.BytesIO()
        np.save(buffer, values)
        self.file("d.ids", "\n".join(ids))
        return self.file("d.npy", buffer.getvalue())

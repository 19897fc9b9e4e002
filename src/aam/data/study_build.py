"""Build a study on disk from a table and its sequences, block by block; the memory needed does not grow with the counts."""

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from tqdm import tqdm

from aam.config.study import StudyConfig
from aam.data.study import Study
from aam.data.table_checks import hint_of_totals, table_remarks
from aam.errors import SequenceError, TableError
from aam.io.archive import read_head
from aam.io.count_table import Axis, Table, refuse_duplicates
from aam.io.foreign.loose_table import TURNED, turned_if_certain
from aam.io.sequences import sequences_in_fasta, sequences_in_ids
from aam.io.tables import open_table
from aam.storage.arrays import ArrayStore, ArrayWriter
from aam.storage.atomic import trim_malloc
from aam.storage.cache import Cache, digest_of
from aam.storage.names import HASH_DTYPE, Names, hash_bytes, hash_names, pack_names, sort_hashes

logger = logging.getLogger(__name__)


FORMAT = 1
"""Version of the files that `build_study` writes; a change to them raises it."""

_PER_BLOCK = 1 << 12

_PER_RELEASE = 1 << 5  # features in any order: each may make 64 kB resident, as the system maps the pages around


def build_study(table: Table, fasta: Path | None, directory: Path) -> None:
    """Write a study that `Study.open` opens.

    Parameters
    ----------
    table
        The feature table.
    fasta
        File with the sequence of each feature; None if the ids are the sequences.
    directory
        An empty directory, in which the study is written.

    Raises
    ------
    TableError
        The table holds an id twice, or a value that is no count.
    SequenceError
        A feature has no sequence, or one that is not made of nucleotides.
    OutputError
        The data cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=directory) as scratch, ArrayWriter(directory) as writer:
        rank = _write_features(table, fasta, Path(scratch), writer)
        trim_malloc()
        order, samples = _write_samples(table, rank, Path(scratch), writer)
        content = hashlib.blake2b(f"{FORMAT}".encode(), digest_size=16)
        for name in ("tokens", "token_offsets", "feature_letters", "feature_offsets"):
            content.update(writer.digest(name).encode())
        for start in range(0, len(order), _PER_RELEASE):
            content.update(samples["digests"][order[start : start + _PER_RELEASE]].tobytes())
            samples.release()
        remarks = {"remarks": list(table.remarks)} if table.remarks else {}
        writer.finish({"format": FORMAT, "content": content.hexdigest(), **remarks})


def _write_features(table: Table, fasta: Path | None, scratch: Path, writer: ArrayWriter) -> np.ndarray:
    """Write names and sequences in canonical order; return the position of each feature of the table in it, int32 [F]."""
    unordered = _UnorderedFeatures(table, fasta, scratch)
    order = unordered.canonical_order()
    writer.append("token_offsets", np.zeros(1, dtype=np.int64))
    end = 0
    for start in range(0, len(order), _PER_BLOCK):
        sequences = list(unordered.sequences(order[start : start + _PER_BLOCK]))
        ends = end + np.cumsum([len(sequence) for sequence in sequences], dtype=np.int64)
        writer.append("tokens", np.concatenate(sequences))
        writer.append("token_offsets", ends)
        end = int(ends[-1])
    _append_names(writer, "feature", unordered.names.select(order).in_blocks(_PER_RELEASE))
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank


class _UnorderedFeatures:
    """Names of features, in the order of the table, and their sequences, on disk, to be read in another order."""

    def __init__(self, table: Table, fasta: Path | None, scratch: Path) -> None:
        self._scratch = scratch
        self.names = _names_on_disk(table, "observation", scratch)
        refuse_duplicates("features", self.names, scratch)
        blocks = sequences_in_ids(self.names) if fasta is None else sequences_in_fasta(fasta, self.names, scratch)
        directory = scratch / "sequences"
        directory.mkdir()
        self._row = np.empty(len(self.names), dtype=np.int32)
        n_done = end = 0
        with ArrayWriter(directory) as writer:
            writer.append("offsets", np.zeros(1, dtype=np.int64))
            for block in tqdm(blocks, desc="sequences", unit="block", disable=None):
                self._row[block.features] = np.arange(n_done, n_done + len(block.features))
                writer.append("tokens", block.tokens)
                writer.append("offsets", end + np.cumsum(block.lengths))
                n_done, end = n_done + len(block.features), end + len(block.tokens)
            writer.finish({})
        self._store = ArrayStore(directory)

    def sequences(self, features: Iterable[int]) -> Iterator[np.ndarray]:
        """Yield the tokens of each feature, uint8 [L]."""
        tokens, offsets = self._store["tokens"], self._store["offsets"]
        for number, feature in enumerate(features):
            row = self._row[feature]
            yield tokens[offsets[row] : offsets[row + 1]].copy()
            if number % _PER_RELEASE == 0:
                self._store.release()

    def canonical_order(self) -> np.ndarray:
        """Sort features by a hash of their sequence, then by one of their name; int32 [F]."""
        blocks = sort_hashes(self._hashes(), self._scratch).in_blocks()
        return np.concatenate([block["position"].astype(np.int32) for block in blocks])

    def _hashes(self) -> Iterator[np.ndarray]:
        """Yield 8 bytes of each sequence's hash and 8 of its name's, so that equal sequences are ordered by name."""
        for start in range(0, len(self.names), _PER_BLOCK):
            names = self.names[start : start + _PER_BLOCK]
            sequences = self.sequences(range(start, start + len(names)))
            hashes = (hash_bytes(tokens.tobytes() for tokens in sequences), hash_names(names))
            halves = [part.view(np.uint8).reshape(len(names), -1)[:, : HASH_DTYPE.itemsize // 2] for part in hashes]
            yield np.concatenate(halves, axis=1).view(HASH_DTYPE)[:, 0]


def _write_samples(table: Table, rank: np.ndarray, scratch: Path, writer: ArrayWriter) -> tuple[np.ndarray, ArrayStore]:
    """Write the counts in the order of the table; return the order of the sample ids, and the digests of the samples."""
    names = _names_on_disk(table, "sample", scratch)
    refuse_duplicates("samples", names, scratch)
    order = names.argsort()
    writer.append("order", order)
    _append_names(writer, "sample", names.in_blocks())
    writer.append("indptr", np.zeros(1, dtype=np.int64))
    directory, n_done, end = scratch / "digests", 0, 0
    directory.mkdir()
    with (
        tqdm(total=len(names), desc="samples", unit="sample", disable=None) as bar,
        ArrayWriter(directory) as digests,
    ):
        for block in table.blocks():
            counts = csr_array((block.data, rank[block.indices], block.indptr), shape=block.shape)
            counts.sort_indices()
            n_samples = len(block.indptr) - 1
            block_rows = slice(n_done, n_done + n_samples)
            digests.append("digests", hash_bytes(_contents(names[block_rows], counts)))
            writer.append("indptr", end + counts.indptr[1:].astype(np.int64))
            writer.append("indices", counts.indices.astype(np.int32))
            writer.append("counts", counts.data.astype(np.int64))
            writer.append("depths", np.diff(np.append(0, np.cumsum(counts.data, dtype=np.int64))[counts.indptr]))
            n_done, end = block_rows.stop, end + counts.nnz
            bar.update(n_samples)
        digests.finish({})
    return order, ArrayStore(directory)


def _names_on_disk(table: Table, axis: Axis, scratch: Path) -> Names:
    directory = scratch / axis
    directory.mkdir()
    with ArrayWriter(directory) as writer:
        _append_names(writer, axis, table.ids(axis))
        writer.finish({})
    store = ArrayStore(directory)
    return Names(store[f"{axis}_letters"], store[f"{axis}_offsets"], release=store.release)


def _contents(sample_ids: list[str], counts: csr_array) -> Iterator[bytes]:
    """Yield name, features and reads of each sample as bytes, to be hashed."""
    for row, sample_id in enumerate(sample_ids):
        entries = slice(counts.indptr[row], counts.indptr[row + 1])
        features, reads = counts.indices[entries].astype(np.int64), counts.data[entries].astype(np.int64)
        yield b"\0".join([sample_id.encode(), features.tobytes(), reads.tobytes()])


def _append_names(writer: ArrayWriter, kind: str, blocks: Iterable[Sequence[str]]) -> None:
    writer.append(f"{kind}_offsets", np.zeros(1, dtype=np.int64))
    end = 0
    for block in blocks:
        letters, ends = pack_names(block)
        writer.append(f"{kind}_letters", letters)
        writer.append(f"{kind}_offsets", end + ends)
        end += int(ends[-1])


def _build_either_way(table: Table, config: StudyConfig, directory: Path) -> None:
    """Build a study of a table, or of the turned table if its samples are features, and its features samples."""
    try:
        build_study(table, config.sequences, directory)
    except SequenceError as error:
        turned = turned_if_certain(config.table, table, config.sequences)
        if turned is None:
            turnings = " ".join(remark for remark in table.remarks if TURNED in remark)
            hint = (
                f" Of --table {config.table}: {turnings} If it is metadata, pass it as --metadata." if turnings else ""
            )
            raise SequenceError(f"{error}{hint}") from None
        build_study(turned, config.sequences, directory)


def read_study(config: StudyConfig, max_bp: int) -> Study:
    """Open the study of a table and its sequences from the cache; build it first if the cache does not hold it.

    Parameters
    ----------
    config
        Paths of the table, the sequences and the cache.
    max_bp
        Number of nucleotides to read of each sequence.

    Returns
    -------
    The study of all samples, with sequences cut to ``max_bp``.

    Raises
    ------
    TableError, SequenceError
        A file is missing or malformed, or the files do not fit together.
    """
    read_head(config.table, TableError, "--table")
    if config.sequences is not None:
        read_head(config.sequences, SequenceError, "--sequences")

    def build(directory: Path) -> None:
        logger.info("Reading %s …", config.table)
        with open_table(config.table) as table:
            try:
                _build_either_way(table, config, directory)
            except SequenceError as error:
                hint = hint_of_totals(name for block in table.ids("observation") for name in block)
                raise SequenceError(f"{error}{hint}") from error

    key = digest_of(f"study {FORMAT}", config.table, config.sequences)
    study = Cache(config.cache_dir).fetch("study", key, build, Study.open).cut(max_bp)
    for remark in study.remarks:
        logger.warning("--table %s: %s", config.table, remark)
    n_longer = study.tokens.count_longer(max_bp)
    if n_longer:
        logger.warning(
            "%d of %d sequences are longer than %d nucleotides; what follows is not read (--max-bp).",
            n_longer, len(study.tokens), max_bp,
        )  # fmt: skip
    logger.info(
        "%s: %d samples, %d ASVs, median depth %d.",
        config.table, study.n_samples, study.n_features, int(np.median(study.depths)),
    )  # fmt: skip
    for remark in table_remarks(study):
        logger.warning("%s", remark)
    return study

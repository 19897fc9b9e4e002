"""Build a study on disk from a table and its sequences, block by block; the memory needed does not grow with the counts."""

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from tqdm import tqdm

from aam.config.study import StudyConfig
from aam.data.orientation import KmerSketch, Orientation, ReadSample, orientation_of
from aam.data.read_checks import by_length, doubles_remark, read_remarks, turned_ids_remark, unlike_remarks
from aam.data.read_lengths import length_remarks
from aam.data.read_options import ReadOptions
from aam.data.study import Study
from aam.data.table_checks import table_remarks
from aam.errors import SequenceError, TableError
from aam.io.archive import read_head
from aam.io.count_table import Axis, Table, refuse_duplicates
from aam.io.foreign.loose_table import TURNED, turned_if_certain
from aam.io.foreign.statistics_names import hint_of_statistics
from aam.io.tables import open_table
from aam.storage.arrays import ArrayStore, ArrayWriter
from aam.storage.atomic import trim_malloc
from aam.storage.cache import Cache, digest_of
from aam.storage.names import HASH_DTYPE, Names, hash_bytes, hash_names, pack_names, sort_hashes

logger = logging.getLogger(__name__)


FORMAT = 1
"""Version of the files that `build_study` writes; a change to them raises it."""

_LAYOUT = f"{FORMAT} merged"
"""Part of the keys of the cache: studies of version 1 that hold a sequence under two ids are not opened."""

AS_THEY_ARE = ReadOptions(has_doubles=True)
"""How the features of a table are written if nothing else is said: one by one, whether or not their sequences are the same."""

_PER_BLOCK = 1 << 12

_PER_RELEASE = 1 << 5  # features in any order: each may make 64 kB resident, as the system maps the pages around


def build_study(table: Table, fasta: Path | None, directory: Path, reading: ReadOptions = AS_THEY_ARE) -> None:
    """Write a study that `Study.open` opens.

    Parameters
    ----------
    table
        The feature table.
    fasta
        File with the sequence of each feature; None if the ids are the sequences.
    directory
        An empty directory, in which the study is written.
    reading
        How sequences are read.

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
        unordered = _UnorderedFeatures(table, fasta, Path(scratch), reading)
        features = _write_features(unordered, writer, reading.has_doubles)
        trim_malloc()
        order, samples = _write_samples(table, features, Path(scratch), writer)
        content = hashlib.blake2b(f"{FORMAT}".encode(), digest_size=16)
        for name in ("tokens", "token_offsets", "feature_letters", "feature_offsets"):
            content.update(writer.digest(name).encode())
        for start in range(0, len(order), _PER_RELEASE):
            content.update(samples["digests"][order[start : start + _PER_RELEASE]].tobytes())
            samples.release()
        remarks = {"remarks": list(table.remarks), "feature_remarks": features.remarks}
        some = {name: texts for name, texts in remarks.items() if texts}
        writer.finish({"format": FORMAT, "content": content.hexdigest(), **some})


@dataclass(frozen=True)
class _Features:
    """Features as they are written: the position of each feature of the table, int32 [F], and remarks on their ids."""

    rank: np.ndarray
    has_doubles: bool
    remarks: list[str]


def _write_features(unordered: "_UnorderedFeatures", writer: ArrayWriter, has_doubles: bool) -> _Features:
    """Write names and sequences in canonical order; each sequence once, unless the study has doubles."""
    order = unordered.canonical_order()
    is_first = np.ones(len(order), dtype=bool)
    writer.append("token_offsets", np.zeros(1, dtype=np.int64))
    end, previous = 0, None
    for start in range(0, len(order), _PER_BLOCK):
        sequences = []
        for number, sequence in enumerate(unordered.sequences(order[start : start + _PER_BLOCK]), start=start):
            is_first[number] = has_doubles or previous is None or not np.array_equal(sequence, previous)
            if is_first[number]:
                sequences.append(sequence)
            previous = sequence
        if sequences:
            ends = end + np.cumsum([len(sequence) for sequence in sequences], dtype=np.int64)
            writer.append("tokens", np.concatenate(sequences))
            writer.append("token_offsets", ends)
            end = int(ends[-1])
    position = np.cumsum(is_first, dtype=np.int32) - np.int32(1)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = position
    named, remarks = order[is_first], []
    if not is_first.all():
        named, remark = _name_doubles(unordered.names, order, is_first)
        remarks.append(remark)
    _append_names(writer, "feature", unordered.names.select(named).in_blocks(_PER_RELEASE))
    if unordered.n_turned:
        remarks.append(turned_ids_remark(unordered.n_turned, len(order)))
    return _Features(rank, len(named) < len(order), remarks)


def _name_doubles(names: Names, order: np.ndarray, is_first: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the feature that names each sequence, whose id is the shortest, then the first of its ids; and the remark on them."""
    named, doubles = order[is_first].copy(), []
    starts = np.append(np.flatnonzero(is_first), len(order))
    several = np.flatnonzero(np.diff(starts) > 1)
    for number in several.tolist():
        features = order[starts[number] : starts[number + 1]].tolist()
        named[number] = min(features, key=lambda feature: by_length(names[feature]))
        doubles.append([names[feature] for feature in features])
    return named, doubles_remark(doubles)


class _UnorderedFeatures:
    """Names of features, in the order of the table, and their sequences, on disk, to be read in another order."""

    def __init__(self, table: Table, fasta: Path | None, scratch: Path, reading: ReadOptions) -> None:
        self._scratch, self.n_turned = scratch, 0
        self.names = _names_on_disk(table, "observation", scratch)
        refuse_duplicates("features", self.names, scratch)
        blocks = reading.blocks(fasta, self.names, scratch)
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
                self.n_turned += block.n_turned
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


def _write_samples(
    table: Table, features: _Features, scratch: Path, writer: ArrayWriter
) -> tuple[np.ndarray, ArrayStore]:
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
            counts = csr_array((block.data, features.rank[block.indices], block.indptr), shape=block.shape)
            counts.sort_indices()
            if features.has_doubles:
                counts.sum_duplicates()
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


def _build_either_way(table: Table, config: StudyConfig, directory: Path, reading: ReadOptions) -> None:
    """Build a study of a table, or of the turned table if its samples are features, and its features samples."""
    try:
        build_study(table, config.sequences, directory, reading)
    except SequenceError as error:
        turned = turned_if_certain(config.table, table, config.sequences)
        if turned is None:
            turnings = " ".join(remark for remark in table.remarks if TURNED in remark)
            hint = (
                f" Of --table {config.table}: {turnings} If it is metadata, pass it as --metadata." if turnings else ""
            )
            raise SequenceError(f"{error}{hint}") from None
        build_study(turned, config.sequences, directory, reading)


def read_study(config: StudyConfig, max_bp: int | None, sketch: KmerSketch | None = None) -> Study:
    """Open the study of a table and its sequences from the cache; build it first if the cache does not hold it.

    What is wrong with the sequences is warned of.

    Parameters
    ----------
    config
        Paths of the table, the sequences and the cache, and how sequences are read.
    max_bp
        Number of nucleotides to read of each sequence; None for all.
    sketch
        Stretches of the sequences that a model was trained on, for the orientation of the reads; None without a model.

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
    study, sample, orientation = _orient(config, sketch)
    for remark in study.remarks:
        logger.warning("--table %s: %s", config.table, remark)
    remarks = [*study.store.info.get("feature_remarks", []), *read_remarks(sample, orientation)]
    if sketch is not None:  # a kernel head, which reads all, tells itself what it does not know
        shorter_or_turned = [] if max_bp is None else list(unlike_remarks(sample, orientation, sketch))
        remarks += shorter_or_turned or length_remarks(sample, sketch, max_bp)
    for remark in remarks:
        logger.warning("%s", remark)
    logger.info(
        "%s: %d samples, %d ASVs, median depth %d.",
        config.table, study.n_samples, study.n_features, int(np.median(study.depths)),
    )  # fmt: skip
    for remark in table_remarks(study):
        logger.warning("%s", remark)
    return study if max_bp is None else study.cut(max_bp)


def _orient(config: StudyConfig, sketch: KmerSketch | None) -> tuple[Study, ReadSample, Orientation]:
    """Open the study, with its reads turned if that is asked for; return also a sample of its reads and their orientation."""
    reading = ReadOptions.of(config)
    study = _open(config, reading)
    sample = ReadSample.of(study)
    orientation = orientation_of(sample, sketch)
    if not config.orient:
        return study, sample, orientation
    is_turned = orientation.orienter.is_turned(sample.sequences)
    if not is_turned.any():
        logger.info("--orient: nothing to turn.")
        return study, sample, orientation
    study = _open(config, replace(reading, orienter=orientation.orienter))
    logger.info("--orient: turned %d of %s.", is_turned.sum(), sample.scope)
    sample = ReadSample.of(study)
    return study, sample, orientation_of(sample, sketch)


def _open(config: StudyConfig, reading: ReadOptions) -> Study:
    """Open the study from the cache, or build it."""

    def build(directory: Path) -> None:
        logger.info("Reading %s …", config.table)
        with open_table(config.table) as table:
            try:
                _build_either_way(table, config, directory, reading)
            except SequenceError as error:
                hint = hint_of_statistics(name for block in table.ids("observation") for name in block)
                raise SequenceError(f"{error}{hint}") from error

    how = [] if reading == ReadOptions() else [reading.key]
    key = digest_of(f"study {_LAYOUT}", config.table, config.sequences, *how)
    return Cache(config.cache_dir).fetch("study", key, build, Study.open)

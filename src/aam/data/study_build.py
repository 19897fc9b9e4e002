"""Build a study on disk from a table and its sequences, block by block: the memory needed does not grow with the counts."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array
from tqdm import tqdm

from aam.io.array_store import ArrayWriter, open_arrays
from aam.io.biom_table import Axis, refuse_duplicates
from aam.io.name_index import HASH_DTYPE, hash_bytes, hash_names
from aam.io.names import Names, pack_names
from aam.io.sequences import sequences_in_fasta, sequences_in_ids

FORMAT = 1
"""Raised whenever what `build_study` writes changes."""
_FEATURES_PER_BLOCK = 1 << 15


class Table(Protocol):
    """A feature table that gives its ids and its counts block by block, in the order of the file."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of features."""
        ...

    def ids(self, axis: Axis) -> Iterator[list[str]]:
        """Give the ids of an axis."""
        ...

    def blocks(self) -> Iterator[csr_array]:
        """Give the counts of one sample after the other, without zeros, indices sorted."""
        ...


def build_study(table: Table, fasta: Path | None, directory: Path) -> None:
    """Write a study that `Study.open` opens.

    Parameters
    ----------
    table
        The feature table.
    fasta
        Sequence of each feature; None if the ids are the sequences.
    directory
        Empty; holds the study afterwards.

    Raises
    ------
    TableError
        The table holds an id twice, or a value that is no count.
    SequenceError
        A feature has no sequence, or one that is not made of nucleotides.
    OutputError
        The disk refuses the data.
    """
    with tempfile.TemporaryDirectory(dir=directory) as scratch, ArrayWriter(directory) as writer:
        rank = _write_features(table, fasta, Path(scratch), writer)
        order, sample_digests = _write_samples(table, rank, writer)
        content = hashlib.blake2b(f"{FORMAT}".encode(), digest_size=16)
        for name in ("tokens", "token_offsets", "feature_letters", "feature_offsets"):
            content.update(writer.digest(name).encode())
        content.update(sample_digests[order].tobytes())
        writer.finish({"format": FORMAT, "content": content.hexdigest()})


def _write_features(table: Table, fasta: Path | None, scratch: Path, writer: ArrayWriter) -> np.ndarray:
    """Write names and sequences in canonical order; give the place of each feature of the table in it, int32 [F]."""
    with ArrayWriter(scratch) as unordered:
        _append_names(unordered, "feature", table.ids("observation"))
        unordered.finish({})
    names = _names(scratch, "feature")
    refuse_duplicates("features", names)
    blocks = sequences_in_ids(names) if fasta is None else sequences_in_fasta(fasta, names)
    sequence_scratch = scratch / "sequences"
    sequence_scratch.mkdir()
    with ArrayWriter(sequence_scratch) as unordered:
        for block in tqdm(blocks, desc="sequences", unit="block", disable=None):
            unordered.append("features", block.features)
            unordered.append("tokens", block.tokens)
            unordered.append("lengths", block.lengths)
        unordered.finish({})
    arrays, _ = open_arrays(sequence_scratch)
    offsets = np.concatenate([[0], np.cumsum(arrays["lengths"])])
    row_of_feature = np.empty(len(names), dtype=np.int64)
    row_of_feature[arrays["features"]] = np.arange(len(names))
    order = _canonical_order(names, arrays["tokens"], offsets, row_of_feature)
    _write_in_order(writer, names, arrays["tokens"], offsets, (order, row_of_feature))
    rank = np.empty(len(names), dtype=np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    return rank


def _canonical_order(names: Names, tokens: np.ndarray, offsets: np.ndarray, row_of_feature: np.ndarray) -> np.ndarray:
    """Sort features by a hash of their sequence, then by one of their name; int64 [F]."""
    sequences = hash_bytes(tokens[offsets[row] : offsets[row + 1]].tobytes() for row in row_of_feature)
    return np.lexsort((hash_names(names), sequences))


def _write_in_order(
    writer: ArrayWriter, names: Names, tokens: np.ndarray, offsets: np.ndarray, order: tuple[np.ndarray, np.ndarray]
) -> None:
    features, row_of_feature = order
    writer.append("token_offsets", np.zeros(1, dtype=np.int64))
    end = 0
    for start in range(0, len(features), _FEATURES_PER_BLOCK):
        rows = row_of_feature[features[start : start + _FEATURES_PER_BLOCK]]
        parts = [tokens[offsets[row] : offsets[row + 1]] for row in rows]
        ends = end + np.cumsum([len(part) for part in parts], dtype=np.int64)
        writer.append("tokens", np.concatenate(parts))
        writer.append("token_offsets", ends)
        end = ends[-1]
    ordered = names.select(features)
    blocks = (ordered[i : i + _FEATURES_PER_BLOCK] for i in range(0, len(ordered), _FEATURES_PER_BLOCK))
    _append_names(writer, "feature", blocks)


def _write_samples(table: Table, rank: np.ndarray, writer: ArrayWriter) -> tuple[np.ndarray, np.ndarray]:
    """Write the counts as the table gives them; give the order of the sample ids, and a digest of each sample."""
    _append_names(writer, "sample", table.ids("sample"))
    sample_ids = [name for block in table.ids("sample") for name in block]
    refuse_duplicates("samples", sample_ids)
    order = np.array(sorted(range(len(sample_ids)), key=sample_ids.__getitem__), dtype=np.int64)
    writer.append("order", order)
    writer.append("indptr", np.zeros(1, dtype=np.int64))
    digests, n_done, end = np.empty(len(sample_ids), dtype=HASH_DTYPE), 0, 0
    with tqdm(total=len(sample_ids), desc="samples", unit="sample", disable=None) as bar:
        for block in table.blocks():
            counts = csr_array((block.data, rank[block.indices], block.indptr), shape=block.shape)
            counts.sort_indices()
            n_samples = len(block.indptr) - 1
            part = slice(n_done, n_done + n_samples)
            digests[part] = hash_bytes(_contents(sample_ids[part], counts))
            writer.append("indptr", end + counts.indptr[1:].astype(np.int64))
            writer.append("indices", counts.indices.astype(np.int32))
            writer.append("counts", counts.data.astype(np.int64))
            writer.append("depths", np.asarray(counts.sum(axis=1)).ravel().astype(np.int64))
            n_done, end = part.stop, end + counts.nnz
            bar.update(n_samples)
    return order, digests


def _contents(sample_ids: list[str], counts: csr_array) -> Iterator[bytes]:
    for row, name in enumerate(sample_ids):
        part = slice(counts.indptr[row], counts.indptr[row + 1])
        features, reads = counts.indices[part].astype(np.int64), counts.data[part].astype(np.int64)
        yield b"\0".join([name.encode(), features.tobytes(), reads.tobytes()])


def _append_names(writer: ArrayWriter, kind: str, blocks: Iterable[list[str]]) -> None:
    writer.append(f"{kind}_offsets", np.zeros(1, dtype=np.int64))
    end = 0
    for block in blocks:
        letters, ends = pack_names(block)
        writer.append(f"{kind}_letters", letters)
        writer.append(f"{kind}_offsets", end + ends)
        end += int(ends[-1])


def _names(directory: Path, kind: str) -> Names:
    arrays, _ = open_arrays(directory)
    return Names(arrays[f"{kind}_letters"], arrays[f"{kind}_offsets"])

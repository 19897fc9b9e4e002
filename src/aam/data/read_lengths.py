"""Lengths of the reads that a model was trained on, and what there is to say of new reads that are shorter or longer."""

from collections.abc import Iterator

import numpy as np

from aam.data.orientation import KmerSketch, ReadSample
from aam.data.read_checks import counted

_SHARE_OF_EXTREMES = 0.01  # of the training sequences, which may be as short or as long by chance

_SLACK = 3  # nucleotides by which the reads of one amplicon differ naturally

_FEWEST, _LEAST = 3, 0.15
"""Number and share of the ASVs from which a remark is made."""


def length_remarks(sample: ReadSample, sketch: KmerSketch, max_bp: int | None) -> Iterator[str]:
    """Yield remarks on reads that are shorter, or longer, than nearly all training sequences of a model.

    Parameters
    ----------
    sample
        The most abundant ASVs of a table.
    sketch
        What the model keeps of its training sequences; one without lengths gives no remark.
    max_bp
        Nucleotides that a network reads of each sequence; None for a kernel head, which knows longer reads by their beginning.
    """
    if not len(sketch.lengths) or not len(sample):
        return
    most = max(int(sketch.lengths[-1]), *sample.sequences.lengths.tolist()) if max_bp is None else max_bp
    low, middle, high = (
        int(length) for length in np.minimum(np.quantile(sketch.lengths, _QUANTILES, method="nearest"), most)
    )
    lengths = np.minimum(sample.sequences.lengths, most)
    are_of = f"those of training have {low:,}" if low == high else f"those of training have {low:,} to {high:,}"
    least = max(_FEWEST, _LEAST * len(sample))
    is_shorter, is_longer = lengths < low - _SLACK, lengths > high + _SLACK
    if is_shorter.sum() >= least:
        length = int(np.median(lengths[is_shorter]))
        yield (
            f"Reads are shorter than those of training: {counted(sample, is_shorter)} have {_of(lengths[is_shorter])} nucleotides, "
            f"and {are_of}. To the model they are other ASVs. Trim them alike, or train with --truncate {length} and pass it here, "
            "too."
        )
    if max_bp is not None and is_longer.sum() >= least:
        is_cut = high - low <= _SLACK
        advice = f"Pass --truncate {middle}, which cuts them alike." if is_cut else "Trim them alike (--truncate N)."
        yield (
            f"Reads are longer than those of training: {counted(sample, is_longer)} have {_of(lengths[is_longer])} nucleotides, "
            f"and {are_of}. To the model they are other ASVs. {advice}"
        )


_QUANTILES = (_SHARE_OF_EXTREMES, 0.5, 1 - _SHARE_OF_EXTREMES)


def _of(lengths: np.ndarray) -> str:
    """Return ``100``, or ``100 to 120``."""
    low, high = int(lengths.min()), int(lengths.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"

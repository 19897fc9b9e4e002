"""Remarks on the sequences of a table: orientation, regions, lengths, primers, doubles, and what a network does not read."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np

from aam.data.kmers import FORWARD, UNKNOWN
from aam.data.orientation import KmerSketch, Orientation, ReadSample
from aam.data.primers import ADAPTERS, find_primers, hold
from aam.data.regions import find_mixed_lengths, find_second_region
from aam.data.study import Study
from aam.data.trimming import place_of, trimming_of
from aam.errors import name_some
from aam.storage.names import hash_bytes

logger = logging.getLogger(__name__)

_FEWEST, _LEAST = 3, 0.01
"""Number and share of the ASVs from which a remark is made."""

_LEAST_WITH_PRIMER = 0.1  # share of the ASVs

_MOST_PRIMED = 1000  # ASVs that are searched for primers and adapters

_SHOWN, _LONGEST = 3, 40  # names that are shown, and letters of each: ids may be sequences

_LEAST_ALIKE = 0.05  # share of the reads that must be like the training sequences of a model

_LEAST_LENGTH = 40  # nucleotides of sequences that are compared with these


def read_remarks(sample: ReadSample, orientation: Orientation) -> Iterator[str]:
    """Yield remarks on the most abundant ASVs of a table: what is wrong, how many, and what to do.

    Parameters
    ----------
    sample
        The ASVs.
    orientation
        Their orientation, of `orientation_of`.
    """
    if not len(sample):
        return
    yield from _orientation_remarks(sample, orientation)
    upright = sample.sequences.turned(orientation.is_reversed) if orientation.is_reversed.any() else sample.sequences
    has_mixed_strands = 0 < orientation.is_reversed.mean() < 1 and orientation.kind == "table"
    region = None if has_mixed_strands else find_second_region(upright, sample.reads)
    if region is not None:
        yield (
            f"The reads seem to be of two regions: {counted(sample, region)} begin at another place of the gene than "
            "the rest, and share nothing with them. Samples of the two cannot be compared by their ASVs: use tables of one region."
        )
    lengths = find_mixed_lengths(upright)
    if lengths is not None:
        starts = f", and {lengths.n_starts:,} are the beginning of a longer one" if lengths.n_starts else ""
        yield (
            f"The reads seem to be cut to several lengths, such as {', '.join(map(str, lengths.lengths))} nucleotides: of "
            f"{sample.scope}{starts}. One organism has a different ASV at each length: pass --truncate {lengths.lengths[0]}."
        )
    yield from _primer_remarks(sample)


def _orientation_remarks(sample: ReadSample, orientation: Orientation) -> Iterator[str]:
    is_reversed = orientation.is_reversed
    if orientation.kind == "model":
        if is_reversed.sum() >= max(1, min(_FEWEST, len(sample) // 2), _LEAST * len(sample)):
            yield (
                f"{counted(sample, is_reversed)} match the training sequences of the model as reverse complements. Pass "
                "--orient to turn them."
            )
    elif orientation.kind == "conserved":
        yield (
            f"The reads seem to be in reverse orientation: {counted(sample, is_reversed)} are the reverse complements of "
            "ribosomal genes, as known from their conserved stretches. Other tables and models mostly have the genes' own "
            "orientation: pass --orient to turn them."
        )
    elif is_reversed.sum() >= max(1, min(_FEWEST, len(sample) // 4), _LEAST * len(sample)):
        yield (
            f"Two orientations are mixed: {counted(sample, is_reversed)} are reverse complements of others, or are like these "
            "as reverse complements. One organism has two ASVs so. Pass --orient to turn them."
        )


def unlike_remarks(sample: ReadSample, orientation: Orientation, sketch: KmerSketch) -> Iterator[str]:
    """Yield a remark if hardly any reads are like the training sequences of a model, or most are trimmed otherwise."""
    is_long = len(sample) and float(np.median(sample.sequences.lengths)) >= _LEAST_LENGTH
    if not is_long or not len(sketch.codes):
        return
    is_alike = (orientation.strand != UNKNOWN) & (orientation.kind == "model")
    share = float(sample.reads[is_alike].sum() / sample.reads.sum())
    if share >= _LEAST_ALIKE:
        yield from _trimming_remarks(sample, orientation, sketch)
        return
    yield (
        f"The reads are unlike the training sequences of the model: of {sample.scope}, those that share stretches with them have "
        f"{_percent(share)} of the reads. Were region, primers and trimming those of the training samples?"
    )


def _trimming_remarks(sample: ReadSample, orientation: Orientation, sketch: KmerSketch) -> Iterator[str]:
    """Yield a remark if most reads begin or end at another place than the reads that a network was trained on."""
    upright = np.flatnonzero(orientation.strand == FORWARD)
    found = place_of(trimming_of(sample.sequences.select(upright), sketch.codes))
    if found is not None:
        verb, members = found
        is_cut = np.zeros(len(sample), dtype=bool)
        is_cut[upright[members]] = True
        yield (
            f"The reads are trimmed otherwise than those of training: {counted(sample, is_cut)} {verb} the training sequences of "
            "the model, and it does not know them so. Trim them alike; where they are only shorter, train with --truncate of "
            "their length."
        )


def _primer_remarks(sample: ReadSample) -> Iterator[str]:
    first = sample.head(_MOST_PRIMED)
    n = len(first)
    for finding in find_primers(first.sequences):
        if finding.holders.sum() >= max(_FEWEST, _LEAST_WITH_PRIMER * n):
            where, flag = ("begin with", "-g") if finding.is_start else ("end in", "-a")
            letters = f" ({finding.sequence})" if finding.is_start else f" ({finding.sequence}, its reverse complement)"
            yield (
                f"Primers are left on: {counted(first, finding.holders)} {where} the primer {finding.name}{letters}, whose "
                f"letters are the primer's and not the organism's. Remove it from the reads (cutadapt {flag} "
                f"{finding.sequence}) before they are denoised; models of trimmed reads do not know these ASVs."
            )
    for name, adapter in ADAPTERS.items():
        holders = hold(first.sequences, adapter)
        if holders.sum() >= max(_FEWEST, _LEAST * n):
            yield (
                f"Adapters are left on: {counted(first, holders)} hold the {name} adapter ({adapter}). Remove it from the reads "
                f"(cutadapt -a {adapter}) before they are denoised."
            )


def counted(sample: ReadSample, members: np.ndarray) -> str:
    """Count ASVs of a sample, as ``40 of 80 ASVs (50 % of their reads: 'A', 'B')``; ``members`` tells which, bool [n]."""
    rows = np.flatnonzero(members)
    share = sample.reads[rows].sum() / max(1, sample.reads.sum())
    names = name_some([_shortened(sample.names[int(row)]) for row in rows], _SHOWN)
    return f"{len(rows):,} of {sample.scope} ({_percent(float(share))} of their reads: {names})"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _percent(share: float) -> str:
    """Return a share as a percentage of two digits.

    Examples
    --------
    >>> _percent(0.5), _percent(0.0123), _percent(0.00001)
    ('50 %', '1.2 %', 'less than 0.1 %')
    """
    if 0 < share < 0.001:
        return "less than 0.1 %"
    return f"{100 * share:.{0 if share >= 0.1 or share == 0 else 1}f} %"


def doubles_remark(names: Sequence[Sequence[str]]) -> str:
    """Return the remark on sequences that have several ids; ``names`` are the ids of each."""
    in_order = (sorted(ids, key=by_length) for ids in names)
    examples = sorted(in_order, key=lambda ids: by_length(ids[0]))[:_SHOWN]
    shown = "; ".join(" and ".join(repr(_shortened(name)) for name in ids[:_SHOWN]) for ids in examples)
    return (
        f"{len(names):,} sequences have {sum(map(len, names)):,} ids, such as {shown}. The ids of the "
        "same sequence are merged to one ASV, in every method, and their reads added up."
    )


def by_length(name: str) -> tuple[int, str]:
    """Return the key by which the shortest of names is the first, and of equally short ones the first of the alphabet."""
    return len(name), name


def turned_ids_remark(n_turned: int, n_features: int) -> str:
    """Return the remark on ids that are the MD5 sums of the reverse complements of their sequences."""
    return (
        f"{n_turned:,} of {n_features:,} sequences were turned after they were named: their ids are the MD5 sums of their reverse "
        "complements. They are read as they stand in the file."
    )


TO_TRAIN = "pass --max-bp {longest} to read all. The kernel head compares whole sequences, unless --max-bp is given."
"""Advice to who trains, on sequences that are longer than what is read."""

TO_PREDICT = "only a model that is trained with --max-bp {longest} reads all."
"""Advice to who has a model."""


def warn_of_cut(study: Study, advice: str = TO_TRAIN) -> None:
    """Warn if sequences are longer than what is read of them, with how many ASVs become the same by that.

    Parameters
    ----------
    study
        The study, cut to the nucleotides that are read.
    advice
        `TO_TRAIN` or `TO_PREDICT`.
    """
    max_bp, tokens = study.tokens.max_bp, study.tokens
    if max_bp is None:
        return
    n_longer = tokens.count_longer(max_bp)
    if not n_longer:
        return
    n_distinct = _count_distinct(study, max_bp)
    logger.warning("%s", cut_remark(n_longer, len(tokens), max_bp, n_distinct, int(tokens.lengths.max()), advice))


def cut_remark(
    n_longer: int, n_sequences: int, max_bp: int, n_distinct: int, longest: int, advice: str = TO_TRAIN
) -> str:
    """Return the remark on sequences that are longer than what is read of them.

    Parameters
    ----------
    n_longer, n_sequences
        Number of longer ones, and of all.
    max_bp
        Nucleotides that are read.
    n_distinct
        Number of sequences that differ in these.
    longest
        Nucleotides of the longest.
    advice
        `TO_TRAIN` or `TO_PREDICT`.
    """
    longer = f"{n_longer:,} of {n_sequences:,} sequences are longer than {max_bp:,} nucleotides"
    remark = f"{longer}; what follows is not read (--max-bp)."
    lost = n_sequences - n_distinct
    if not lost:
        return remark
    return (
        f"{remark} So {lost:,} ASVs become the same as others, and {n_distinct:,} are told apart: "
        f"{advice.format(longest=longest)}"
    )


def _count_distinct(study: Study, max_bp: int) -> int:
    """Count the distinct sequences of a study, of which ``max_bp`` nucleotides are read."""
    tokens = study.tokens
    begin = np.asarray(tokens.offsets[:-1])
    ends = begin + np.minimum(tokens.lengths, max_bp)
    spans = zip(begin.tolist(), ends.tolist(), strict=True)
    n_distinct = len(np.unique(hash_bytes(tokens.letters[a:b].tobytes() for a, b in spans)))
    study.release()
    return n_distinct

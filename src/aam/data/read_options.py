"""How the sequences of a study are read from its files: checked against their ids, turned, and cut."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.config.study import StudyConfig
from aam.data.kmers import Sequences
from aam.data.orientation import Orienter
from aam.io.sequences import SequenceBlock, sequences_in_fasta, sequences_in_ids


@dataclass(frozen=True)
class ReadOptions:
    """How the sequences of a study are read.

    Attributes
    ----------
    is_checked
        Whether ids that look like MD5 sums must be those of their sequences.
    truncate
        Nucleotides to which sequences are cut, after they were turned; None for all.
    orienter
        Turns sequences; None leaves them as they are.
    has_doubles
        Whether features with the same sequence stay apart.
    """

    is_checked: bool = True
    truncate: int | None = None
    orienter: Orienter | None = None
    has_doubles: bool = False

    @classmethod
    def of(cls, config: StudyConfig) -> "ReadOptions":
        """Return what the options of a study say; nothing is turned yet."""
        return cls(config.sequence_ids == "check", config.truncate)

    @property
    def key(self) -> str:
        """What the study on disk depends on beside its files, as text."""
        turned = ""
        if self.orienter is not None:
            codes = hashlib.blake2b(self.orienter.codes.tobytes(), digest_size=16).hexdigest()
            turned = f"{codes} {self.orienter.turns_unknown}"
        return f"{self.is_checked} {self.truncate} {turned}"

    def blocks(self, fasta: Path | None, feature_ids: Sequence[str], scratch: Path) -> Iterator[SequenceBlock]:
        """Yield blocks of the sequences of the features, of a FASTA file or of their ids.

        Raises
        ------
        SequenceError
            A feature has no sequence, or one that is not made of nucleotides, or that is not of its id.
        """
        if fasta is None:
            blocks = sequences_in_ids(feature_ids)
        else:
            blocks = sequences_in_fasta(fasta, feature_ids, scratch, self.is_checked)
        for block in blocks:
            yield self._changed(block)

    def _changed(self, block: SequenceBlock) -> SequenceBlock:
        if self.orienter is None and self.truncate is None:
            return block
        sequences = Sequences(block.tokens, np.concatenate([[0], np.cumsum(block.lengths)]).astype(np.int64))
        if self.orienter is not None:
            sequences = sequences.turned(self.orienter.is_turned(sequences))
        if self.truncate is not None:
            sequences = Sequences.of([sequences[number][: self.truncate] for number in range(len(sequences))])
        return SequenceBlock(block.features, sequences.letters, sequences.lengths, block.n_turned)

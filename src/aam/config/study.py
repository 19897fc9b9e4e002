"""Which files a study is read from, which of its samples are held out, and where results go."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from aam.config.arguments import without_marks
from aam.config.base import config, flag_of
from aam.config.objectives import only_with_objective
from aam.config.options import (
    ANY_HEAD,
    FIRST_IN_LABELS,
    GIVEN,
    IN_LABELS,
    IN_OUTPUT,
    IN_STUDY,
    IN_TRAINING,
    LABELS,
    OUTPUT,
    SPLIT,
    STUDY,
    OnlyWith,
    Topic,
    only_with,
)


@config
class CacheDirConfig:
    """What is kept between runs."""

    cache_dir: Path | None = None
    """Directory where studies are kept as arrays, and the vectors of their ASVs, so that the next run opens them at once. None:
    $AAM_CACHE_DIR, or else ~/.cache/aam. See 'aam cache --help'."""


@config
class StudyConfig(CacheDirConfig):
    """The study: how often each ASV was seen in each sample, and the ASVs' sequences."""

    topic: ClassVar[Topic] = STUDY

    table: Annotated[Path, IN_STUDY]
    """Feature table with the counts of each ASV in each sample. Its format is known by its content: BIOM 2.1 (HDF5), BIOM 1.0
    (JSON) or tab-separated text with '#OTU ID', the last two also gzip; or a QIIME 2 artifact FeatureTable[Frequency]."""
    sequences: Annotated[Path | None, IN_STUDY] = None
    """FASTA file with the sequence of each feature id; None: the ids are the sequences themselves. It is plain or gzip, or a
    QIIME 2 artifact FeatureData[Sequence]."""
    sequence_ids: Literal["check", "keep"] = "check"
    """Ids that look like MD5 sums. check: they must be those of the sequences, or of their reverse complements, so that no file
    is taken for another; keep: they are only names, as where sequences were trimmed after they were named."""
    orient: bool = False
    """Turn sequences whose reverse complement fits better: to the training sequences of a model, where there is one, or else to
    those of the table. Equal ones then are one ASV."""
    truncate: Annotated[int, Field(ge=1)] | None = None
    """Nucleotides to which all sequences are cut before anything is made of them, in any method; equal ones then are one ASV. For
    reads of several lengths, or a model of shorter reads."""


@config
class SamplingConfig:
    """How a sample's reads are drawn and how many of its ASVs are read."""

    topic: ClassVar[Topic] = STUDY
    is_network_only: ClassVar[bool] = True

    rarefy_depth: Annotated[Annotated[int, Field(ge=1)] | Literal["auto", "none"], IN_TRAINING, ANY_HEAD] = "auto"
    """Reads drawn from each sample, afresh each epoch; samples with fewer are dropped. They are drawn without replacement, and
    the dropped samples are named. auto: the largest depth that keeps 98 % of the samples; none: all reads of all samples. The
    kernel head and the methods of 'aam crossval' read all reads, unless this is a number; they are drawn once. Give one where
    the number of reads tells the target."""
    token_limit: Annotated[int, Field(ge=1)] = 1024
    """ASVs read per sample; of a richer sample the most abundant are kept. Memory grows with it."""


ROOTS = ("midpoint", "outgroup")
"""First words of ``--root``."""


def check_root(root: tuple[str, ...]) -> None:
    """Refuse a ``--root`` that is neither the midpoint nor an outgroup with names.

    Raises
    ------
    ValueError
        It is.
    """
    if root and root[0] not in ROOTS:
        raise ValueError(f"--root {root[0]} is no root: pass --root midpoint, or --root outgroup NAME [NAME ...].")
    if root[:1] == ("outgroup",) and len(root) == 1:
        raise ValueError("--root outgroup needs the names of its tips: pass --root outgroup NAME [NAME ...].")
    if root[:1] == ("midpoint",) and len(root) > 1:
        raise ValueError(f"--root midpoint takes no names, such as {root[1]!r}: pass --root outgroup to root at tips.")


@config
class DistanceConfig:
    """Distances between samples that the sample vectors learn to reproduce."""

    topic: ClassVar[Topic] = STUDY
    is_network_only: ClassVar[bool] = True

    tree: Annotated[Path | None, IN_STUDY, ANY_HEAD] = None
    """Rooted phylogenetic tree with the features as tips, for UniFrac and Faith's diversity. It is Newick (plain or gzip) or a
    QIIME 2 artifact Phylogeny[Rooted]; both are computed from it per batch."""
    root: Annotated[tuple[str, ...], ANY_HEAD, only_with(tree=GIVEN)] = ()
    """Where to root the tree, whether or not it has a root; none: its own root. midpoint: in the middle of the longest way
    between two tips; outgroup with the names of its tips: in the middle of the branch that divides them from the others."""
    distances: Path | None = None
    """Square distance matrix made elsewhere, for --objectives distance. It is a .npy with an ids file, HDF5 of ssu, text with the
    ids as first row and column or as PHYLIP and mothur write it (plain or gzip), or a QIIME 2 artifact DistanceMatrix."""
    distance_ids: Path | None = None
    """File with the sample ids of a .npy matrix, one per line. None: a file beside it named like it, ending in .ids or .txt."""
    missing_features: Annotated[Literal["error", "drop"], ANY_HEAD] = "error"
    """What to do with features that the tree lacks: stop, or compute what the tree is for without them. All else reads them."""

    @model_validator(mode="after")
    def _root_is_one(self) -> "DistanceConfig":
        check_root(self.root)
        return self

    @model_validator(mode="after")
    def _ids_have_a_matrix(self) -> "DistanceConfig":
        if self.distance_ids and not self.distances:
            raise ValueError("--distance-ids names the rows of a --distances matrix: pass both or neither.")
        return self

    @property
    def is_given(self) -> bool:
        """Whether there is a tree or a matrix to learn distances from."""
        return self.tree is not None or self.distances is not None

    @property
    def default_type(self) -> str | None:
        """What samples are to be known for where ``--objectives`` is not given."""
        if self.tree is not None:
            return "unweighted-unifrac"
        return None if self.distances is None else "distance"


@config
class TaxonomyConfig:
    """Taxonomy of the ASVs."""

    topic: ClassVar[Topic] = STUDY
    is_network_only: ClassVar[bool] = True

    taxonomy: Annotated[Path | None, IN_STUDY] = None
    """Lineage of each feature, for --objectives taxonomy and composition. It is a table of feature id and lineage (plain or
    gzip), or a QIIME 2 artifact FeatureData[Taxonomy]."""
    taxonomy_rank: Annotated[
        Literal["domain", "phylum", "class", "order", "family", "genus", "species"],
        only_with_objective("composition"),
    ] = "genus"
    """Rank at which --objectives composition adds up the reads of a sample."""


@config
class LabelConfig:
    """The metadata columns to learn or to compare with."""

    topic: ClassVar[Topic] = LABELS

    metadata: Annotated[Path, FIRST_IN_LABELS]
    """Table of sample metadata, tab-separated, whose first column holds the sample ids. It is read as QIIME 2 reads it, plain
    or gzip; or it is an artifact that QIIME 2 takes as metadata, such as ImmutableMetadata or SampleData[AlphaDiversity]."""
    metadata_column: Annotated[tuple[str, ...], FIRST_IN_LABELS]
    """Column to predict; or several numeric columns, which the network learns together. Each is learned from the samples that
    have a value of it. Samples without any value are left out, and counted."""
    missing_samples: Annotated[Literal["error", "drop"], IN_LABELS] = "error"
    """What to do with samples that have no row in the metadata: stop, or leave them out. They are samples of the table."""
    missing_values: Annotated[tuple[str, ...], IN_LABELS] = ()
    """Cells that mean that there is no value, such as NA 'not collected', in all columns. A column that holds numbers but for
    these is numeric. Without it, only empty cells and those of the file's #q2:missing scheme are missing."""

    @field_validator("missing_values")
    @classmethod
    def _read_marks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return without_marks(values)

    @model_validator(mode="after")
    def _columns_are_named_once(self) -> "LabelConfig":
        if not self.metadata_column:
            raise ValueError("--metadata-column needs the name of a column.")
        if len(set(self.metadata_column)) < len(self.metadata_column):
            raise ValueError(
                f"--metadata-column {' '.join(self.metadata_column)} names a column twice: name each once."
            )
        return self


@config
class OutputDirectoryConfig:
    """Where results go."""

    topic: ClassVar[Topic] = OUTPUT

    output_dir: Annotated[Path, IN_OUTPUT]
    """Directory for all results; new or empty."""
    overwrite: Annotated[bool, IN_OUTPUT] = False
    """Replace the results of an earlier run of the same command in that directory. The first line of its config.yaml marks
    them; other files in it stay, and a directory that aam did not write is refused."""


@config
class OutputFileConfig:
    """Where the result goes."""

    topic: ClassVar[Topic] = OUTPUT

    output: Path
    """Tab-separated file to write, one row per sample; it opens as QIIME 2 metadata."""
    overwrite: bool = False
    """Replace the file, and the options that aam wrote beside it, if they exist. A file that the command reads is refused."""


REQUIRED: dict[str, tuple[str, ...]] = {
    "random": (),
    "stratified": (),
    "grouped": ("group_column",),
    "leave-one-study-out": ("study_column", "held_out_study"),
    "k-fold": ("folds", "fold"),
    "file": ("split_file",),
}
"""Options that each kind of split needs."""


def _of_split(*kinds: str) -> OnlyWith:
    return only_with("{flag} has no effect on {other}: leave it out, or pass {needed}.", split=kinds)


@config
class SplitConfig:
    """How samples are held out to choose the best epoch and to report metrics."""

    topic: ClassVar[Topic] = SPLIT

    split: Literal["stratified", "random", "grouped", "leave-one-study-out", "k-fold", "file"] = "stratified"
    """How samples are held out for validation. stratified: alike in target, in classes or in quarters of a numeric column (and
    whole groups, with --group-column); random: any samples; grouped: whole groups, whatever their target; leave-one-study-out:
    all samples of --held-out-study, for how well a model carries over to a new study; k-fold: part --fold of --folds parts that
    are alike in target (and hold whole groups, with --group-column), for estimates that use every sample once; file: what
    --split-file says."""
    group_column: Annotated[
        str | None, _of_split("stratified", "grouped", "leave-one-study-out", "k-fold", "file"), FIRST_IN_LABELS
    ] = None
    """Column of the subject (host, site, plot): its samples stay on one side of the split. Without it, repeated subjects make
    validation look better than it is. Where studies or a file decide, a divided subject is only warned of."""
    study_column: Annotated[str | None, _of_split("leave-one-study-out")] = None
    """Column that names the study of a sample, for leave-one-study-out. Samples without a value are trained on."""
    held_out_study: Annotated[str | None, _of_split("leave-one-study-out")] = None
    """Value of --study-column whose samples validate."""
    folds: Annotated[Annotated[int, Field(ge=2)] | None, _of_split("k-fold")] = None
    """Number of parts of k-fold. The same seed gives the same parts."""
    fold: Annotated[Annotated[int, Field(ge=0)] | None, _of_split("k-fold", "file")] = None
    """Part that validates, from 0. It is a part of k-fold, or of the column 'fold' of a --split-file."""
    split_file: Annotated[Path | None, _of_split("file")] = None
    """Table that says which samples train and which validate. It has tab-separated columns 'sample-id' and 'split' (train,
    validation, or test for samples to leave out), as in the splits.tsv of a run; or 'sample-id' and 'fold', with --fold. Every
    sample in use must be listed."""

    @model_validator(mode="after")
    def _options_fit_the_split(self) -> "SplitConfig":
        _check_needs(self.split, asdict(self))
        if self.folds is not None and self.fold is not None and self.fold >= self.folds:
            raise ValueError(
                f"--fold {self.fold} is out of range: with --folds {self.folds} they are numbered 0 to {self.folds - 1}."
            )
        return self


@config
class UnlabelledSplitConfig:
    """How samples are held out to choose the best epoch and to report metrics."""

    topic: ClassVar[Topic] = SPLIT

    split: Literal["random", "file"] = "random"
    """How samples are held out for validation. random: any samples; file: what --split-file says."""
    fold: Annotated[Annotated[int, Field(ge=0)] | None, _of_split("file")] = None
    """Part that validates, of the column 'fold' of a --split-file. It is numbered as there."""
    split_file: Annotated[Path | None, _of_split("file")] = None
    """Table that says which samples train and which validate. It has tab-separated columns 'sample-id' and 'split' (train,
    validation, or test for samples to leave out), as in the splits.tsv of a run; or 'sample-id' and 'fold', with --fold. Every
    sample in use must be listed."""

    @model_validator(mode="after")
    def _options_fit_the_split(self) -> "UnlabelledSplitConfig":
        _check_needs(self.split, asdict(self))
        return self

    @property
    def full(self) -> SplitConfig:
        """The same split among those of labelled samples."""
        return SplitConfig(**asdict(self))


def _check_needs(split: str, values: dict[str, Any]) -> None:
    missing = [name for name in REQUIRED[split] if values[name] is None]
    if missing:
        raise ValueError(f"--split {split} needs {' and '.join(map(flag_of, missing))}.")

"""What ``aam inspect`` finds, as plain values: the text and the JSON are both written from these."""

from dataclasses import dataclass, field

from aam.data.column_summary import ColumnSummary, GroupSummary
from aam.data.overlap import Overlap
from aam.data.sequence_summary import SequenceSummary
from aam.data.table_summary import TableSummary


@dataclass(frozen=True)
class TreeSummary:
    """A tree in numbers."""

    n_tips: int
    n_nodes: int
    n_without_length: int


@dataclass(frozen=True)
class TaxonomySummary:
    """A taxonomy in numbers: features, those of which nothing is known, and the median rank that is known (7: species)."""

    n_features: int
    n_unknown: int
    median_rank: float


@dataclass(frozen=True)
class MetadataSummary:
    """Metadata in numbers."""

    n_samples: int
    n_numeric: int
    n_categorical: int


@dataclass(frozen=True)
class DistanceSummary:
    """A distance matrix in numbers."""

    n_samples: int
    largest: float


@dataclass(frozen=True)
class ModelSummary:
    """A trained model in numbers.

    Attributes
    ----------
    target
        What it predicts, None for a pre-trained encoder.
    task
        How.
    classes
        Of a classification.
    depth
        Reads drawn from each sample, None for all.
    token_limit, max_bp
        ASVs of a sample and nucleotides of an ASV that it reads.
    embedding_dim, n_parameters
        Its size.
    metrics
        On its validation samples.
    """

    target: str | None
    task: str | None
    classes: list[str]
    depth: int | None
    token_limit: int
    max_bp: int
    embedding_dim: int
    n_parameters: int
    metrics: dict[str, float]


Summary = (
    TableSummary | SequenceSummary | TreeSummary | TaxonomySummary | MetadataSummary | DistanceSummary | ModelSummary
)


@dataclass(frozen=True)
class FileReport:
    """One file.

    Attributes
    ----------
    path
        As the user typed it.
    kind
        What it is to aam, None if that cannot be said.
    format
        How it is written.
    option
        What takes it.
    artifact
        Type, format and uuid of a QIIME 2 artifact, and whether it has checksums; those that do not fit are an error.
    summary
        Its main numbers.
    error
        Why it cannot be read.
    notes
        What its reader says of it, such as columns that are not read.
    """

    path: str
    kind: str | None = None
    format: str | None = None
    option: str | None = None
    artifact: dict[str, str | bool] | None = None
    summary: Summary | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StudyReport:
    """The study that the files form together.

    Attributes
    ----------
    files
        Which file has which part.
    table
        The table in numbers.
    sequences
        In the file, or else in the ids; None if neither has those of the table's features.
    overlaps
        Names that the table shares with each other file.
    n_over_token_limit, token_limit
        Samples with more ASVs than are read unless ``--token-limit`` is set.
    columns
        What the metadata's columns are good for, in the samples of the table.
    groups
        Columns that may name subjects.
    group_column
        The one to pass, as subjects repeat.
    problems
        Why a part cannot be used with the table, by kind.
    notes
        What to know.
    commands
        Command lines that fit.
    """

    files: dict[str, str]
    table: TableSummary
    sequences: SequenceSummary | None
    overlaps: list[Overlap]
    n_over_token_limit: int
    token_limit: int
    columns: list[ColumnSummary]
    groups: list[GroupSummary]
    group_column: str | None
    problems: dict[str, str]
    notes: list[str] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """All that was found; without a readable table there is no study."""

    files: list[FileReport]
    study: StudyReport | None

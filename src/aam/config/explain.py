"""Options of explaining predictions: which organisms drive them."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from aam.config.arguments import without_marks
from aam.config.base import config
from aam.config.commands import InferenceConfig
from aam.config.options import EXPLANATION, GIVEN, IN_EXPLANATION, IN_LABELS, IN_STUDY, LABELS, STUDY, Topic, only_with
from aam.config.study import OutputDirectoryConfig, StudyConfig, check_root

_EXPLAINED = only_with(explain=True)


@config
class ExplanationConfig:
    """What is asked of a model, and how exactly."""

    topic: ClassVar[Topic] = EXPLANATION

    groups: Annotated[Path | None, _EXPLAINED, IN_EXPLANATION] = None
    """Own sets of features, such as functional guilds. A table of the tab-separated columns feature-id and group; a feature may be
    of several."""
    nuisance_columns: Annotated[tuple[str, ...], _EXPLAINED, IN_EXPLANATION] = ()
    """Metadata columns that a model should not read, such as sequencing run, plate or centre. nuisance.tsv says how far each goes
    with the predictions beyond what the truth explains; the number of reads is always among them."""
    exchanges: Annotated[Annotated[int, Field(ge=1)] | None, _EXPLAINED] = None
    """Times that each ASV and clade is exchanged between subjects; more make importances steadier, and take longer. None: once for
    600 samples or more, more often for fewer, at most 10 times."""
    null_draws: Annotated[int, Field(ge=19), _EXPLAINED] = 999
    """Exchanged targets that importances are compared with; the least p-value is 1 / (this + 1)."""
    top: Annotated[int, Field(ge=1), _EXPLAINED, IN_EXPLANATION] = 20
    """Length of the lists whose stability is measured, and of those that are drawn and attributed."""
    least_samples: Annotated[int, Field(ge=1), _EXPLAINED] = 3
    """Samples that must hold an ASV for its importance to be asked."""
    rarefactions: Annotated[int, Field(ge=0), _EXPLAINED, IN_EXPLANATION] = 0
    """Times that importance is computed once more, from fewer reads. These are as many as the shallowest tenth of the samples have,
    with other exchanges; agreement.tsv says how far the lists stay the same. Each takes as long as the first."""
    attributions: Annotated[bool, _EXPLAINED] = True
    """Whether each sample's prediction is divided among the top ASVs and clades as well; --no-attributions saves that time."""


@config
class NetworkExplanationConfig:
    """What is asked of a network beyond its predictions."""

    topic: ClassVar[Topic] = EXPLANATION

    gradients: Annotated[bool, IN_EXPLANATION] = False
    """Integrated gradients of a network down to the ASVs of each sample (gradients.tsv), beside permutation."""
    nucleotides: Annotated[bool, only_with(gradients=True)] = False
    """What in the sequences of the top ASVs a network reads, by integrated gradients down to nucleotides (nucleotides.tsv)."""
    attention: Annotated[bool, IN_EXPLANATION] = False
    """Weights of attention of a network, by layer and head (attention.tsv, attention-of-samples.tsv, plots/). Attention says what
    is read, not what a prediction depends on: agreement.tsv compares it with importance."""


@config
class TreeConfig:
    """The tree and the names of the ASVs."""

    topic: ClassVar[Topic] = STUDY

    tree: Annotated[Path | None, IN_STUDY] = None
    """Rooted phylogenetic tree with the features as tips: Newick or a QIIME 2 artifact. Its clades are explained beside single
    ASVs. None: the tree that a kernel head keeps; without one, the taxa of --taxonomy."""
    root: Annotated[tuple[str, ...], only_with(tree=GIVEN)] = ()
    """Where to root the tree; none: its own root. midpoint, or outgroup with the names of its tips."""
    taxonomy: Annotated[Path | None, IN_STUDY] = None
    """Lineage of each feature, which names ASVs and clades. It is a table of feature id and lineage, or FeatureData[Taxonomy]."""

    @model_validator(mode="after")
    def _root_is_one(self) -> "TreeConfig":
        check_root(self.root)
        return self


_WITH_METADATA = only_with(metadata=GIVEN)


@config
class KnownLabelsConfig:
    """The truth that predictions are compared with, if it is known."""

    topic: ClassVar[Topic] = LABELS

    metadata: Annotated[Path | None, IN_LABELS] = None
    """Table of sample metadata. Without it, and where there is no truth, only single predictions are explained (attributions)."""
    metadata_column: Annotated[tuple[str, ...], _WITH_METADATA, IN_LABELS] = ()
    """Column with the truth. None: importance, which needs the truth, is left out."""
    group_column: Annotated[str | None, _WITH_METADATA, IN_LABELS] = None
    """Column of the subject (host, site, plot): whole subjects are exchanged, and intervals are over subjects."""
    missing_samples: Annotated[Literal["error", "drop"], _WITH_METADATA, IN_LABELS] = "error"
    """What to do with samples that have no row in the metadata: error, or drop to leave them out."""
    missing_values: Annotated[tuple[str, ...], _WITH_METADATA, IN_LABELS] = ()
    """Cells that mean that there is no value, such as NA 'not collected'."""

    @field_validator("missing_values")
    @classmethod
    def _read_marks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return without_marks(values)

    @model_validator(mode="after")
    def _one_column(self) -> "KnownLabelsConfig":
        if len(self.metadata_column) > 1:
            raise ValueError("--metadata-column: one column is explained at a time.")
        return self


@config
class ExplainConfig:
    """Which organisms drive a model's predictions, how far to trust that, and where they sit in the tree.

    Example: aam explain --model trained --table new.biom --sequences new-rep-seqs.fasta --metadata new.tsv --metadata-column age
    --group-column subject --tree tree.nwk --taxonomy taxonomy.tsv --output-dir explained

    Importance is asked of samples that the model has not seen: those it was trained on are left out. 'aam crossval --explain' is
    the better form, as it explains every sample by a model that never saw it. Writes importance.tsv (ASVs and clades, with p and
    q, intervals, direction and stability), attributions.tsv (samples × top sets), effects.tsv, nuisance.tsv, agreement.tsv,
    summary.md, tree.nwk with files for iTOL and Empress, and plots/ (SVG and PNG). What it says is of the model and its
    associations, not of causes.
    """

    command: ClassVar[str] = "explain"

    study: StudyConfig
    inference: InferenceConfig
    output: OutputDirectoryConfig
    labels: KnownLabelsConfig = field(default_factory=KnownLabelsConfig)
    tree: TreeConfig = field(default_factory=TreeConfig)
    explanation: ExplanationConfig = field(default_factory=ExplanationConfig)
    network: NetworkExplanationConfig = field(default_factory=NetworkExplanationConfig)
    training_samples: Annotated[bool, IN_EXPLANATION] = False
    """Explain samples that the model was trained on, too. Their importances are of what it has learned by heart as well."""

    @model_validator(mode="after")
    def _nuisance_has_metadata(self) -> "ExplainConfig":
        if self.explanation.nuisance_columns and not self.labels.metadata_column:
            raise ValueError(
                "--nuisance-columns needs --metadata and --metadata-column: they are compared with the truth."
            )
        return self

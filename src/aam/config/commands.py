"""One config per command that trains or uses a model: the options that its ``--help`` shows."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from aam.config.base import config, written_after
from aam.config.covariates import CovariatesConfig, check_covariates
from aam.config.model import AugmentationConfig, ModelConfig
from aam.config.objectives import (
    FLAG_OF_RESOURCE,
    LearnsObjectives,
    PretrainingObjectivesConfig,
    SupervisedObjectivesConfig,
    rows_of,
)
from aam.config.options import INFERENCE, LABELS, MODEL_OF_EXPLANATION, Topic
from aam.config.saving import DevicesConfig, SavingConfig, check_devices, check_saving
from aam.config.study import (
    DistanceConfig,
    LabelConfig,
    OutputDirectoryConfig,
    OutputFileConfig,
    SamplingConfig,
    SplitConfig,
    StudyConfig,
    TaxonomyConfig,
    UnlabelledSplitConfig,
)
from aam.config.target import HeadConfig, NetworkHeadConfig, TargetConfig
from aam.config.training import StartConfig, TrainingConfig, TransferConfig


def check_run(config: "PretrainConfig | TrainConfig") -> None:
    """Check what the runs of ``aam pretrain`` and ``aam train`` have in common."""
    check_saving(config.saving, config.output.overwrite)
    check_devices(config.devices, config.training, config.saving)


def check_target(config: "LearningConfig") -> None:
    """Check that what is learned of the target fits together."""
    activation, transform = config.network_head.numbers.output_activation, config.target.target_transform
    if activation != "none" and transform.removeprefix("log-").startswith("zscore"):
        raise ValueError(
            f"--output-activation {activation} keeps outputs above 0 in the units of --target-transform, and those of {transform} "
            "lie around 0: pass --target-transform none, minmax or log-minmax as well."
        )
    by_category = {flag: name for flag, name in config.category_columns.items() if flag != "--sample-weights" and name}
    if config.augmentation.mixup_alpha is not None and by_category:
        raise ValueError(
            f"--mixup-alpha mixes samples of different categories, which {' and '.join(by_category)} scales apart: leave one of "
            "them out."
        )


def check_objectives(config: "PretrainConfig | LearningConfig") -> None:
    """Check that what each objective needs is given, and that the batches suit it."""
    objectives, distance, rows = config.objectives, config.distance, rows_of(config.weights)
    if distance.tree and distance.distances and objectives.penalty and not objectives.encoder_type:
        raise ValueError(
            "--tree and --distances exclude each other unless --objectives says what is learned from them: pass one of them, or "
            "--objectives distance unweighted-unifrac."
        )
    files = {"tree": distance.tree, "distances": distance.distances, "taxonomy": config.taxonomy.taxonomy}
    for name, row in rows.items():
        missing = [FLAG_OF_RESOURCE[need] for need in row.needs if files[need] is None]
        if missing:
            raise ValueError(f"--objectives {name} needs {' and '.join(missing)}.")
    if any(row.needs_pairs for row in rows.values()) and config.training.batch_size == 1:
        raise ValueError("--batch-size 1 leaves no pair of samples to learn distances from: use at least 2.")
    if config.augmentation.mixup_alpha is not None and any("distances" in row.needs for row in rows.values()):
        raise ValueError(
            "--mixup-alpha makes samples whose distances are not in --distances: pass --tree instead, or leave --mixup-alpha out."
        )


@config
class PretrainConfig(LearnsObjectives):
    """Learn from a study without labels: masked nucleotides, distances between samples, diversity, taxonomy.

    The result is a directory; pass it to 'aam train --pretrained' or 'aam embed --model'.

    Example, learn UniFrac and masked nucleotides: aam pretrain --table table.biom --sequences rep-seqs.fasta --tree tree.nwk
    --output-dir pretrained

    Example, learn what you name: aam pretrain --table table.biom --sequences rep-seqs.fasta --tree tree.nwk --output-dir pretrained
    --objectives unweighted-unifrac bray-curtis faith-pd --objective-weights 1 0.5 0.1

    Example, then train on labels: aam train --pretrained pretrained --table table.biom --sequences rep-seqs.fasta --metadata
    metadata.tsv --metadata-column age --head network --output-dir trained
    """

    command: ClassVar[str] = "pretrain"

    study: StudyConfig
    distance: DistanceConfig
    output: OutputDirectoryConfig
    taxonomy: TaxonomyConfig = field(default_factory=TaxonomyConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    objectives: PretrainingObjectivesConfig = field(default_factory=PretrainingObjectivesConfig)
    split: UnlabelledSplitConfig = field(default_factory=UnlabelledSplitConfig)
    start: StartConfig = field(default_factory=StartConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    saving: SavingConfig = field(default_factory=SavingConfig)
    devices: DevicesConfig = field(default_factory=DevicesConfig)

    @model_validator(mode="after")
    def _objectives_have_what_they_need(self) -> Self:
        if self.objectives.penalty and not self.objectives.encoder_type and not self.distance.is_given:
            raise ValueError(
                "Pre-training learns distances between samples: pass --tree (or --distances), or name --objectives that need "
                "neither, such as bray-curtis, or --penalty 0 to learn from masked nucleotides alone."
            )
        check_objectives(self)
        check_run(self)
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each objective, by name."""
        return self.objectives.weights(self.distance.default_type)


@config
class LearningConfig(LearnsObjectives):
    """Learn a metadata column: what training a model and comparing methods over folds have in common."""

    study: StudyConfig
    label: LabelConfig
    output: OutputDirectoryConfig
    target: TargetConfig = field(default_factory=TargetConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    network_head: NetworkHeadConfig = field(default_factory=NetworkHeadConfig)
    covariates: CovariatesConfig = field(default_factory=CovariatesConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    distance: DistanceConfig = field(default_factory=DistanceConfig)
    taxonomy: TaxonomyConfig = field(default_factory=TaxonomyConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    objectives: SupervisedObjectivesConfig = field(default_factory=SupervisedObjectivesConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    @model_validator(mode="after")
    def _options_fit_together(self) -> Self:
        if self.transfer.freeze_base and self.objectives.encoder_type:
            raise ValueError("--freeze-base keeps what --objectives would teach as it is: leave out one of them.")
        check_target(self)
        check_covariates(self.covariates, self.head.head, self.augmentation.mixup_alpha)
        check_objectives(self)
        return self

    @property
    def network_sections(self) -> tuple[Any, ...]:
        """Groups of options that are of the network and its training; most have no effect on a kernel head."""
        return (
            self.transfer, self.distance, self.taxonomy, self.sampling, self.objectives, self.augmentation, self.model,
            self.training, self.network_head,
        )  # fmt: skip

    @property
    def category_columns(self) -> dict[str, str | None]:
        """Metadata columns of categories, by the option that names each."""
        head = self.network_head
        return {
            "--normalize-by": self.target.normalize_by,
            "--output-scaling": head.output_scaling,
            "--sample-weights": head.sample_weights,
        }

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each objective beside the target, by name; a frozen base has nothing to learn from them."""
        return {} if self.transfer.freeze_base else self.objectives.weights(self.distance.default_type)


@config
class TrainConfig(LearningConfig):
    """Learn to predict a metadata column from the samples' ASVs.

    Up to 1,000 samples with a value are learned by kernel machines, in seconds, more by the network (--head chooses): options
    marked (network only) do nothing for the kernel head.

    Example, train on subjects (hosts, sites) with several samples each: aam train --table table.biom --sequences rep-seqs.fasta
    --metadata metadata.tsv --metadata-column age --group-column subject --tree tree.nwk --output-dir trained

    Example, choose the head, here from a pre-trained model: aam train --config trained/config.yaml --head network --pretrained
    pretrained --output-dir network

    Example, then predict new samples: aam predict --model trained --table new.biom --sequences new-rep-seqs.fasta --output
    predictions.tsv

    Writes model/ (all that 'aam predict', 'embed' and 'evaluate' need), metrics.json, validation_predictions.tsv,
    splits.tsv and plots/; the network also tensorboard/ and checkpoints/, those of an ensemble in members/.
    """

    command: ClassVar[str] = "train"

    split: SplitConfig = field(default_factory=SplitConfig, metadata=written_after("covariates"))
    saving: SavingConfig = field(default_factory=SavingConfig)
    devices: DevicesConfig = field(default_factory=DevicesConfig)

    @property
    def network_sections(self) -> tuple[Any, ...]:
        """Those of all learning, and how a run is saved."""
        return (*super().network_sections, self.saving)

    @model_validator(mode="after")
    def _run_can_be_done(self) -> Self:
        check_run(self)
        return self


@config
class InferenceConfig:
    """Reading new samples with a trained model."""

    topic: ClassVar[Topic] = INFERENCE

    model: Annotated[Path, MODEL_OF_EXPLANATION]
    """Output directory of 'aam train' or 'aam pretrain', or the model/ in it."""
    rarefy_depth: Annotated[int, Field(ge=1)] | Literal["model", "none"] = "model"
    """Reads drawn from each sample, by the model's seed and the sample's id alone. model: as in training; none: all reads, so
    that no sample is dropped for having too few."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Samples at a time; changes no result."""
    prediction_passes: Annotated[int, Field(ge=1)] = 1
    """Times that a network's samples are drawn anew, each time also with other rare ASVs. Predictions, probabilities and
    vectors are means, and for numbers predict adds passes_sd, by how much they depend on the draw. 5 to 10 make them steadier."""
    precision: Literal["64-true", "32-true", "bf16-mixed"] = "64-true"
    """Arithmetic of reading. 64-true: results do not depend on which samples are read together; 32-true: about twice as fast,
    equal to about 5 digits; bf16-mixed: faster again where the processor or GPU multiplies bfloat16, equal to about 2
    digits."""


@config
class PredictConfig:
    """Predict the metadata column that a model learned for the samples of a table.

    Example: aam predict --model trained --table new.biom --sequences new-rep-seqs.fasta --output predictions.tsv

    The table may hold ASVs that training never saw. Columns: sample-id, prediction (in the target's own units, or the class),
    and for classes probability:CLASS. A kernel head adds lower and upper (or set), known_reads and is_outlier, an ensemble lower
    and upper (or set), is_outlier and, for numbers, members_sd, a network of --loss-type quantile lower and upper. Of a model of
    several metadata columns, the names of numbers end in a colon and the column's name.
    """

    command: ClassVar[str] = "predict"
    topic: ClassVar[Topic] = LABELS

    study: StudyConfig
    inference: InferenceConfig
    output: OutputFileConfig
    metadata: Path | None = None
    """Sample metadata with the columns that the model was trained with. They are categories of --normalize-by and
    --output-scaling (samples without one, and all of them without this option, are predicted as of none in particular), and
    those of --categorical-columns and --numeric-columns, for which it must be given; their cells may be empty."""


@config
class EmbedConfig:
    """Write the vector of each sample of a table, one row per sample.

    Example: aam embed --model pretrained --table table.biom --sequences rep-seqs.fasta --output embeddings.tsv

    Samples that hold alike organisms have vectors near each other, by the first distance of the model's --objectives: the
    squared distance of two samples is the mean squared difference of their vectors, plus what each shares with no other.
    """

    command: ClassVar[str] = "embed"

    study: StudyConfig
    inference: InferenceConfig
    output: OutputFileConfig


@config
class EvaluateConfig:
    """Compare a model's predictions with a metadata column: metrics, table and plots.

    Example: aam evaluate --model trained --table new.biom --sequences new-rep-seqs.fasta --metadata new.tsv
    --metadata-column age --output-dir evaluation

    Samples that the model was trained on are part of the table only if you leave them in: for an honest figure pass held-out
    samples, or let 'aam crossval' train and score anew in each of several folds, beside classical baselines. 'aam evaluate
    --folds 5' is another spelling of that.
    """

    command: ClassVar[str] = "evaluate"

    study: StudyConfig
    label: LabelConfig
    inference: InferenceConfig
    output: OutputDirectoryConfig

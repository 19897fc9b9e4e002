"""The shape of the model, and how its training samples are varied."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from aam.config.base import config
from aam.config.options import ANY_HEAD, AUGMENTATION, IN_MODEL, MODEL, Topic


@config
class ModelConfig:
    """Shape of the model: nucleotides become ASV vectors, ASV vectors and abundances become a sample vector."""

    topic: ClassVar[Topic] = MODEL
    is_network_only: ClassVar[bool] = True

    embedding_dim: Annotated[int, Field(ge=2, le=65_536), IN_MODEL] = 128
    """Width of every vector in the model; memory and time grow with it."""
    attention_heads: Annotated[int, Field(ge=1)] = 4
    """Attention heads of every transformer; must divide --embedding-dim."""
    attention_layers: Annotated[int, Field(ge=1, le=1000), IN_MODEL] = 4
    """Blocks of each transformer: over nucleotides, over ASVs, and of the encoder above. Those over ASVs read the ASVs of one
    sample."""
    ffn_ratio: Annotated[float, Field(gt=0, le=1000)] = 4.0
    """Width of the feed-forward layers as a multiple of --embedding-dim; 2 saves memory and time."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the target head's inputs dropped in training. Below the head nothing is dropped: it would add noise to the distances
    between samples."""
    max_bp: Annotated[int, Field(ge=1, le=100_000), ANY_HEAD] = 150
    """Nucleotides read of each sequence; longer sequences are cut after them. Memory grows with it."""
    patch_size: Annotated[int, Field(ge=1)] = 5
    """Nucleotides of a sequence that share one position of the ASV encoder; time and memory fall with it. 1: each has its
    own."""
    count_embedding: Literal["film", "add", "concat", "none"] = "film"
    """How an ASV's abundance joins its vector. film: scales and shifts it; add: shifts it; concat: is joined to it and mixed by a
    linear layer; none: is not shown, so that only presence counts, to see what abundances are worth."""
    asv_chunk_size: Annotated[int, Field(ge=1)] = 64
    """ASVs encoded at a time; changes no result. More need more memory in training (1,024: twice as much); fewer save little."""
    gradient_checkpointing: bool = True
    """Recompute each block's activations in the backward pass, and keep its input alone: far less memory for about a fifth more
    time; changes no result."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "ModelConfig":
        if self.embedding_dim % self.attention_heads:
            raise ValueError(
                f"--attention-heads {self.attention_heads} does not divide --embedding-dim {self.embedding_dim}: "
                "choose, for example, 128 and 4."
            )
        return self


def tiny() -> ModelConfig:
    """Return the shape of a model that trains on a laptop CPU in seconds, for tests."""
    return ModelConfig(embedding_dim=16, attention_heads=2, attention_layers=1, ffn_ratio=2.0, dropout=0.0)


@config
class AugmentationConfig:
    """Random changes of training samples, afresh in every epoch; off unless asked for. Validation and prediction never change."""

    topic: ClassVar[Topic] = AUGMENTATION
    is_network_only: ClassVar[bool] = True

    min_depth_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Draw each sample's depth log-uniformly between this fraction of --rarefy-depth (or of all its reads, with none) and
    the whole. Worth it when the model will read shallower samples than it was trained on; 0.2 is a start."""
    asv_dropout: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Chance that an ASV is left out of a sample. Worth it on a few hundred samples or fewer, which a model knows by heart;
    0.1 to 0.3."""
    abundance_noise: Annotated[float, Field(gt=0)] | None = None
    """Standard deviation of log-normal noise on the counts; each sample keeps its number of reads. Worth it when abundances will
    come from other laboratories, whose extraction and primers favour other ASVs; 0.2 to 1."""
    nucleotide_substitution: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Chance that a nucleotide is read as another one; an ASV changes alike in all samples of an epoch. Worth it when the
    model will read ASVs that training lacks; 0.01 changes one or two of 150."""
    mixup_alpha: Annotated[float, Field(gt=0)] | None = None
    """Mix the reads of each sample with another's of its batch, in a ratio drawn from Beta(alpha, alpha), and the target alike
    (classes as shares). Worth it on few samples, with 0.1 to 0.4; not where halfway between two samples means nothing for the
    target, nor with --distances."""

"""The shape of the model."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aam.config._base import config


@config
class ModelConfig:
    """Shape of the model: nucleotides become ASV vectors, ASV vectors and abundances become a sample vector."""

    embedding_dim: Annotated[int, Field(ge=2, le=65_536)] = 128
    """Width of every vector in the model; memory and time grow with it."""
    attention_heads: Annotated[int, Field(ge=1)] = 4
    """Attention heads of every transformer; must divide --embedding-dim."""
    attention_layers: Annotated[int, Field(ge=1, le=1000)] = 4
    """Blocks of each transformer: over nucleotides, over a sample's ASVs, and of the encoder above them."""
    ffn_ratio: Annotated[float, Field(gt=0, le=1000)] = 4.0
    """Width of the feed-forward layers as a multiple of --embedding-dim; 2 saves memory and time."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the target head's inputs dropped in training. Below the head nothing is dropped: it would add noise to the distances
    between samples."""
    max_bp: Annotated[int, Field(ge=1, le=100_000)] = 150
    """Nucleotides read of each sequence; longer sequences are cut after them. Memory grows with it."""
    patch_size: Annotated[int, Field(ge=1)] = 5
    """Nucleotides of a sequence that share one position of the ASV encoder: time and memory fall with it; 1: each has its own."""
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
    """Give a model that trains on a laptop CPU in seconds, for tests."""
    return ModelConfig(embedding_dim=16, attention_heads=2, attention_layers=1, ffn_ratio=2.0, dropout=0.0)

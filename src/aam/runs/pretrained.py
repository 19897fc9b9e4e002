"""The pre-trained model that a run begins with: its encoder, shape and weights."""

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path

from aam.config.base import flag_of
from aam.config.model import ModelConfig
from aam.errors import ModelError
from aam.inference.description import ModelDescription
from aam.inference.model_directory import load_model
from aam.models.sequence_encoder import SequenceEncoder
from aam.objectives.objective import Settings, UnlabelledObjective

logger = logging.getLogger(__name__)


SHAPE = ("embedding_dim", "attention_heads", "attention_layers", "ffn_ratio", "max_bp", "patch_size", "count_embedding")
"""Fields of `ModelConfig` that a pre-trained model determines."""

Pretrained = tuple[SequenceEncoder, ModelDescription]
"""A pre-trained encoder and its description."""


def load_pretrained(path: Path | None) -> Pretrained | None:
    """Load the encoder of a pre-trained model.

    Parameters
    ----------
    path
        Directory of the model; None for none.

    Returns
    -------
    Pretrained | None
        The encoder and its description; None without a path.

    Raises
    ------
    ModelError
        The directory holds no model with an encoder.
    """
    if path is None:
        return None
    model, description = load_model(path)
    if description.ensemble is not None:
        raise ModelError(
            f"--pretrained {path} is an ensemble of {len(description.members)} networks, each with an encoder of its own. Pass the "
            "model directory of one of them, such as model/members/1 in it."
        )
    encoder = model.base_encoder
    if encoder is None:
        raise ModelError(
            f"--pretrained {path} is a kernel head without a pre-trained encoder. Pass the --output-dir of "
            "'aam pretrain', or leave --pretrained out."
        )
    return encoder, description


def model_config_of(pretrained: SequenceEncoder, user_config: ModelConfig) -> ModelConfig:
    """Return the user's options with the shape of a pre-trained model; warn of options for another shape.

    Parameters
    ----------
    pretrained
        The encoder.
    user_config
        Options of the model as the user passed them.
    """
    settled = {name: getattr(pretrained.config, name) for name in SHAPE}
    default = ModelConfig()
    ignored = [
        flag_of(name)
        for name, value in settled.items()
        if getattr(user_config, name) not in (value, getattr(default, name))
    ]
    if ignored:
        logger.warning("The pre-trained model settles its shape; ignored: %s.", ", ".join(ignored))
    return dataclasses.replace(user_config, **settled)


def copy_encoder_weights(model: SequenceEncoder, pretrained: SequenceEncoder) -> None:
    """Copy the weights of a pre-trained encoder into another of its shape; weights of objectives are not copied."""
    weights = {name: value for name, value in pretrained.state_dict().items() if not name.startswith("objectives.")}
    model.load_state_dict({**model.state_dict(), **weights})


def copy_objective_weights(
    model: SequenceEncoder, pretrained: Pretrained, settings: Mapping[str, Settings]
) -> frozenset[str]:
    """Copy the weights of a pre-trained model's objectives into those of an encoder that have compatible settings.

    Parameters
    ----------
    model
        The encoder.
    pretrained
        The pre-trained model.
    settings
        Settings of the encoder's objectives, by name.

    Returns
    -------
    frozenset[str]
        Names of the encoder's other objectives, which keep random weights.
    """
    encoder, description = pretrained
    pretrained_objectives = encoder.active_objectives()
    new = set()
    for name, objective in model.active_objectives().items():
        pretrained_key = _compatibility_key(objective, name, description.objective_settings)
        is_compatible = pretrained_key == _compatibility_key(objective, name, settings)
        if name in pretrained_objectives and is_compatible:
            objective.load_state_dict(pretrained_objectives[name].state_dict())
        else:
            new.add(name)
    return frozenset(new)


def _compatibility_key(objective: UnlabelledObjective, name: str, settings: Mapping[str, Settings]) -> str:
    return json.dumps(dict(objective.compatibility_key(name, settings.get(name, {}))), sort_keys=True)

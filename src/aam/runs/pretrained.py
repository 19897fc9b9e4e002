"""Which head a run trains, and which options it then leaves aside."""

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
"""Options that a pre-trained model has settled."""

Pretrained = tuple[SequenceEncoder, ModelDescription]
"""An encoder, and what it is."""


def load_pretrained(path: Path | None) -> Pretrained | None:
    """Load the encoder to start from, and what it is, if any.

    Raises
    ------
    ModelError
        The directory holds no such model.
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


def shape_of(pretrained: SequenceEncoder, asked: ModelConfig) -> ModelConfig:
    """Take the shape from the pre-trained model and the rest from the user; say so if they asked for another shape."""
    settled = {name: getattr(pretrained.config, name) for name in SHAPE}
    default = ModelConfig()
    ignored = [
        flag_of(name) for name, value in settled.items() if getattr(asked, name) not in (value, getattr(default, name))
    ]
    if ignored:
        logger.warning("The pre-trained model settles its shape; ignored: %s.", ", ".join(ignored))
    return dataclasses.replace(asked, **settled)


def copy_encoder_weights(model: SequenceEncoder, pretrained: SequenceEncoder) -> None:
    """Give an encoder the weights of another one of its shape; those of the objectives stay."""
    learned = {name: value for name, value in pretrained.state_dict().items() if not name.startswith("objectives.")}
    model.load_state_dict({**model.state_dict(), **learned})


def copy_objective_weights(
    model: SequenceEncoder, pretrained: Pretrained, settings: Mapping[str, Settings]
) -> frozenset[str]:
    """Give the objectives of an encoder the weights of those that another one has under settings of the same meaning.

    Parameters
    ----------
    settings
        Of the encoder's objectives, by name.

    Returns
    -------
    frozenset[str]
        Names of those that were not there, and are new.
    """
    encoder, description = pretrained
    learned = encoder.active_objectives()
    new = set()
    for name, objective in model.active_objectives().items():
        earlier, own = (
            _compatibility_key(objective, name, given) for given in (description.objective_settings, settings)
        )
        if name in learned and earlier == own:
            objective.load_state_dict(learned[name].state_dict())
        else:
            new.add(name)
    return frozenset(new)


def _compatibility_key(objective: UnlabelledObjective, name: str, settings: Mapping[str, Settings]) -> str:
    return json.dumps(dict(objective.compatibility_key(name, settings.get(name, {}))), sort_keys=True)

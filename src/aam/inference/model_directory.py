"""A trained model as a directory: weights, what built it, what was fitted, and a card; no pickle."""

import dataclasses
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

import aam
from aam.config._base import rebuild
from aam.config.column_loss import ColumnLossConfig
from aam.config.conditioning import ConditioningConfig
from aam.config.model import ModelConfig
from aam.config.network_head import NetworkHeadConfig
from aam.data.conditions import NO_CONDITIONS, Conditions
from aam.data.joint_target import AnyTarget, JointTarget, parts_of, target_from_dict
from aam.data.target import TargetState
from aam.errors import ConfigError, ModelError
from aam.inference.conditioning import condition_lines, conditioning_of
from aam.inference.kernel_card import kernel_lines
from aam.inference.kernel_model import KernelModel
from aam.inference.metrics import without_nan
from aam.inference.stored_values import FORMAT, check_config, check_objectives, check_state
from aam.io.atomic import write_text_atomic
from aam.io.cache import digest_of
from aam.io.tensor_file import write_tensors
from aam.models.build import build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.joint_target import JointRegression
from aam.objectives.ordinal_target import OrdinalTarget
from aam.objectives.target import ClassificationTarget, Fitted, RegressionTarget, Target
from aam.objectives.unlabelled import Settings

WEIGHTS, CONFIG, STATE, CARD = "model.safetensors", "config.json", "state.json", "README.md"
LIBRARIES = ("torch", "lightning", "numpy", "safetensors")
_DAMAGE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError, ConfigError,
)  # fmt: skip
"""What reading a file that is missing, cut off or edited by hand may raise."""

DEFAULT_HEAD, DEFAULT_CONDITIONING = NetworkHeadConfig(), ConditioningConfig()
Losses = Mapping[str, ColumnLossConfig]
NO_LOSSES: Losses = {}
AnyModel = SequenceEncoder | SequencePredictor | KernelModel


@dataclass(frozen=True)
class ModelDescription:
    """Everything about a model but its weights.

    Attributes
    ----------
    model
        Its shape.
    objectives
        Self-supervised objectives of the `SequenceEncoder`, by name.
    depth
        Reads drawn from each sample; None for all.
    token_limit
        Most ASVs of a sample.
    seed
        Fixes the draws of prediction.
    study_digest
        Hash of the study that it was trained on.
    target
        The metadata column or columns, None for a pre-trained encoder.
    objective_settings
        What they were built from beside the shape, by name.
    options
        All options of the run, for the record.
    metrics
        Validation metrics, for the record.
    head
        What a kernel head is, None for a network. Shape, objectives, depth, token limit and seed are then those of its pre-trained
        encoder, if it has one.
    network_head, column_losses
        What a network's head is beside its target, and what of it differs for some columns, by name.
    conditions, conditioning
        Columns of the metadata that a network reads beside the microbes, and how.
    """

    model: ModelConfig
    objectives: tuple[str, ...]
    depth: int | None
    token_limit: int
    seed: int
    study_digest: str
    target: AnyTarget | None = None
    objective_settings: Mapping[str, Settings] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    head: dict[str, Any] | None = None
    network_head: NetworkHeadConfig = DEFAULT_HEAD
    column_losses: Losses = field(default_factory=dict)
    conditions: Conditions = NO_CONDITIONS
    conditioning: ConditioningConfig = DEFAULT_CONDITIONING

    @property
    def kind(self) -> str:
        """Name of the model's class."""
        if self.head is not None:
            return "KernelModel"
        return "SequenceEncoder" if self.target is None else "SequencePredictor"

    def build(self) -> AnyModel:
        """Build the model with random weights."""
        if self.head is not None and not self.head["has_encoder"]:
            return KernelModel(self.head, None)
        base = build_encoder(self.model, self.objectives, self.objective_settings)
        if self.head is not None:
            return KernelModel(self.head, base)
        if self.target is None:
            return base
        target = build_target(self.model, self.target, self.network_head, self.column_losses)
        conditioning = conditioning_of(self.model, self.conditions, self.conditioning)
        return build_predictor(base, target, (), conditioning=conditioning)


def build_target(
    config: ModelConfig, target: AnyTarget, options: NetworkHeadConfig = DEFAULT_HEAD, losses: Losses = NO_LOSSES
) -> Target:
    """Build the network's head for a metadata column, or heads for several, of which some may have a loss of their own."""
    heads = []
    for part in parts_of(target):
        if part.task == "regression":
            numbers = losses.get(part.column, options.numbers)
            own = dataclasses.replace(options, numbers=numbers)
            heads.append(RegressionTarget(config, part.column, part.transform, own, _fitted(part)))
    if isinstance(target, JointTarget):
        return JointRegression(heads, [losses[name].weight if name in losses else 1.0 for name in target.columns])
    if heads:
        return heads[0]
    kind = OrdinalTarget if target.task == "ordinal" else ClassificationTarget
    return kind(config, target.column, target.classes, options, _fitted(target))


def _fitted(target: TargetState) -> Fitted:
    return Fitted(
        guess=None if isinstance(target.guess, str) else float(target.guess),
        bounds=target.bounds,
        class_weights=target.class_weights,
        n_scaled=0 if target.scaled_by is None else len(target.scaled_by.names),
    )


def save_model(directory: Path, model: nn.Module, description: ModelDescription) -> None:
    """Write a model directory; each file appears whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    digest = write_tensors(directory / WEIGHTS, model.state_dict())
    config = {
        "format": FORMAT,
        "kind": description.kind,
        "model": dataclasses.asdict(description.model),
        "objectives": list(description.objectives),
        "head": description.head,
        "network_head": dataclasses.asdict(description.network_head),
        "conditioning": dataclasses.asdict(description.conditioning),
        "column_losses": {name: dataclasses.asdict(loss) for name, loss in description.column_losses.items()},
        "study_digest": description.study_digest,
        "weights_digest": digest,
        "options": description.options,
        "versions": {"aam": aam.__version__, "python": platform.python_version()}
        | {library: version(library) for library in LIBRARIES},
    }
    state = {
        "depth": description.depth,
        "token_limit": description.token_limit,
        "seed": description.seed,
        "target": None if description.target is None else description.target.to_dict(),
        "conditions": description.conditions.to_dict(),
        "objective_settings": dict(description.objective_settings),
        "metrics": without_nan(description.metrics),
    }
    write_text_atomic(directory / CONFIG, json.dumps(config, indent=2, default=str) + "\n")
    write_text_atomic(directory / STATE, json.dumps(state, indent=2) + "\n")
    write_text_atomic(directory / CARD, model_card(description))


def load_model(path: Path) -> tuple[AnyModel, ModelDescription]:
    """Load a model directory, or the ``model/`` in a run's output directory; strictly, and on the CPU.

    Raises
    ------
    ModelError
        The directory is missing or incomplete, or its parts do not fit together.
    """
    directory = path if (path / CONFIG).is_file() else path / "model"
    if not (directory / CONFIG).is_file():
        raise ModelError(
            f"{path} holds no model: expected {CONFIG} in it or in {path / 'model'}. Pass the --output-dir of "
            "'aam train' or 'aam pretrain'."
        )
    try:
        description, weights_digest = _read_description(directory)
        if digest_of(directory / WEIGHTS) != weights_digest:
            raise ValueError(f"{WEIGHTS} does not have the digest that {CONFIG} gives")
        model = description.build()
        weights = load_file(directory / WEIGHTS)
        if not all(bool(weight.isfinite().all()) for weight in weights.values()):
            raise ValueError(f"{WEIGHTS} holds weights that are not finite")
        model.load_state_dict(weights)
        if isinstance(model, KernelModel):
            model.head(_target_of(description))  # do its parts fit together?
    except _DAMAGE as error:
        problem = " ".join(str(error).split())[:300]
        raise ModelError(
            f"The model in {directory} cannot be loaded ({type(error).__name__}: {problem}). One of {CONFIG}, {STATE} and "
            f"{WEIGHTS} is missing or damaged, or they are of different runs: copy the whole directory again, or train anew."
        ) from error
    return model.eval(), description


def _read_description(directory: Path) -> tuple[ModelDescription, str]:
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    state = json.loads((directory / STATE).read_text(encoding="utf-8"))
    check_config(config)
    check_objectives(config["objectives"], directory)
    check_state(state)
    description = ModelDescription(
        model=rebuild(ModelConfig, config["model"]),
        objectives=tuple(config["objectives"]),
        depth=state["depth"],
        token_limit=state["token_limit"],
        seed=state["seed"],
        study_digest=config["study_digest"],
        target=None if state["target"] is None else target_from_dict(state["target"]),
        objective_settings=state["objective_settings"],
        options=config["options"],
        metrics=state["metrics"],
        head=config.get("head"),
        network_head=rebuild(NetworkHeadConfig, config.get("network_head", {})),
        conditions=Conditions.from_dict(state.get("conditions", {})),
        conditioning=rebuild(ConditioningConfig, config.get("conditioning", {})),
        column_losses={name: rebuild(ColumnLossConfig, loss) for name, loss in config.get("column_losses", {}).items()},
    )
    return description, config["weights_digest"]


def _target_of(description: ModelDescription) -> TargetState:
    if not isinstance(description.target, TargetState):
        raise ValueError("a kernel head without a target of one column")
    return description.target


def model_card(description: ModelDescription) -> str:
    """Describe a model for whoever finds its directory."""
    target, model = description.target, description.model
    what = "pre-trained encoder" if target is None else f"{target.task} of `{target.column}`"
    depth = "all reads of each sample" if description.depth is None else f"{description.depth:,} reads of each sample"
    lines = [f"# aam {aam.__version__}: {what}", ""]
    if description.head is not None:
        lines += kernel_lines(description.head)
    else:
        lines += [
            f"- Reads the first {model.max_bp} nucleotides of up to {description.token_limit:,} ASVs per sample, and {depth}.",
            f"- Width {model.embedding_dim}, {model.attention_layers} layers, {model.attention_heads} heads.",
        ]
    lines += [f"- Trained on a study with digest `{description.study_digest}`, seed {description.seed}."]
    if target is not None:
        lines += [*_target_lines(target), *condition_lines(description.conditions)]
    else:
        lines += [f"- Learned from: {', '.join(description.objectives)}."]
    if description.metrics:
        lines += ["", "## On the validation samples", "", "| metric | value |", "|---|---|"]
        lines += [
            f"| {name} | {value if isinstance(value, int) else f'{value:.4g}'} |"
            for name, value in without_nan(description.metrics).items()
            if isinstance(value, int | float)
        ]
    use = "embed" if target is None else "predict"
    flags = "--model DIRECTORY --table table.biom --sequences rep-seqs.fasta --output results.tsv"
    flags += " --metadata metadata.tsv" if description.conditions.columns else ""
    lines += ["", "## Use", "", f"    aam {use} {flags}", ""]
    return "\n".join(lines)


def _target_lines(target: AnyTarget) -> list[str]:
    lines = []
    if target.classes:
        lines += [f"- Classes{', lowest first' if target.task == 'ordinal' else ''}: {', '.join(target.classes)}."]
    for part in parts_of(target):
        of_column = f" of {part.column}" if isinstance(target, JointTarget) else ""
        lines += [f"- Without looking at the sample one would guess {part.guess}{of_column}."]
    categories = [known for part in parts_of(target) for known in (part.normalized_by, part.scaled_by)]
    lines += [
        f"- Reads the {known.column} of a sample ({', '.join(known.names)}): give 'aam predict' that column by --metadata."
        for known in dict.fromkeys(known for known in categories if known is not None)
    ]
    return lines

"""A trained model as a directory: weights, what built it, what was fitted, and a card; no pickle."""

import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, Field, StrictInt
from pydantic_core import PydanticCustomError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

import aam
from aam.config.base import rebuild
from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.config.objectives import OBJECTIVES
from aam.config.target import ColumnLossConfig, NetworkHeadConfig
from aam.data.known_samples import KnownSamples
from aam.data.orientation import KmerSketch
from aam.errors import ConfigError, ModelError, name_some
from aam.inference.build import AnyModel, build_model
from aam.inference.card import model_card
from aam.inference.description import ModelDescription
from aam.inference.ensemble import EnsembleInfo, NetworkEnsemble
from aam.inference.kernel import KernelModel
from aam.inference.metrics import without_nan
from aam.labels.covariates import NO_COVARIATES, Covariates
from aam.labels.target import AnyTarget, StoredTarget, TargetState, parts_of
from aam.models.sequence_predictor import SequencePredictor
from aam.storage.atomic import write_tensors, write_text_atomic
from aam.storage.cache import digest_of
from aam.stored import Count, read_stored

FORMAT = 2
"""Version of the layout of a model directory that is written."""

READABLE = (1, FORMAT)
"""Those that are read; in the first, a target had a mean and a standard deviation, and a network one kind of head."""

WEIGHTS, CONFIG, STATE, CARD = "model.safetensors", "config.json", "state.json", "README.md"

SKETCH, _CODES, _LENGTHS = "sketch.safetensors", "codes", "lengths"
"""File of the stretches of the training sequences, of a network, and the name of its array."""

BASE = "../base.safetensors"
"""Seen from a member of an ensemble: the weights of the base that all members share, if it was frozen."""

LIBRARIES = ("torch", "lightning", "numpy", "safetensors")

_DAMAGE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError, ConfigError,
)  # fmt: skip
"""What reading a file that is missing, cut off or edited by hand may raise."""


def _refuse_unreadable(number: int) -> int:
    if number not in READABLE:
        raise PydanticCustomError("format", "Input should be one that this version of aam reads")
    return number


class _Config(BaseModel):
    """Content of the file that says how the model was built, as far as it is read."""

    format: Annotated[StrictInt, AfterValidator(_refuse_unreadable)]
    model: dict[str, Any]
    objectives: tuple[str, ...]
    head: dict[str, Any] | None = None
    ensemble: EnsembleInfo | None = None
    network_head: dict[str, Any] = {}
    conditioning: dict[str, Any] = {}
    column_losses: dict[str, dict[str, Any]] = {}
    study_digest: str
    weights_digest: str
    base_digest: str | None = None
    sketch_digest: str | None = None
    options: dict[str, Any]


class _State(BaseModel):
    """Content of the file that says what was fitted."""

    depth: Count | None
    token_limit: Count
    seed: Annotated[StrictInt, Field(ge=0, lt=2**63)]
    target: StoredTarget | None
    conditions: Covariates = NO_COVARIATES
    objective_settings: dict[str, Any]
    metrics: dict[str, Any]
    training_samples: dict[str, str] | None = None


def save_model(directory: Path, model: nn.Module, description: ModelDescription) -> None:
    """Write a model directory; each file appears whole or not at all. Members of an ensemble go into directories in it."""
    if isinstance(model, NetworkEnsemble):
        description = _save_members(directory, model, description)
    _save(directory, model.state_dict(), description)


def _save_members(directory: Path, model: NetworkEnsemble, description: ModelDescription) -> ModelDescription:
    """Write the members of an ensemble, and once the base that they share; give its description with their digests."""
    assert description.ensemble is not None, "an ensemble is described as one"
    places = [_of_member(directory, number) for number in range(len(model.members))]
    places[0].mkdir(parents=True, exist_ok=True)
    base = _shared_base(model.members)
    base_digest = write_tensors(places[0] / BASE, base) if base else None
    for place, member, its in zip(places, model.members, description.members, strict=True):
        own = {name: weight for name, weight in member.state_dict().items() if name not in base}
        _save(place, own, its, base_digest)
    digests = [digest_of(place / WEIGHTS) for place in places]
    return dataclasses.replace(description, ensemble={**description.ensemble, "weights": digests})


def _shared_base(members: Sequence[SequencePredictor]) -> dict[str, Tensor]:
    """Give the weights of the base that is the same in all members, by their names in these; none if they differ."""
    first, *others = (member.base_model.state_dict(prefix="base_model.") for member in members)
    is_same = all(torch.equal(weight, other[name]) for other in others for name, weight in first.items())
    return first if is_same else {}


def _save(
    directory: Path, weights: Mapping[str, Tensor], description: ModelDescription, base_digest: str | None = None
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    digest, sketch_digest = write_tensors(directory / WEIGHTS, weights), None
    if description.sketch is not None:
        codes = torch.from_numpy(description.sketch.codes.astype(np.int32))  # of 26 bits
        lengths = torch.from_numpy(description.sketch.lengths)
        sketch_digest = write_tensors(directory / SKETCH, {_CODES: codes, _LENGTHS: lengths})
    config = {
        "format": FORMAT,
        "kind": description.kind,
        "model": dataclasses.asdict(description.model),
        "objectives": list(description.objectives),
        "head": description.head,
        "ensemble": description.ensemble,
        "network_head": dataclasses.asdict(description.network_head),
        "conditioning": dataclasses.asdict(description.covariates_config),
        "column_losses": {name: dataclasses.asdict(loss) for name, loss in description.column_losses.items()},
        "study_digest": description.study_digest,
        "weights_digest": digest,
        "base_digest": base_digest,
        "sketch_digest": sketch_digest,
        "options": description.options,
        "versions": {"aam": aam.__version__, "python": platform.python_version()}
        | {library: version(library) for library in LIBRARIES},
    }
    state = {
        "depth": description.depth,
        "token_limit": description.token_limit,
        "seed": description.seed,
        "target": None if description.target is None else _plain_target(description.target),
        "conditions": dataclasses.asdict(description.covariates),
        "objective_settings": dict(description.objective_settings),
        "metrics": without_nan(description.metrics),
    }
    if description.samples is not None:
        state["training_samples"] = description.samples.stored()
    write_text_atomic(directory / CONFIG, json.dumps(config, indent=2, default=str) + "\n")
    write_text_atomic(directory / STATE, json.dumps(state, indent=2) + "\n")
    write_text_atomic(directory / CARD, model_card(description))


def _plain_target(target: AnyTarget) -> dict[str, Any]:
    """Return a target as plain values, without what is merged if nothing is, so that it is as before."""
    plain = dataclasses.asdict(target)
    for part in plain.get("parts", [plain]):
        if not part["merged"]:
            del part["merged"]
    return plain


def load_model(path: Path) -> tuple[AnyModel, ModelDescription]:
    """Load a model directory, or the ``model/`` in a run's output directory; strictly, and on the CPU.

    Raises
    ------
    ModelError
        The directory is missing, incomplete or cannot be read, or its parts do not fit together.
    """
    try:
        return _load_model(path)
    except PermissionError as error:
        raise ModelError(
            f"The model in {path} cannot be read: {error.filename}: {error.strerror}. Ask its owner for the right to "
            "read it, or for a copy."
        ) from None


def _load_model(path: Path) -> tuple[AnyModel, ModelDescription]:
    directory = path if (path / CONFIG).is_file() else path / "model"
    if not (directory / CONFIG).is_file():
        raise ModelError(
            f"{path} holds no model: expected {CONFIG} in it or in {path / 'model'}. Pass the --output-dir of "
            "'aam train' or 'aam pretrain'."
        )
    try:
        description, digests = _read_description(directory)
        model = build_model(description)
        model.load_state_dict(_read_weights(directory, digests))
        if isinstance(model, KernelModel):
            model.head(_target_of(description))  # do its parts fit together?
        if isinstance(model, NetworkEnsemble):
            description = _load_members(directory, model, description)
    except PermissionError:
        raise
    except _DAMAGE as error:
        problem = " ".join(str(error).split())[:300]
        raise ModelError(
            f"The model in {directory} cannot be loaded ({type(error).__name__}: {problem}). One of {CONFIG}, {STATE} and "
            f"{WEIGHTS} is missing or damaged, or they are of different runs: copy the whole directory again, or train anew."
        ) from error
    return model.eval(), description


def _read_weights(directory: Path, digests: Mapping[str, str]) -> dict[str, Tensor]:
    """Read the files of a model's weights, whose digests are known."""
    weights: dict[str, Tensor] = {}
    if BASE in digests and not (directory / BASE).is_file():
        raise ValueError(f"{BASE}, the base that the members of an ensemble share, is missing: copy it along with them")
    for name, digest in digests.items():
        if digest_of(directory / name) != digest:
            raise ValueError(f"{name} does not have the digest that {CONFIG} gives")
        weights |= load_file(directory / name)
        if not all(bool(weight.isfinite().all()) for weight in weights.values()):
            raise ValueError(f"{name} holds weights that are not finite")
    return weights


def _read_sketch(directory: Path, digest: str | None) -> KmerSketch | None:
    if digest is None:
        return None
    if digest_of(directory / SKETCH) != digest:
        raise ValueError(f"{SKETCH} does not have the digest that {CONFIG} gives")
    tensors = load_file(directory / SKETCH)
    lengths = tensors[_LENGTHS].numpy() if _LENGTHS in tensors else None  # models that were saved before have none
    return KmerSketch(tensors[_CODES].numpy().astype(np.uint32), lengths)


def _of_member(directory: Path, number: int) -> Path:
    return directory / "members" / str(number + 1)


def _load_members(directory: Path, model: NetworkEnsemble, description: ModelDescription) -> ModelDescription:
    """Give an ensemble its members, and its description theirs."""
    networks, descriptions, target = [], [], description.target
    info = read_stored(EnsembleInfo, model.info)
    if target is None or len(info.calibration.thresholds) != len(parts_of(target)):
        raise ValueError("the ensemble's calibration and its target do not fit together")
    for number, digest in enumerate(info.weights):
        place = _of_member(directory, number)
        name = place.relative_to(directory)
        if digest_of(place / WEIGHTS) != digest:
            raise ValueError(f"{name / WEIGHTS} does not have the digest that {CONFIG} gives")
        network, its = load_model(place)
        if not isinstance(network, SequencePredictor) or its.target is None:
            raise ValueError(f"{name} holds no network with a target")
        same = (its.target.column, its.target.task) == (target.column, target.task)
        if not same or not set(its.target.classes) <= set(target.classes):
            raise ValueError(f"{name} predicts something else")
        networks.append(network)
        descriptions.append(its)
    model.members = tuple(networks)
    return dataclasses.replace(description, members=tuple(descriptions))


def _read_description(directory: Path) -> tuple[ModelDescription, dict[str, str]]:
    values = {name: json.loads((directory / name).read_text(encoding="utf-8")) for name in (CONFIG, STATE)}
    config = read_stored(_Config, values[CONFIG], CONFIG)
    _check_objectives(config.objectives, directory)
    state = read_stored(_State, values[STATE], STATE)
    description = ModelDescription(
        model=rebuild(ModelConfig, config.model),
        objectives=config.objectives,
        depth=state.depth,
        token_limit=state.token_limit,
        seed=state.seed,
        study_digest=config.study_digest,
        target=state.target,
        objective_settings=state.objective_settings,
        options=config.options,
        metrics=state.metrics,
        head=config.head,
        ensemble=None if config.ensemble is None else dataclasses.asdict(config.ensemble),
        network_head=rebuild(NetworkHeadConfig, config.network_head),
        covariates=state.conditions,
        covariates_config=rebuild(CovariatesConfig, config.conditioning),
        column_losses={name: rebuild(ColumnLossConfig, loss) for name, loss in config.column_losses.items()},
        samples=None if state.training_samples is None else KnownSamples.from_stored(state.training_samples),
        sketch=_read_sketch(directory, config.sketch_digest),
    )
    digests = {WEIGHTS: config.weights_digest, BASE: config.base_digest}
    return description, {name: digest for name, digest in digests.items() if digest is not None}


def _check_objectives(names: Sequence[str], directory: Path) -> None:
    """Refuse a model that was learned from what the table does not list here."""
    unknown = [name for name in names if name not in OBJECTIVES]
    if unknown:
        raise ModelError(
            f"The model in {directory} learned from {name_some(unknown)}, which this aam does not know. Add the rows that it was "
            "trained with to aam.config.objectives.OBJECTIVES: in a checkout, or in a script that then runs this command by "
            "aam.cli.main (docs/tutorials/add-your-own-objective.md)."
        )


def _target_of(description: ModelDescription) -> TargetState:
    if not isinstance(description.target, TargetState):
        raise ValueError("a kernel head without a target of one column")
    return description.target

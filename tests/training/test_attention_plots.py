"""Pictures of attention while a model is trained: they are there, and change nothing."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from helpers.commands import QUIET, TINY, files_of, labels_of, simulate, succeed

pytestmark = QUIET


def test_attention_is_drawn_and_nothing_else_changes(tmp_path):
    study = simulate(tmp_path / "study", 24, 30, 60)
    options = [
        *files_of(study),
        *labels_of(study / "metadata.tsv", "age"),
        "--head",
        "network",
        *TINY[:-2],
        "--max-bp",
        "60",
    ]
    succeed("train", *options, "--epochs", "2", "--output-dir", tmp_path / "plain")
    succeed("train", *options, "--epochs", "2", "--attention-plots", "--output-dir", tmp_path / "drawn")

    for name in ("model/model.safetensors", "validation_predictions.tsv"):
        assert (tmp_path / "drawn" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    for name in ("attention-pooling", "attention-target-pooling"):
        assert (tmp_path / "drawn" / "plots" / f"{name}.png").stat().st_size > 1000
        assert not (tmp_path / "plain" / "plots" / f"{name}.png").exists()
    events = EventAccumulator(str(tmp_path / "drawn" / "tensorboard" / "validation"))
    events.Reload()
    assert {"attention-pooling", "attention-target-pooling"} <= set(events.Tags()["images"])


def test_pretraining_draws_its_pooling(tmp_path):
    study = simulate(tmp_path / "study", 24, 30, 60)
    shape = [
        "--embedding-dim",
        "8",
        "--attention-heads",
        "2",
        "--attention-layers",
        "1",
        "--max-bp",
        "60",
        "--epochs",
        "1",
    ]
    succeed("pretrain", *files_of(study, "tree"), *shape, "--attention-plots", "--output-dir", tmp_path / "encoder")

    assert (tmp_path / "encoder" / "plots" / "attention-pooling.png").stat().st_size > 1000

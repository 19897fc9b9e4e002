"""A run that was stopped anywhere and continued ends as one that never stopped, to the bit."""

import dataclasses
import errno
import os
import re
import signal

import pytest
import torch

from aam.config.saving import SavingConfig
from aam.errors import StopRequested
from aam.training.checkpoints import Progress, write_checkpoint
from aam.training.saving import HEARD, StopSignals, earlier_handlers, requeue
from helpers.stopped_run import CONFIG, StopAt, assert_same, run, steps_saved

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Give a function that trains without a stop, once for each number of accumulated batches."""
    known = {}

    def of(config):
        accumulated = config.gradient_accumulation_steps
        if accumulated not in known:
            torch.set_num_threads(1)
            folder = tmp_path_factory.mktemp("whole") / "o"
            known[accumulated] = (*run(folder, config), folder)
        return known[accumulated]

    return of


@pytest.mark.parametrize(
    ("accumulated", "n_workers", "stop", "saved"),
    [
        (1, 0, StopAt(0, 0), Progress(0, 1, 1)),
        (1, 1, StopAt(1, 1), Progress(1, 2, 6)),
        (1, 0, StopAt(1, 3), Progress(1, 4, 8)),  # before validation
        (1, 0, StopAt(1, 1, is_validation=True), Progress(1, 4, 8)),
        (3, 0, StopAt(1, 0), Progress(1, 3, 3)),  # after the gradients of three batches
        (3, 1, StopAt(1, 3), Progress(1, 4, 4)),  # the last batch is a step of its own
    ],
)
def test_a_run_that_a_signal_stopped_goes_on_as_if_it_had_not(
    accumulated, n_workers, stop, saved, uninterrupted, tmp_path
):
    config = dataclasses.replace(CONFIG, gradient_accumulation_steps=accumulated, num_workers=n_workers)
    with pytest.raises(StopRequested) as stopped:
        run(tmp_path / "o", config, stop=stop)
    assert stopped.value.number == signal.SIGTERM
    assert steps_saved(tmp_path / "o") == dataclasses.asdict(saved)

    continued = run(tmp_path / "o", config)

    *whole, folder = uninterrupted(config)
    assert_same(whole, continued, (folder, tmp_path / "o"))


@pytest.mark.parametrize("stop", [StopAt(1, 0), StopAt(1, 1), StopAt(1, 1, is_validation=True)])
def test_averaged_weights_go_on_as_well(stop, tmp_path):
    config = dataclasses.replace(CONFIG, ema_decay=0.7, gradient_accumulation_steps=2)
    whole = run(tmp_path / "whole", config)
    with pytest.raises(StopRequested):
        run(tmp_path / "o", config, stop=stop)

    continued = run(tmp_path / "o", config)

    assert_same(whole, continued, (tmp_path / "whole", tmp_path / "o"))


def test_a_run_that_crashed_goes_on_from_where_it_was_saved_and_may_crash_again(uninterrupted, tmp_path):
    often = SavingConfig(checkpoint_steps=2)
    for stop, saved in ((StopAt(0, 2, None), Progress(0, 2, 2)), (StopAt(1, 1, None), Progress(1, 0, 4))):
        with pytest.raises(ZeroDivisionError):
            run(tmp_path / "o", CONFIG, often, stop)
        assert steps_saved(tmp_path / "o") == dataclasses.asdict(saved)

    continued = run(tmp_path / "o")

    *whole, folder = uninterrupted(CONFIG)
    assert_same(whole, continued, (folder, tmp_path / "o"))


def test_a_run_is_saved_when_the_minutes_have_passed(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "o", CONFIG, SavingConfig(checkpoint_minutes=1e-9), StopAt(0, 2, None))

    assert steps_saved(tmp_path / "o") == dataclasses.asdict(Progress(0, 2, 2))


def test_what_is_trained_to_its_end_is_not_trained_again(uninterrupted, tmp_path):
    *whole, folder = uninterrupted(CONFIG)

    again = run(folder, stop=StopAt(0, 0, None))

    assert_same(whole, again)


def test_a_run_that_stopped_early_is_at_its_end(tmp_path):
    config = dataclasses.replace(CONFIG, epochs=20, lr=0.5, patience=1)
    whole = run(tmp_path / "o", config)

    again = run(tmp_path / "o", config, stop=StopAt(0, 0, None))

    assert whole[1].epochs < 20
    assert_same(whole, again)


def test_checkpoints_that_cannot_be_written_are_warned_about_and_change_no_result(
    uninterrupted, tmp_path, caplog, monkeypatch
):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("aam.training.saving.write_checkpoint", full)

    lossy = run(tmp_path / "o")

    assert_same(uninterrupted(CONFIG)[:2], lossy)
    assert list((tmp_path / "o").glob("checkpoints/*")) == []
    said = rf"{re.escape(str(tmp_path))}/o/checkpoints/best\.ckpt could not be saved, .*\[Errno 28\] No space left"
    assert len(re.findall(said, caplog.text)) == 1


def test_a_disk_that_has_space_again_is_told_of(uninterrupted, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    tries = []

    def full_at_first(path, content):
        tries.append(path)
        if len(tries) <= 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_checkpoint(path, content)

    monkeypatch.setattr("aam.training.saving.write_checkpoint", full_at_first)

    run(tmp_path / "o", saving=SavingConfig(checkpoint_steps=1))

    assert [path.name for path in tries[:2]] == ["last.ckpt", "last.ckpt"]
    assert caplog.text.count("last.ckpt could not be saved") == 1
    assert caplog.text.count("last.ckpt could be saved again") == 1


def test_no_checkpoint_tells_of_better_weights_than_are_on_disk(uninterrupted, tmp_path, monkeypatch):
    def no_best(path, content):
        if path.name == "best.ckpt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_checkpoint(path, content)

    monkeypatch.setattr("aam.training.saving.write_checkpoint", no_best)

    lossy = run(tmp_path / "o")

    assert_same(uninterrupted(CONFIG)[:2], lossy)
    assert list((tmp_path / "o").glob("checkpoints/*")) == []


def test_a_tensorboard_that_cannot_be_written_is_warned_about_once(uninterrupted, tmp_path, caplog):
    (tmp_path / "o").mkdir()
    (tmp_path / "o/tensorboard").write_text("in the way")

    without = run(tmp_path / "o")

    assert_same(uninterrupted(CONFIG)[:2], without)
    assert caplog.text.count("Training goes on without curves") == 1


def test_pictures_that_cannot_be_drawn_are_warned_about(uninterrupted, tmp_path, caplog):
    (tmp_path / "o").mkdir()
    (tmp_path / "o/plots").write_text("in the way")

    without = run(tmp_path / "o")

    assert_same(uninterrupted(CONFIG)[:2], without)
    assert "Training goes on without it" in caplog.text


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    folder = tmp_path / "o/checkpoints"
    folder.mkdir(parents=True)
    for name in (".last-0123abcd.ckpt", ".best-0123abcd.ckpt", "mine.ckpt", ".last-of-mine.ckpt"):
        (folder / name).touch()

    run(tmp_path / "o", dataclasses.replace(CONFIG, epochs=1))

    assert {path.name for path in folder.iterdir()} == {"best.ckpt", "last.ckpt", "mine.ckpt", ".last-of-mine.ckpt"}


def test_a_second_ctrl_c_stops_at_once_and_handlers_are_put_back():
    handlers = [signal.getsignal(number) for number in HEARD]

    with earlier_handlers():
        signals = StopSignals()
        signals.listen()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

    assert signals.received == signal.SIGINT
    assert [signal.getsignal(number) for number in HEARD] == handlers


def test_under_slurm_the_job_is_put_back_into_the_queue(tmp_path, monkeypatch):
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "77")

    with pytest.raises(StopRequested) as stopped:
        run(tmp_path / "o", stop=StopAt(0, 1, signal.SIGUSR1))

    assert stopped.value.number == signal.SIGUSR1
    assert (tmp_path / "asked").read_text() == "requeue 77\n"


def test_a_job_that_cannot_be_put_back_is_warned_about(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "77")

    requeue()

    assert re.search(r"Job 77 .*SLURM", caplog.text)

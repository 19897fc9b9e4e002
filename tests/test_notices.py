"""What a command says: each warning once, the fold that it is of, and no progress of folds."""

import logging

import pytest

from aam.notices import Notices


class Screen(logging.Handler):
    """Keeps what would be shown."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@pytest.fixture
def notices():
    return Notices()


@pytest.fixture
def screen(notices):
    screen = Screen()
    screen.addFilter(notices)
    return screen


@pytest.fixture
def logger(screen):
    """Make a logger of which nothing else listens, as the command line does."""
    logger = logging.Logger("aam", logging.INFO)
    logger.addHandler(screen)
    return logger


def test_a_warning_is_dropped_when_its_message_and_arguments_were_given_before(logger, screen):
    for name in ("a", "a", "b"):
        logger.warning("No effect: %s.", name)
    logger.warning("No effect: a.")  # the same words of another message

    assert screen.lines == ["No effect: a.", "No effect: b.", "No effect: a."]


def test_progress_outside_a_place_is_shown_each_time(logger, screen):
    for _ in range(2):
        logger.info("Epoch done.")

    assert screen.lines == ["Epoch done."] * 2


def test_progress_within_a_place_is_left_out_and_warnings_name_the_place(logger, screen, notices):
    with notices.within("fold 3"):
        logger.info("Epoch done.")
        logger.warning("Left out %d samples.", 2)
    logger.info("All done.")

    assert screen.lines == ["Left out 2 samples. (fold 3)", "All done."]


def test_the_inner_place_is_named_and_the_outer_one_after_it(logger, screen, notices):
    with notices.within("all folds"):
        with notices.within("fold 1"):
            logger.warning("a")
        logger.warning("b")
    logger.warning("c")

    assert screen.lines == ["a (fold 1)", "b (all folds)", "c"]


def test_a_place_ends_with_its_block_even_if_that_fails(logger, screen, notices):
    with pytest.raises(ValueError, match="stop"), notices.within("fold 3"):
        raise ValueError("stop")
    logger.warning("a")

    assert screen.lines == ["a"]


def test_a_warning_given_before_is_dropped_within_a_place_too(logger, screen, notices):
    logger.warning("Without effect: %s.", "--lr")
    with notices.within("fold 1"):
        logger.warning("Without effect: %s.", "--lr")

    assert screen.lines == ["Without effect: --lr."]


@pytest.mark.parametrize("level", [logging.ERROR, logging.CRITICAL])
def test_errors_pass_unchanged_each_time(level, logger, screen, notices):
    logger.log(level, "Cannot write %s.", "f")
    with notices.within("fold 3"):
        logger.log(level, "Cannot write %s.", "f")

    assert screen.lines == ["Cannot write f."] * 2


def test_a_new_command_gives_its_warnings_again(logger, screen, notices):
    logger.warning("a")
    notices.forget()
    logger.warning("a")

    assert screen.lines == ["a", "a"]


def test_arguments_that_cannot_be_hashed_are_compared_by_what_they_hold(logger, screen):
    for names in (["a"], ["a"], ["b"]):
        logger.warning("Ignored: %s, %s.", names, 1)

    assert screen.lines == ["Ignored: ['a'], 1.", "Ignored: ['b'], 1."]

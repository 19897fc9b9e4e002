"""The cache: built once, checked when read, the least recently used goes first, and several processes agree."""

import multiprocessing
import os
import shutil
import time

import numpy as np
import pytest

from aam.errors import OutputError
from aam.storage.arrays import ArrayStore, ArrayWriter
from aam.storage.cache import Cache, default_directory, digest_of


def build(value, log=None):
    def write(directory):
        if log is not None:
            log.append(value)
        with ArrayWriter(directory) as writer:
            writer.append("array", np.full(1000, value))
            writer.finish({})

    return write


def read(directory):
    return int(ArrayStore(directory)["array"][0])


def test_an_entry_is_built_once(tmp_path):
    log = []

    values = [Cache(tmp_path).fetch("kind", "key", build(value, log), read) for value in (1, 2)]

    assert values == [1, 1]
    assert log == [1]


def test_a_damaged_entry_is_noticed_and_made_anew(tmp_path, caplog):
    cache, log = Cache(tmp_path), []
    cache.fetch("kind", "key", build(1, log), read)
    path = tmp_path / "kind/key/array.bin"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)

    with caplog.at_level("WARNING", logger="aam"):
        value = cache.fetch("kind", "key", build(2, log), read)

    assert value == 2
    assert log == [1, 2]
    assert "damaged entry of the cache is made anew" in caplog.text


def test_what_fails_while_it_is_built_leaves_nothing(tmp_path):
    def fail(directory):
        build(1)(directory)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).fetch("kind", "key", fail, read)

    assert Cache(tmp_path).entries() == []
    assert list((tmp_path / "unfinished").iterdir()) == []
    assert Cache(tmp_path).fetch("kind", "key", build(2), read) == 2


def test_what_killed_processes_left_is_deleted_after_a_day(tmp_path):
    cache = Cache(tmp_path)
    for name, age in (("old", 100_000), ("new", 10)):
        (tmp_path / "unfinished" / name).mkdir(parents=True)
        os.utime(tmp_path / "unfinished" / name, (time.time() - age,) * 2)

    cache.fetch("kind", "key", build(1), read)

    assert [path.name for path in (tmp_path / "unfinished").iterdir()] == ["new"]


def test_the_least_recently_used_goes_first_and_what_is_open_stays_readable(tmp_path):
    cache = Cache(tmp_path)
    for key in "abc":
        cache.fetch("kind", key, build(ord(key)), read)
        os.utime(tmp_path / "kind" / key / "used", (ord(key), ord(key)))
    opened = ArrayStore(tmp_path / "kind/b")
    cache.fetch("kind", "a", build(0), read)  # used again, so that b is the oldest

    removed = cache.shrink(limit_gb=20e3 / 1e9)

    assert [entry.key for entry in removed] == ["b"]
    assert [entry.key for entry in cache.entries()] == ["c", "a"]
    assert opened["array"][-1] == ord("b")


def test_a_limit_holds_for_those_who_come_later_but_keeps_what_is_asked_for(tmp_path):
    Cache(tmp_path).limit_gb = 1e-6

    for key in "ab":
        assert Cache(tmp_path).fetch("kind", key, build(7), read) == 7

    assert [entry.key for entry in Cache(tmp_path).entries()] == ["b"]


def _fetch(arguments):
    directory, log, value = arguments
    written = []
    found = Cache(directory).fetch("kind", "key", build(value, written), read)
    if written:
        (log / str(value)).touch()
    return found


@pytest.mark.multi_process
def test_processes_that_need_the_same_build_it_once(tmp_path):
    (tmp_path / "log").mkdir()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(_fetch, [(tmp_path / "cache", tmp_path / "log", value) for value in (1, 2, 3, 4)], chunksize=1)

    assert len(set(found)) == 1
    assert len(list((tmp_path / "log").iterdir())) == 1


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"cannot be written: .*--cache-dir\b"):
        Cache(tmp_path / "file")


@pytest.fixture
def read_only(tmp_path):
    """A cache with one entry whose locks cannot be made, as on a read-only disk; permissions do not bind the root user."""
    Cache(tmp_path).fetch("kind", "key", build(1), read)
    shutil.rmtree(tmp_path / "locks")
    (tmp_path / "locks").touch()
    return Cache(tmp_path)


def test_what_is_in_a_cache_that_cannot_be_written_is_read(read_only):
    assert read_only.fetch("kind", "key", build(2), read) == 1


def test_what_is_not_in_it_is_refused_in_one_message(read_only):
    with pytest.raises(OutputError, match=r"^The cache .* cannot be written: .*--cache-dir with another place\.$"):
        read_only.fetch("kind", "other", build(2), read)

    assert [entry.key for entry in read_only.entries()] == ["key"]


def test_or_built_for_this_call_alone_where_it_need_not_be_kept(read_only, caplog):
    assert read_only.fetch("kind", "other", build(2), read, is_kept=False) == 2

    assert "computed for this command alone" in caplog.text
    assert [entry.key for entry in read_only.entries()] == ["key"]


def test_a_damaged_entry_of_a_cache_that_cannot_be_written_is_refused(read_only, tmp_path):
    (tmp_path / "kind/key/array.bin").unlink()

    with pytest.raises(OutputError, match="cannot be written"):
        read_only.fetch("kind", "key", build(2), read)


def test_the_environment_names_the_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("AAM_CACHE_DIR", str(tmp_path / "x"))
    assert default_directory() == tmp_path / "x"
    monkeypatch.delenv("AAM_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "y"))
    assert default_directory() == tmp_path / "y/aam"


def test_a_digest_tells_contents_and_their_borders_apart(tmp_path):
    for name, content in (("one", "ab"), ("two", "c"), ("three", "a"), ("four", "bc")):
        (tmp_path / name).write_text(content)
    one, two, three, four = (tmp_path / name for name in ("one", "two", "three", "four"))

    digests = [digest_of(one, two), digest_of(three, four), digest_of(one), digest_of(one, None), digest_of("ab")]

    assert len(set(digests)) == 5
    assert digest_of(one, two) == digests[0]

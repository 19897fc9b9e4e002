"""What several tests of commands share."""

import json

import pytest

from aam.cli import main


@pytest.fixture
def inspect(tmp_path, capsys):
    """Run the command; give its exit code, text, message and JSON."""

    def run(*paths):
        capsys.readouterr()
        code = main(["inspect", *map(str, paths), "--output-dir", str(tmp_path / "report"), "--overwrite"])
        shown = capsys.readouterr()
        return code, shown.out, shown.err, json.loads((tmp_path / "report/inspect.json").read_text())

    return run

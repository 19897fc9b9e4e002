"""The page of what can go wrong is written from the tables of the tests, and tells nothing else."""

from collections import Counter

from helpers.kinds import AREAS, PAGE, ROOT, all_kinds, with_tables


def test_the_page_has_the_tables_of_the_tests():
    page = PAGE.read_text(encoding="utf-8")

    assert page == with_tables(page, all_kinds()), "PYTHONPATH=tests python -m helpers.kinds"


def test_every_area_has_kinds_and_none_is_told_twice():
    kinds = all_kinds()

    assert {kind.area for kind in kinds} == set(AREAS)
    assert max(Counter((kind.area, kind.name) for kind in kinds).values()) == 1
    assert all(kind.says and kind.to_do for kind in kinds)


def test_the_readme_names_the_page():
    assert "docs/what-can-go-wrong.md" in (ROOT / "README.md").read_text(encoding="utf-8")

"""Newick trees: the same as scikit-bio reads, fast, deep, and with errors that say where."""

import gzip
import io
import math
import sys
import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aam.errors import TreeError
from aam.io import newick_scan, text_file
from aam.io.newick import TreeArrays, read_newick, write_newick
from helpers.studies import real_study


def read(tmp_path, text):
    (tmp_path / "tree.nwk").write_text(text, encoding="utf-8")
    return read_newick(tmp_path / "tree.nwk")


def parents(tree: TreeArrays) -> np.ndarray:
    """Find the node above each: the next that is a level lower."""
    found, latest = [], {-1: -1}
    for node, level in reversed(list(enumerate(tree.level.tolist()))):
        latest[level] = node
        found.append(latest[level - 1])
    return np.array(found[::-1])


def names(tree: TreeArrays) -> list[str | None]:
    """Name each node: None for inner ones."""
    tips = iter(tree.names)
    return [next(tips) if is_tip else None for is_tip in tree.is_tip]


def branches(tree: TreeArrays) -> Counter:
    """Count the branches by the tips below them and their length."""
    below: list[list[str]] = [[] for _ in tree.level]
    for node, (above, name) in enumerate(zip(parents(tree).tolist(), names(tree), strict=True)):
        if not below[node]:
            below[node].append(str(name))
        if above >= 0:
            below[above].extend(below[node])
    lengths = (None if math.isnan(length) else length for length in tree.length.tolist())
    return Counter((tuple(sorted(tips)), length) for tips, length in zip(below, lengths, strict=True))


def branches_by_scikit_bio(source) -> Counter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import skbio

        tree = skbio.TreeNode.read(source, format="newick", convert_underscores=False)
    below: dict[int, tuple] = {}
    for node in tree.postorder(include_self=True):
        tips = [node.name] if node.is_tip() else [tip for child in node.children for tip in below[id(child)]]
        below[id(node)] = tuple(sorted(tips))
    return Counter((below[id(node)], node.length) for node in tree.postorder(include_self=True))


def test_nodes_are_in_post_order(tmp_path):
    tree = read(tmp_path, "((a:1,b:2)0.9:3,c:4.5e-1)root;")

    assert list(tree.names) == ["a", "b", "c"]
    assert tree.is_tip.tolist() == [True, True, False, True, False]
    assert tree.level.tolist() == [2, 2, 1, 1, 0]
    np.testing.assert_array_equal(tree.length, [1, 2, 3, 0.45, np.nan])


@pytest.mark.parametrize("name", ["moving_pictures", "ecam_infant"])
def test_a_real_tree_equals_what_scikit_bio_reads(name):
    path = real_study(name) / "tree.nwk"

    assert branches(read_newick(path)) == branches_by_scikit_bio(str(path))


@pytest.mark.parametrize("name", ["cfs", "crc_udca", "ecam_infant", "ibd_2538", "moving_pictures", "pretrain_v4_100nt"])
def test_the_trees_of_all_real_studies_are_rooted(name):
    tree = read_newick(real_study(name) / "tree.nwk")

    assert (tree.level == 1).sum() == 2


NUMBERS = st.floats(0, 1e6).map(repr) | st.sampled_from(["1", "0", "2.", ".5", "1E-3", "+4e+2"])
SPACE = st.sampled_from(["", " ", "\n", "[note, (x)]"])


@st.composite
def newick_texts(draw):
    """Make trees with quoted and plain names, missing lengths, inner names, spaces and comments."""
    n_tips = 0

    def node(depth):
        nonlocal n_tips
        n_children = 2 if depth == 0 else draw(st.integers(0, 3)) if depth < 4 else 0
        text = "(" + ",".join(node(depth + 1) for _ in range(n_children)) + ")" if n_children else ""
        name = draw(st.text("aB_.|é-7", max_size=3))
        if not n_children:
            n_tips += 1
            name = f"{name}_{n_tips}"
        if draw(st.booleans()) and name:
            name = f"'{name}{draw(st.sampled_from(['', ' x', ' (y', ';:,', '[z', chr(39) * 2 + 'q']))}'"
        length = ":" + draw(NUMBERS) if draw(st.booleans()) else ""
        return draw(SPACE) + text + name + draw(SPACE) + length + draw(SPACE)

    return node(0) + ";\n"


@settings(deadline=None)
@given(newick_texts())
def test_any_tree_equals_what_scikit_bio_reads_and_survives_a_round_trip(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("trees")

    (folder / "tree.nwk").write_text(text, encoding="utf-8")
    tree = read_newick(folder / "tree.nwk", needs_root=False)
    write_newick(folder / "again.nwk", parents(tree), tree.length, names(tree))
    again = read_newick(folder / "again.nwk", needs_root=False)

    assert branches(tree) == branches_by_scikit_bio(io.StringIO(text))
    assert again.level.tolist() == tree.level.tolist()
    assert names(again) == names(tree)
    np.testing.assert_array_equal(again.length, tree.length)


def test_comments_white_space_quotes_and_underscores(tmp_path):
    tree = read(tmp_path, "[&R]\n( 'it''s (a) name' : 1e-2 [x;y],\n\tk__A_b\t:.5 ) '' ; \n")

    assert list(tree.names) == ["it's (a) name", "k__A_b"]
    np.testing.assert_array_equal(tree.length, [0.01, 0.5, np.nan])


def test_gzip_is_noticed_by_its_content(tmp_path):
    (tmp_path / "tree.nwk").write_bytes(gzip.compress(b"(a,b);"))

    assert list(read_newick(tmp_path / "tree.nwk").names) == ["a", "b"]


def test_names_are_quoted_when_needed_and_only_then(tmp_path):
    names = ["k__A_b|1.5", "it's (a)", "", None, "root node"]

    write_newick(tmp_path / "tree.nwk", np.array([2, 2, 4, 4, -1]), np.array([1, 0.1, np.nan, 1e-9, np.nan]), names)

    assert (tmp_path / "tree.nwk").read_text() == "((k__A_b|1.5:1.0,'it''s (a)':0.1),:1e-09)'root node';\n"


@pytest.mark.parametrize("parent", [[3, 4, 3, 4, -1], [-1, 0, 0, 0, 0]])
def test_arrays_in_another_order_are_not_written(tmp_path, parent):
    with pytest.raises(AssertionError, match="post-order"):
        write_newick(tmp_path / "tree.nwk", np.array(parent), np.ones(5), ["a", "b", "c", None, None])


def test_a_caterpillar_of_200_000_tips_reads_and_writes_without_recursion(tmp_path):
    n = 200_000
    text = "(" * (n - 1) + "t0" + "".join(f":1,t{i}:2)" for i in range(1, n)) + ";"

    tree = read(tmp_path, text)
    write_newick(tmp_path / "again.nwk", parents(tree), tree.length, names(tree))

    assert len(tree.level) == 2 * n - 1
    assert tree.level.max() == n - 1
    assert read_newick(tmp_path / "again.nwk").level.tolist() == tree.level.tolist()


def balanced(n_tips):
    nodes = [f"{'ACGT' * 25}{i}:0.{i}" for i in range(n_tips)]
    while len(nodes) > 1:
        nodes = [f"({','.join(nodes[i : i + 2])})0.95:0.125" for i in range(0, len(nodes), 2)]
    return nodes[0] + ";"


def test_the_calls_of_functions_grow_no_faster_than_the_tips(tmp_path):
    """Calls, which are the same on every machine, stand for the time that a large tree takes; seconds are for benchmarks."""
    calls = {}
    for n_tips in (1 << 8, 1 << 14):
        n_calls = 0

        def count(frame, event, argument):
            nonlocal n_calls
            n_calls += event in ("call", "c_call")

        text = balanced(n_tips)
        sys.setprofile(count)
        try:
            tree = read(tmp_path, text)
        finally:
            sys.setprofile(None)
        calls[n_tips] = n_calls
        assert sum(name.startswith("ACGT") for name in tree.names) == n_tips

    assert calls[1 << 14] <= 64 * calls[1 << 8], calls


MALFORMED = [
    ("", "is empty"),
    (" \n", "is empty"),
    ("((a,b);", r"character 1: .*'\(' .*closed"),
    ("((a,b),(c,d)", r"character 1: .*'\(' .*closed"),
    ("(a,b));", r"character 6: .*'\)' closes"),
    ("(a,b),c;", "character 6: .*',' .*outside"),
    ("(a,b)", "does not end with ';'"),
    ("(a,b);(c,d);", "character 7: text .*';' .*more than one tree"),
    ("(a:1.2.3,b);", r"character 4: .*'1\.2\.3'"),
    ("(a:nan,b);", "character 4: .*'nan'"),
    ("(a:1_0,b);", "character 4: .*'1_0'"),
    ("(a:,b);", "character 4: .*':' is missing"),
    ("(a:1:2,b);", "character 5: .*two lengths"),
    ("(a:1 2,b);", "character 6: '2' follows"),
    ("(a b,c);", "character 4: 'b' follows .*quotes"),
    ("(a(b,c));", r"character 3: '\(' .*comma"),
    ("('a,b);", "character 2: ' has no partner"),
    ("(a],b);", "character 3: ] has no partner"),
    ("(a[x,b);", r"character 3: .*'\[' .*not closed"),
    ("((A:0,25,B:1,5):0,3,C:2,1);", "comma: 0,25 .*'25'"),
    ("((a:0.1,b:0.2):0,3,c:0.5);", "comma: 0,3 "),
    ("(a:-1,(b,c)x:-0.5);", r"\b2 branches of --tree .*negative .*: 'a', '\(inner node\)'"),
    ("(a:1e999,b);", r"\b1 branches of --tree .*1e\+100: 'a'"),
    ("(a:1e308,(b:1e101,c:1):1);", r"\b2 branches of --tree .*1e\+100: 'a', 'b'"),
    ("((a,a),(b,(b,c)));", r"\b2 names of tips .*: 'a', 'b'"),
    (
        "(a:1,b:1,c:1);",
        r"\b3 branches .*--root midpoint, ",
    ),
    ("(a:1,(b:1,c:1):1,d:1,e:1)root;", "is unrooted: 4 branches"),
    ("(a:x,b;", "character 4: .*'x'"),
    ("(a:x b(;", "character 4: .*'x'"),
    ("(a:'1',b);", "character 4: the length \"'1'\" is not a number"),
    ("(a:1(b,c));", r"character 5: '\(' .*comma"),
    ("(a:(b,c));", r"character 4: '\(' .*comma"),
    ("((a,b)(c,d));", r"character 7: '\(' .*comma"),
    ("((a,b)x y,c);", "character 9: 'y' follows"),
    ("('a'b,c);", "character 5: 'b' follows"),
    ("(a[note]b,c);", "character 9: 'b' follows"),
    ("(a,b); c", "character 8: text .*';'"),
    ("(a,b);;", "character 7: text .*';'"),
    ("((a,b", r"character 2: .*'\(' .*closed"),
    ("((a,(b,c):1;", r"character 2: .*'\(' .*closed"),
    ("a b", "character 3: 'b' follows"),
    ("abc", "does not end with ';'"),
    (",a;", "character 1: .*',' .*outside"),
    ("(é,ü b);", "character 6: 'b' follows"),
    ("(a);", "fewer than two tips"),
    ("a;", "fewer than two tips"),
    (";", "fewer than two tips"),
    ("((a,),b);", r"\b1 of 3 tips of --tree .*no name"),
]


@pytest.mark.parametrize("n_bytes", [1, 3, 2**18])
@pytest.mark.parametrize(("text", "message"), MALFORMED)
def test_malformed_trees_are_refused_wherever_blocks_of_the_text_end(tmp_path, monkeypatch, text, message, n_bytes):
    monkeypatch.setattr(text_file, "_BYTES_PER_BLOCK", n_bytes)
    monkeypatch.setattr(newick_scan, "_BLOCK", n_bytes)

    with pytest.raises(TreeError, match=message):
        read(tmp_path, text)


@settings(deadline=None)
@given(newick_texts(), st.integers(1, 9))
def test_a_text_in_blocks_is_the_same_tree(text, n_bytes):
    content = text.encode()
    whole = list(newick_scan.scan([content]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newick_scan, "_BLOCK", n_bytes)
        parts = list(newick_scan.scan(content[i : i + n_bytes] for i in range(0, len(content), n_bytes)))

    for name in ("level", "length", "is_tip"):
        joined, expected = (np.concatenate([getattr(nodes, name) for nodes in of]) for of in (parts, whole))
        np.testing.assert_array_equal(joined, expected)
    assert [name for nodes in parts for name in nodes.names] == [name for nodes in whole for name in nodes.names]


def test_a_missing_tree_is_refused(tmp_path):
    with pytest.raises(TreeError, match=r"--tree .*does not exist"):
        read_newick(tmp_path / "tree.nwk")

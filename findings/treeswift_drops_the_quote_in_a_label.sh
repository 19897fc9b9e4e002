#!/bin/sh
# treeswift 1.1.51: a Newick label with an apostrophe loses it, so that the tip no longer has the name of the table.
#
# Guess: 'it''s' is the label it's, as the Newick format says (two quotes within quotes are one), and as DendroPy and Biopython read it.
# Seen: the label is "its", without a word, and the tree is written with the name its. Colons, commas, parentheses and spaces in
# quotes are read and written as they should be. A feature "5'-end" or "O'Neil_12" then matches no row of its table.
# Exit 0 while this is so, 1 once it differs.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "treeswift==1.1.51" "DendroPy==5.1.3" "biopython==1.88"
cat > "$work/read.py" <<'PY'
import io

import dendropy
import treeswift
from Bio import Phylo

text = "('it''s':1,'k:x':2);"
tree = treeswift.read_tree_newick(text)
found = sorted(leaf.label for leaf in tree.traverse_leaves())
dendro = dendropy.Tree.get(data=text, schema="newick")
others = [
    sorted(leaf.taxon.label for leaf in dendro.leaf_node_iter()),
    sorted(leaf.name for leaf in Phylo.read(io.StringIO(text), "newick").get_terminals()),
]
print("treeswift:", found, "written as", tree.newick())
print("DendroPy, Biopython:", *others)
raise SystemExit(0 if found == ["its", "k:x"] and others == [["it's", "k:x"]] * 2 else 1)
PY
"$work/venv/bin/python" "$work/read.py"

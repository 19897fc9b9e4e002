#!/bin/sh
# scikit-bio 0.7.4: TreeNode.root_at_midpoint, on a tree read from Newick, leaves support labels on the wrong branches.
#
# Guess: a label such as 80 is the support of a branch, so that after rooting it still divides the same tips from the rest.
# Seen: labels of inner nodes are read as names, and names stay with nodes. Of ((a,b)90,(c,d)80,e) with a long branch to d, 80
# is the support of {c,d} against {a,b,e}; after rooting the node that is called 80 holds the tips a, b, c, e, that is, the
# trivial branch of d, and the branch of {a,b,e} has no label. No warning. After TreeNode.assign_supports() the supports move
# rightly, and nothing asks for it. Why labels must move: Czech, Huerta-Cepas & Stamatakis 2017, doi:10.1093/molbev/msx055.
# Exit 0 while this is so, 1 once it differs.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "scikit-bio==0.7.4"
"$work/venv/bin/python" - <<'P'
import sys
from io import StringIO
from skbio import TreeNode

def tips_of(tree, label):
    return next((sorted(tip.name for tip in node.tips()) for node in tree.traverse() if not node.is_tip() and label(node)), None)

newick = "((a:1,b:1)90:1,(c:1,d:5)80:1,e:1);"
as_read = TreeNode.read(StringIO(newick)).root_at_midpoint()
assigned = TreeNode.read(StringIO(newick))
assigned.assign_supports()
assigned = assigned.root_at_midpoint()
seen = tips_of(as_read, lambda node: node.name == "80"), tips_of(assigned, lambda node: node.support == 80)
print("80 as it is read divides off:", seen[0], "| after assign_supports:", seen[1])
sys.exit(seen != (["a", "b", "c", "e"], ["a", "b", "e"]))
P

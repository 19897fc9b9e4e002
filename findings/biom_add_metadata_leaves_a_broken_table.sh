#!/bin/sh
# biom-format 2.1.18: `biom add-metadata` fails on a mapping file that lacks one sample, and leaves a file that looks like a table.
#
# Guess: the sample without a row gets no metadata, as with --output-as-json; or the command refuses and writes nothing.
# Seen: exit code 1 with ValueError "S2 has inconsistent metadata categories with S1", after the output has been begun: 22 kB
# of HDF5 are there, without the ids of the samples. A script that goes on meets a KeyError in the next command (`biom
# summarize-table`), which names neither the cause nor the sample. With --output-as-json the same call works.
# Exit 0 while this is so, 1 once it differs.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "biom-format==2.1.18" "h5py==3.16.0"
cd "$work"
biom=$work/venv/bin/biom
printf '#OTU ID\tS1\tS2\nF1\t1\t2\nF2\t0\t3\n' > t.tsv
printf '#SampleID\ttreatment\nS1\ta\n' > mapping.tsv
"$biom" convert -i t.tsv -o t.biom --to-hdf5 --table-type "OTU table"
code=0; "$biom" add-metadata -i t.biom -o out.biom -m mapping.tsv > log 2>&1 || code=$?
tail -3 log
echo "exit code $code; left behind:"; ls -l out.biom
next=0; "$biom" summarize-table -i out.biom > next.log 2>&1 || next=$?
tail -1 next.log
json=0; "$biom" add-metadata -i t.biom -o out.json -m mapping.tsv --output-as-json > /dev/null 2>&1 || json=$?
echo "as JSON: exit code $json"
[ "$code" = 1 ] && [ -s out.biom ] && [ "$next" = 1 ] && grep -q KeyError next.log && [ "$json" = 0 ]

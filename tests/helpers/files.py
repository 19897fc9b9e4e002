"""Valid files of every format that aam reads, all of one small study, for tests and the fuzzing script."""

import gzip
import hashlib
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
from scipy.sparse import csr_array

UUID = "3a0bc8cf-afb4-447a-a144-f49cedcaa1fc"
SAMPLES = ["10317.000001", "S2", "S3"]
FEATURES = ["F1", "F2", "F3", "F4"]
COUNTS = np.array([[0, 2, 5, 1], [1, 0, 0, 0], [3, 0, 12, 7]])
FASTA = ">F1\nACGTACGTAC\n>F2 a note\nACGTT\nCGTAA\n>F3\nGGGTACGTAC\n>F4\nACGTACGTTT\n"
TREE = "((F1:0.1,F2:0.2)0.95:0.3,('F3':0.5,F4:1e-2):0.25)root;\n"
METADATA = "sample-id\tage\tsite\n#q2:types\tnumeric\tcategorical\n10317.000001\t3\tgut\nS2\t4.5\t\nS3\t\ttongue\n"
TAXONOMY = "Feature ID\tTaxon\tConfidence\n" + "".join(
    f"F{i}\td__Bacteria; p__Firmicutes; c__\t0.9{i}\n" for i in range(1, 5)
)
DISTANCES = "\t10317.000001\tS2\tS3\n10317.000001\t0.0\t0.25\t1.0\nS2\t0.25\t0.0\t0.5\nS3\t1.0\t0.5\t0.0\n"
ALPHA = "\tshannon_entropy\n10317.000001\t1.5\nS2\t0.0\nS3\t1.25\n"


def hdf5_table(path, values=COUNTS, samples=SAMPLES, features=FEATURES, dtype="float64") -> Path:
    """Write the datasets of BIOM 2.1 that matter, sample-major."""
    matrix = csr_array(np.array(values, dtype=dtype).reshape(len(samples), len(features)))
    with h5py.File(path, "w") as file:
        file["sample/ids"] = np.array([name.encode() for name in samples], dtype=h5py.string_dtype())
        file["observation/ids"] = np.array([name.encode() for name in features], dtype=h5py.string_dtype())
        for part in ("data", "indices", "indptr"):
            file[f"sample/matrix/{part}"] = getattr(matrix, part)
    return path


def json_table(values=COUNTS, samples=SAMPLES, features=FEATURES, matrix_type="sparse", **changes) -> str:
    """Make a BIOM 1.0 table."""
    by_feature = np.array(values).T
    data = by_feature.tolist()
    if matrix_type == "sparse":
        data = [[int(r), int(c), by_feature[r, c].item()] for r, c in np.argwhere(by_feature != 0)]
    content = {
        "id": None, "format": "Biological Observation Matrix 1.0.0", "format_url": "http://biom-format.org",
        "type": "OTU table", "generated_by": "test", "date": "2026-11-24T00:00:00",
        "matrix_type": matrix_type, "matrix_element_type": "int", "shape": [len(features), len(samples)],
        "rows": [{"id": name, "metadata": None} for name in features],
        "columns": [{"id": name, "metadata": None} for name in samples],
        "data": data,
    }  # fmt: skip
    return json.dumps(content | changes)


def classic_table(values=COUNTS, samples=SAMPLES, features=FEATURES, has_taxonomy=False) -> str:
    """Make a table as ``biom convert --to-tsv`` does."""
    end = ["taxonomy"] if has_taxonomy else []
    lines = ["# Constructed from biom file", "\t".join(["#OTU ID", *samples, *end])]
    for name, row in zip(features, np.array(values).T.tolist(), strict=True):
        lines.append("\t".join([name, *map(str, map(float, row)), *(["k__Bacteria; p__"] if end else [])]))
    return "\n".join(lines) + "\n"


def artifact(path, semantic_type, file_format, files, archive=5, changes=None, uuid=UUID) -> Path:
    """Write an artifact as QIIME 2 does; changes replace its files, or take them away where they are None."""
    content = {f"data/{name}": data.encode() if isinstance(data, str) else data for name, data in files.items()}
    content["VERSION"] = f"QIIME 2\narchive: {archive}\nframework: 2023.7.0\n".encode()
    content["metadata.yaml"] = f"uuid: {uuid}\ntype: {semantic_type}\nformat: {file_format}\n".encode()
    content["provenance/VERSION"] = content["VERSION"]
    sums = "".join(f"{hashlib.md5(data).hexdigest()}  {name}\n" for name, data in content.items())
    if archive >= 5:
        content["checksums.md5"] = sums.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in (content | (changes or {})).items():
            if data is not None:
                file.writestr(f"{UUID}/{name}", data)
    return path


def table_artifact(path, content, **options) -> Path:
    return artifact(path, "FeatureTable[Frequency]", "BIOMV210DirFmt", {"feature-table.biom": content}, **options)


def tree_artifact(path, content=TREE, **options) -> Path:
    return artifact(path, "Phylogeny[Rooted]", "NewickDirectoryFormat", {"tree.nwk": content}, **options)


def valid_files(folder: Path) -> dict[str, dict[str, Path]]:
    """Write the study in every format: option → format → path."""
    hdf5 = hdf5_table(folder / "table.biom").read_bytes()
    texts = {
        "--table": {"sparse.json": json_table(), "dense.json": json_table(matrix_type="dense"), "table.tsv": classic_table(),
                    "taxa.tsv": classic_table(has_taxonomy=True)},
        "--sequences": {"sequences.fasta": FASTA},
        "--tree": {"tree.nwk": TREE},
        "--metadata": {"metadata.tsv": METADATA},
        "--distances": {"distances.tsv": DISTANCES, "distances.csv": DISTANCES.replace("\t", ",")},
        "--taxonomy": {"taxonomy.tsv": TAXONOMY},
    }  # fmt: skip
    files: dict[str, dict[str, Path]] = {option: {} for option in texts}
    for option, named in texts.items():
        for name, text in named.items():
            (folder / name).write_text(text)
            (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
            files[option] |= {name: folder / name, f"{name}.gz": folder / f"{name}.gz"}
    files["--table"]["table.biom"] = folder / "table.biom"
    np.save(
        folder / "distances.npy", np.array([row.split("\t")[1:] for row in DISTANCES.splitlines()[1:]], dtype=float)
    )
    (folder / "distances.ids").write_text("\n".join(SAMPLES))
    with h5py.File(folder / "distances.h5", "w") as file:
        file["order"] = np.array([name.encode() for name in SAMPLES])
        file["matrix"] = np.load(folder / "distances.npy")
    files["--distances"] |= {name: folder / name for name in ("distances.npy", "distances.h5")}
    made = {
        "--table": table_artifact(folder / "table.qza", hdf5),
        "--tree": tree_artifact(folder / "tree.qza"),
        "--sequences": artifact(folder / "sequences.qza", "FeatureData[Sequence]", "DNASequencesDirectoryFormat",
                                {"dna-sequences.fasta": FASTA}),
        "--metadata": artifact(folder / "metadata.qza", "ImmutableMetadata", "ImmutableMetadataDirectoryFormat",
                               {"metadata.tsv": METADATA}),
        "--distances": artifact(folder / "distances.qza", "DistanceMatrix", "DistanceMatrixDirectoryFormat",
                                {"distance-matrix.tsv": DISTANCES}),
        "--taxonomy": artifact(folder / "taxonomy.qza", "FeatureData[Taxonomy]", "TSVTaxonomyDirectoryFormat",
                               {"taxonomy.tsv": TAXONOMY}),
    }  # fmt: skip
    for option, path in made.items():
        files[option][path.name] = path
    return files

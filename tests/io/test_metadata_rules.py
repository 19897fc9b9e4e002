"""The rules of QIIME 2's metadata, one by one: we rely on scikit-bio for them, and notice here if it changes."""

import numpy as np
import pytest

from aam.errors import MetadataError
from aam.io.metadata import read_metadata


def read(folder, text):
    (folder / "metadata.tsv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_metadata(folder / "metadata.tsv")


CASE_INSENSITIVE = ["id", "sampleid", "sample id", "sample-id", "featureid", "feature id", "feature-id"]
EVERY_CASE = [change(name) for name in CASE_INSENSITIVE for change in (str.lower, str.upper, str.title)]
EXACT = ["#SampleID", "#Sample ID", "#OTUID", "#OTU ID", "sample_name"]


@pytest.mark.parametrize(
    "header", [*CASE_INSENSITIVE, *map(str.upper, CASE_INSENSITIVE), *map(str.title, CASE_INSENSITIVE), *EXACT]
)
def test_every_header_of_ids_is_known(tmp_path, header):
    metadata = read(tmp_path, f"{header}\tage\nS1\t3\n")

    assert metadata.sample_ids == ["S1"]
    assert metadata.frame.index.name == "sample-id"


@pytest.mark.parametrize("header", ["#sampleid", "Sample_Name", "name", "#id", "samples"])
def test_other_headers_are_refused(tmp_path, header):
    with pytest.raises(MetadataError, match=r"not a name for sample ids|Failed to locate header|unrecognized"):
        read(tmp_path, f"{header}\tage\nS1\t3\n")


def test_ids_stay_text_whatever_they_look_like(tmp_path):
    ids = ["10317.000001", "10317.10", "1e3", "007", "1_0", "NaN", "None", "True", "2008-10-28", "é ü"]

    metadata = read(tmp_path, "sample-id\ta\n" + "".join(f"{name}\t1\n" for name in ids))

    assert metadata.sample_ids == ids
    assert all(type(name) is str for name in metadata.sample_ids)


def test_numbers_are_categories_where_the_file_says_so(tmp_path):
    metadata = read(
        tmp_path, "id\tcode\tplate\tage\n#q2:types\tCategorical\tcategorical\tNUMERIC\nS1\t007\t1.0\t1e1\nS2\t7\t1\t\n"
    )

    assert metadata.column("code").tolist() == ["007", "7"]
    assert metadata.column("plate").tolist() == ["1.0", "1"]
    assert metadata.column("age").iloc[0] == 10
    assert np.isnan(metadata.column("age").iloc[1])


def test_types_are_inferred_where_the_file_is_silent(tmp_path):
    text = "id\tnumber\tmixed\tword\tempty\n#q2:types\t\t\t\t\nS1\t-1.5e-3\t3\tgut\t\nS2\t+.5\tgut\t\t\n"

    metadata = read(tmp_path, text)

    assert [metadata.is_numeric(name) for name in ("number", "mixed", "word", "empty")] == [True, False, False, True]


@pytest.mark.parametrize("word", ["nan", "NA", "N/A", "None", "null", "inf", "missing"])
def test_words_for_missing_values_are_categories_without_a_scheme(tmp_path, word):
    column = read(tmp_path, f"id\ta\nS1\t{word}\nS2\tx\n").column("a")

    assert column.tolist() == [word, "x"]


@pytest.mark.parametrize("term", ["not applicable", "missing", "not collected", "not provided", "restricted access"])
def test_the_terms_of_insdc_are_missing_values_under_their_scheme(tmp_path, term):
    directives = "#q2:types\tcategorical\tnumeric\n#q2:missing\tINSDC:missing\tINSDC:missing\n"
    text = f"id\tsite\tage\n{directives}S1\t{term}\t{term}\nS2\tgut\t3\n"

    metadata = read(tmp_path, text)

    assert metadata.column("site").isna().tolist() == [True, False]
    assert metadata.column("age").isna().tolist() == [True, False]
    assert metadata.is_numeric("age")


def test_a_numeric_column_with_terms_of_insdc_needs_no_type(tmp_path):
    metadata = read(tmp_path, "id\tage\n#q2:missing\tINSDC:missing\nS1\tnot collected\nS2\t3\n")

    assert metadata.is_numeric("age")


def test_empty_cells_are_missing_values_under_the_scheme_blank(tmp_path):
    metadata = read(tmp_path, "id\ta\tb\n#q2:missing\tblank\tblank\nS1\t\t3\nS2\tmissing\t\n")

    assert metadata.column("a").isna().tolist() == [True, False]
    assert metadata.column("b").isna().tolist() == [False, True]


def test_the_scheme_no_missing_refuses_empty_cells(tmp_path):
    with pytest.raises(MetadataError, match=r"Missing values are not allowed in series/column .*'a'.* 'no-missing'"):
        read(tmp_path, "id\ta\n#q2:missing\tno-missing\nS1\t\nS2\tx\n")


def test_directives_may_stand_in_either_order_and_be_those_of_scikit_bio(tmp_path):
    metadata = read(tmp_path, "id\ta\n#sk:missing\tblank\n#sk:types\tcategorical\nS1\t3\n")

    assert not metadata.is_numeric("a")


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("#q2:types\tordinal", "unrecognized column type 'ordinal'"),
        ("#q2:missing\tINSDC", "unrecognized missing value scheme 'INSDC'"),
        ("#q2:colour\tred", "Unrecognized directive '#q2:colour'"),
        ("#q2:types\tnumeric\n#q2:types\tnumeric", "duplicate directive '#q2:types'"),
        ("S0\t1\n#q2:types\tnumeric", "Found directive '#q2:types' outside of the directives section"),
    ],
)
def test_directives_that_cannot_be_followed_are_refused(tmp_path, directive, message):
    with pytest.raises(MetadataError, match=message):
        read(tmp_path, f"id\ta\n{directive}\nS1\t1\n")


def test_comments_empty_lines_marks_line_ends_and_white_space_do_not_matter(tmp_path):
    plain = read(tmp_path, "id\tsite\tage\nS1\tgut\t3\nS2\ttongue\t4\n").frame
    lines = [
        "\ufeff# made by hand\t\t",
        "\t\t",
        " id \t site\tage \t\t",
        "# a note",
        "  S1\tgut \t 3",
        "",
        "S2\ttongue\t4",
    ]
    decorated = "\r\n".join(lines)

    assert read(tmp_path, decorated).frame.equals(plain)


def test_old_line_ends_are_read(tmp_path):
    assert read(tmp_path, "id\ta\rS1\t3\rS2\t4\r").sample_ids == ["S1", "S2"]


def test_short_rows_are_filled_up(tmp_path):
    assert read(tmp_path, "id\ta\tb\nS1\t3\nS2\n").frame.isna().to_numpy().tolist() == [[False, True], [True, True]]


def test_quoted_cells_may_hold_tabs_and_line_ends(tmp_path):
    assert read(tmp_path, 'id\ta\nS1\t"one\ttwo\nthree"\n').column("a").tolist() == ["one\ttwo\nthree"]


def test_the_single_column_of_alpha_diversity_needs_no_name_for_its_ids(tmp_path):
    metadata = read(tmp_path, "\tfaith_pd\nS1\t3.5\n")

    assert metadata.column("faith_pd").tolist() == [3.5]


def test_a_matrix_of_distances_is_no_metadata(tmp_path):
    with pytest.raises(MetadataError, match=r"matrix .*--distances.* first column .*''"):
        read(tmp_path, "\tS1\tS2\nS1\t0\t1\nS2\t1\t0\n")

"""Name binary files of R, spreadsheets and packers, which aam does not read, and say how to convert them."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from pathlib import Path

_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ"

_OPENERS = {_GZIP: gzip.open, _BZIP2: bz2.open, _XZ: lzma.open}

_SAVED = (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n", b"RDB2\n", b"RDB3\n")  # of save(), whatever its encoding

_SERIALIZED = (b"X\n\0\0\0\2", b"X\n\0\0\0\3", b"A\n2\n", b"A\n3\n", b"B\n\2\0\0\0", b"B\n\3\0\0\0")  # of saveRDS()

_HEAD = 16

_SHEET = "Save the sheet as 'Text (tab delimited)' or CSV, and pass that."

_IN_ZIP = {
    "xl/workbook": f"is an Excel workbook (.xlsx). {_SHEET}",
    "word/document": "is a document of Word (.docx). Pass the data as text with tabs.",
    "Index/": f"is a spreadsheet of Numbers. {_SHEET}",
}
"""Descriptions of zip archives by the beginning of the name of a file in them."""

_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument"

_MAGIC = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"is an Excel workbook (.xls). {_SHEET}",
    b"PAR1": "is a Parquet file. Write it as text with tabs, as to_csv(sep='\\t') of pandas does.",
    b"$FL2": "is a file of SPSS. Write it as text with tabs.",
    b"%PDF-": "is a PDF document. Pass the data as text with tabs.",
    b"(\xb5/\xfd": "is packed by zstd. Unpack it with unzstd and pass the result.",
    b"7z\xbc\xaf\x27\x1c": "is an archive of 7-Zip. Unpack it and pass the file inside.",
}

_UNPACK = {_BZIP2: ("bzip2", "bunzip2"), _XZ: ("xz", "unxz")}

_TEXT = "write.table(as.matrix(x), 'x.tsv', sep = '\\t', quote = FALSE, col.names = NA)"

_WRITE = {
    "--tree": "ape::write.tree(x, 'tree.nwk')",
    "--sequences": "Biostrings::writeXStringSet(x, 'sequences.fasta')",
    "--metadata": "write.table(data.frame(x), 'x.tsv', sep = '\\t', quote = FALSE, col.names = NA)",
}
"""What writes an object of R as text, by the option that takes the text; otherwise it is a matrix."""


def describe_binary(path: Path, head: bytes, option: str) -> str | None:
    """Say what a file is and how to convert it, if it is in a binary format of other programs.

    Parameters
    ----------
    path
        The file.
    head
        Its first bytes.
    option
        Option that names the file, on which the advice depends.

    Returns
    -------
    The end of a sentence that begins with the name of the file, and the advice; None for all other files.
    """
    for magic, description in _MAGIC.items():
        if head.startswith(magic):
            return description
    if head.startswith(b"PK"):
        return _describe_zip(path)
    packer = next((magic for magic in _OPENERS if head.startswith(magic)), None)
    content = head if packer is None else _unpacked(path, packer)
    if content.startswith((*_SAVED, *_SERIALIZED)):
        return _describe_r(path, content, option)
    if packer in _UNPACK:
        program, command = _UNPACK[packer]
        return f"is packed by {program}. Unpack it with {command} and pass the result."
    return None


def _describe_r(path: Path, content: bytes, option: str) -> str:
    write = _WRITE.get(option, _TEXT)
    if content.startswith(_SAVED):
        return f"is data of R (save, .RData). In R, write what is in it as text: load('{path.name}'); {write} of each object x."
    of_phyloseq = "" if option in _WRITE else " Of phyloseq, take x <- as(otu_table(x), 'matrix') first."
    return f"is data of R (saveRDS, .rds). In R, write it as text: x <- readRDS('{path.name}'); {write}.{of_phyloseq}"


def _unpacked(path: Path, packer: bytes) -> bytes:
    """Return the first bytes of the content of a packed file; nothing if it is damaged, which its reader reports."""
    try:
        with _OPENERS[packer](path, "rb") as file:
            return file.read(_HEAD)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return b""


def _describe_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            first = archive.infolist()[0] if names else None
            if first is not None and first.filename == "mimetype" and first.file_size < 100:
                is_open_document = archive.read(first).startswith(_OPEN_DOCUMENT)
                return f"is a spreadsheet (.ods). {_SHEET}" if is_open_document else None
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, zlib.error, NotImplementedError, RuntimeError):
        return None  # damaged: its reader says how
    for begin, description in _IN_ZIP.items():
        if any(name.startswith(begin) for name in names):
            return description
    return None

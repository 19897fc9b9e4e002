"""The help of a command, printed from its config: short, of one topic, or of all options."""

import ast
import dataclasses
import inspect
import re
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from aam.config.arguments import did_you_mean
from aam.config.base import fields_as_written
from aam.config.options import (
    BRIEF_TITLES,
    ONE_OF,
    OPTIONS,
    OUTPUT,
    POSITIONAL,
    Brief,
    MoreText,
    ReadBy,
    Topic,
    condition_of,
    flag_of,
    marks_of,
    type_of,
)
from aam.errors import ConfigError

ALL = "all"
"""Topic of all options."""

MOST_SHOWN_WHOLE = 25
"""Options up to which a command's help shows every one with its whole text."""

MOST_PARAGRAPHS = 2
"""Paragraphs about the command that its short help shows."""

COLUMN = 24
"""Where the text of the short help begins."""

_CONFIG_FILE = (
    "YAML file of options, one 'flag: value' a line, such as the config.yaml of a run. Options on the command line go "
    "before those of a file, and of several files the last counts."
)


@dataclass(frozen=True)
class Option:
    """One option, as the help shows it.

    Attributes
    ----------
    spelled
        Flag and metavariable; of a switch in the short help, what changes it.
    in_full
        The same with both forms of a switch.
    text
        What it does; its first sentence stands alone.
    default
        As it is typed; nothing where the text says what happens without the option.
    remarks
        What limits its effect: ``network only``.
    condition
        What it needs, ``only with --schedule restarts``, if anything.
    topic, brief
        Where it stands.
    is_required
        Whether the command needs it.
    is_one_of
        Whether the command needs it or another option like that.
    """

    spelled: str
    in_full: str
    text: str
    default: str
    topic: Topic
    brief: Brief | None = None
    remarks: tuple[str, ...] = ()
    condition: str = ""
    is_required: bool = False
    is_one_of: bool = False

    @property
    def first_sentence(self) -> str:
        """The text up to its first full stop."""
        return self.text.partition(". ")[0].removesuffix(".") + "."


def help_of(command: str, config: type, topic: str | None = None, width: int = 80) -> str:
    """Return the help of a command, wrapped to a width.

    Parameters
    ----------
    command
        Name of the command.
    config
        The command's config.
    topic
        Name of a topic, or ``all``; None for what ``aam COMMAND --help`` shows.
    width
        Most characters of a line.

    Raises
    ------
    ConfigError
        The command has no such topic.
    """
    options = list(options_of(config, has_heads="head" in _names(config)))
    topics = sorted(dict.fromkeys(option.topic for option in options), key=lambda topic: topic == OUTPUT)  # the last
    if topic not in (None, ALL, *(existing.name for existing in topics)):
        names = ", ".join([ALL, *(existing.name for existing in topics)])
        hint = did_you_mean(topic, (existing.name for existing in topics))
        raise ConfigError(f"--help {topic}: there is no such topic{hint} Topics: {names}.")
    about = _paragraphs(config)
    if topic is None and len(options) > MOST_SHOWN_WHOLE:
        return _join(_opening(command, options, about[:MOST_PARAGRAPHS], width), *_brief(command, options, width),
                     _topics(command, topics, width), _examples(about, width))  # fmt: skip
    shown = [section for section in topics if topic in (None, ALL, section.name)]
    sections = [_section(section, options, width) for section in shown]
    if topic not in (None, ALL):
        return _join(*sections)
    return _join(_opening(command, options, about, width), *sections, _examples(about, width))


def _join(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def options_of(config: type, has_heads: bool = False) -> Iterator[Option]:
    """Yield the options of a config and of the configs in it, and ``--config``.

    Parameters
    ----------
    has_heads
        Whether the command may train a head that leaves options aside, which are marked.
    """
    yield from _options(config, has_heads, set(_names(config)))
    yield Option("--config PATH", "--config PATH", _CONFIG_FILE, "", OUTPUT, Brief("Output"))


def _options(config: type, has_heads: bool, names: set[str]) -> Iterator[Option]:
    for field in fields_as_written(config):
        if dataclasses.is_dataclass(field.type):
            yield from _options(field.type, has_heads, names)  # type: ignore[arg-type]
            continue
        marks, kind, definer = marks_of(field), type_of(field), _definer(config, field.name)
        flag, default = flag_of(field.name), field.default
        spelled, in_full = (flag if default is False else f"--no-{flag[2:]}", f"{flag}, --no-{flag[2:]}")
        if kind is not bool:
            spelled = in_full = "FILE ..." if field.name == POSITIONAL else f"{flag} {metavar(kind)}"
        topic = next((mark for mark in marks if isinstance(mark, Topic)), None)
        by_default = ReadBy(getattr(definer, "is_network_only", False) or getattr(config, "is_network_only", False))
        read_by = next((mark for mark in marks if isinstance(mark, ReadBy)), by_default)
        condition = condition_of(field)
        yield Option(
            spelled, in_full, _text(definer, field), _shown(default),
            topic or getattr(definer, "topic", None) or getattr(config, "topic", OPTIONS),
            next((mark for mark in marks if isinstance(mark, Brief)), None),
            ("network only",) if has_heads and read_by.is_network_only else (),
            f"only with {condition.needed}" if condition is not None and names & {name for name, _ in condition.needs} else "",
            is_required=default is dataclasses.MISSING, is_one_of=ONE_OF in marks,
        )  # fmt: skip


def _names(config: type) -> Iterator[str]:
    for field in dataclasses.fields(config):
        if dataclasses.is_dataclass(field.type):
            yield from _names(field.type)  # type: ignore[arg-type]
        else:
            yield field.name


def metavar(kind: Any) -> str:
    """Return what the help writes for a value of a type.

    Examples
    --------
    >>> metavar(Path | None), metavar(int | Literal["auto", "none"]), metavar(tuple[str, ...])
    ('PATH', 'INT|auto|none', 'TEXT ...')
    """
    plain = {Path: "PATH", int: "INT", float: "NUMBER", str: "TEXT"}
    if kind in plain:
        return plain[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return f"{metavar(arguments[0])} ..."
    if origin is Literal:
        return "|".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return "|".join(metavar(item) for item in arguments if item is not type(None))
    return metavar(arguments[0])  # Annotated


def _shown(default: Any) -> str:
    """Write a default; nothing for those that say nothing."""
    if default is dataclasses.MISSING or default is None or default is False or default == ():
        return ""
    if default is True:
        return "on"
    return " ".join(map(str, default)) if isinstance(default, tuple) else f"{default}"


def _definer(config: type, name: str) -> type:
    """Return the class, of a config and its parents, that declares a field."""
    return next(cls for cls in config.__mro__ if name in vars(cls).get("__annotations__", {}))


@cache
def _texts(cls: type) -> dict[str, str]:
    """Read the string under each field of a class, on one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = tree.body[0].body  # type: ignore[attr-defined]
    texts = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            texts[ast.unparse(field.target)] = " ".join(str(text.value.value).split())
    return texts


def _text(definer: type, field: dataclasses.Field) -> str:
    """Return the text of an option, with what a string among its marks adds."""
    added = [mark.text for mark in marks_of(field) if isinstance(mark, MoreText)]
    return " ".join([_texts(definer).get(field.name, ""), *added]).strip()


def _paragraphs(config: type) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in inspect.cleandoc(config.__doc__ or "").split("\n\n")]


def _fill(text: str, width: int, indent: str = "", first: str | None = None) -> str:
    """Wrap a text once; flags and paths stay whole."""
    return textwrap.fill(
        text, width, initial_indent=indent if first is None else first, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _opening(command: str, options: list[Option], about: list[str], width: int) -> str:
    required = " ".join(option.spelled for option in options if option.is_required)
    either = " | ".join(option.spelled for option in options if option.is_one_of)
    needed = [required, f"({either})"] if either else [required]
    usage = _fill(" ".join(["usage: aam", command, *needed, "[OPTIONS]"]).replace("  ", " "), width, "    ", "")
    return "\n\n".join([usage, *(_fill(text, width) for text in about if not text.startswith("Example"))])


def _notes(option: Option, *more: str) -> str:
    """Return what stands in brackets after a text."""
    default = f"default: {option.default}" if option.default else ""
    required = "required" if option.is_required else ""
    return "".join(f" ({note})" for note in (required, default, *more, *option.remarks) if note)


def _brief(command: str, options: list[Option], width: int) -> Iterator[str]:
    """Yield the sections of the short help: an option and its first sentence side by side."""
    for title in BRIEF_TITLES:
        lines = []
        for option in sorted(options, key=lambda option: option.brief.rank if option.brief else 0):
            brief = option.brief
            if brief is not None and brief.title == title and command in (brief.commands or (command,)):
                left, text = f"  {option.spelled}  ".ljust(COLUMN), option.first_sentence + _notes(option)
                if len(left) > width - COLUMN:
                    lines.append(_break_choices(left.rstrip(), width))
                    left = " " * COLUMN
                lines.append(_fill(text, width, " " * COLUMN, left))
        if lines:
            yield "\n".join([title, *lines])


def _section(topic: Topic, options: list[Option], width: int) -> str:
    """Return the options of a topic with their whole texts."""
    lines = [topic.name.capitalize()]
    for option in options:
        if option.topic == topic:
            text = option.text + _notes(option, option.condition)
            lines += [_break_choices(f"  {option.in_full}", width), _fill(text, width, " " * 6)]
    return "\n".join(lines)


def _break_choices(line: str, width: int) -> str:
    """Break a line of many choices after one of them."""
    if len(line) <= width:
        return line
    end = line.rfind("|", 0, width) + 1
    return line[:end] + "\n" + _break_choices(" " * 6 + line[end:], width) if end > 6 else line


def _topics(command: str, topics: list[Topic], width: int) -> str:
    """Name what else there is to ask for."""
    head = f"All other options, by topic: aam {command} --help TOPIC (or --help {ALL})"
    return "\n".join([head, *(_fill(topic.holds, width, " " * 16, f"  {topic.name:<14}") for topic in topics)])


def _examples(about: list[str], width: int) -> str:
    """Write the examples of a config's docstring, ``Example, what it shows: aam ...``, as commands that can be copied."""
    blocks = []
    for text in about:
        if match := re.fullmatch(r"Example(?:, (.*?))?: (aam .*)", text):
            pairs = re.sub(r"(--\S+) (?!--)", "\\1\N{NO-BREAK SPACE}", match[2])  # a flag stays with its value
            lines = _fill(pairs, width - 2, "      ", "    ").replace("\N{NO-BREAK SPACE}", " ").splitlines()
            title = [f"  {match[1][0].upper()}{match[1][1:]}:"] if match[1] else []
            blocks.append("\n".join([*title, " \\\n".join(lines)]))
    return "\n".join([f"Example{'s' if len(blocks) > 1 else ''}", *blocks]) if blocks else ""

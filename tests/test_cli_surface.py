"""The list of flags is a contract: a new one is a decision."""

import dataclasses
from pathlib import Path

import pytest

from aam.cli import COMMANDS, form_of, main, parse
from aam.config.base import load, options_by_name, write_yaml
from aam.storage.output import check_output_directory

STUDY = {"table", "sequences", "cache-dir", "sequence-ids", "orient", "truncate"}
DISTANCE = {"tree", "root", "distances", "distance-ids", "missing-features"}
LABEL = {"metadata", "metadata-column", "missing-samples", "missing-values"}
DIRECTORY = {"output-dir", "overwrite"}
FILE = {"output", "overwrite"}
SAMPLING = {"rarefy-depth", "token-limit"}
MODEL = {
    "embedding-dim", "attention-heads", "attention-layers", "ffn-ratio", "dropout", "max-bp", "patch-size", "asv-chunk-size",
    "gradient-checkpointing", "count-embedding",
}  # fmt: skip
TRAINING = {
    "epochs", "batch-size", "max-memory-gb", "gradient-accumulation-steps", "target-effective-batch-size", "lr",
    "weight-decay", "warmup-fraction", "samples-per-epoch", "gradient-clip", "patience", "best-metric", "precision",
    "validation-fraction", "seed",
    "attn-implementation", "compile", "num-workers", "validation-plot-samples", "attention-plots",
    "optimizer", "ema-decay", "find-lr", "momentum", "schedule", "cycles", "plateau-epochs",
}  # fmt: skip
SAVING = {"resume", "replay", "checkpoint-minutes", "checkpoint-steps"}
DEVICES = {"strategy", "devices", "num-nodes", "share-asvs", "sharded-checkpoints"}
AUGMENTATION = {"min-depth-fraction", "asv-dropout", "abundance-noise", "nucleotide-substitution", "mixup-alpha"}
SPLIT = {"split", "split-file", "fold"}
TRANSFER = {"pretrained", "freeze-base", "head-lr", "category-lr", "layer-decay", "unfreeze-epochs"}
LABELLED_SPLIT = SPLIT | {"group-column", "study-column", "held-out-study", "folds"}
INFERENCE = {"model", "rarefy-depth", "batch-size", "precision", "prediction-passes"}

OBJECTIVES = {
    "taxonomy", "taxonomy-rank", "encoder-type", "encoder-weights", "penalty", "unifrac-alpha", "loss-balancing", "nuc-penalty",
    "nuc-mask-ratio", "nuc-asv-fraction", "nuc-mask-strategy", "count-penalty", "count-mask-ratio", "count-loss", "asv-mask-ratio",
}  # fmt: skip

TARGET = {
    "task", "class-order", "regressor-hidden-dims", "regressor-residual", "head-dropout", "output-scaling", "bounded-targets",
    "output-activation", "target-transform", "normalize-by", "sample-weights", "loss-type", "quantiles",
    "over-penalty", "under-penalty", "label-smoothing", "class-weights", "loss-config", "smallest-class", "merge-classes",
}  # fmt: skip

CONDITIONING = {"categorical-columns", "numeric-columns", "categorical-fusion", "category-parents", "category-dropout"}

EXPLANATION = {
    "groups", "nuisance-columns", "exchanges", "null-draws", "top", "least-samples", "attributions", "rarefactions",
}  # fmt: skip

FLAGS = {
    "demo": DIRECTORY | {"seed"},
    "simulate": DIRECTORY
    | {"samples", "features", "seed", "sequence-length", "mean-depth", "subjects", "signal", "batch-effect"},
    "pretrain": STUDY | DISTANCE | DIRECTORY | SPLIT | SAMPLING | AUGMENTATION | MODEL | TRAINING | OBJECTIVES | SAVING
    | DEVICES | {"pretrained"},
    "train": STUDY | DISTANCE | LABEL | DIRECTORY | LABELLED_SPLIT | SAMPLING | AUGMENTATION | MODEL | TRAINING
    | OBJECTIVES | SAVING | DEVICES | TARGET | {"head", "ensemble", "coverage", "target-penalty"} | TRANSFER | CONDITIONING,
    "inspect": {"files", "output-dir", "overwrite"},
    "prepare": STUDY | {"tree", "root"},
    "cache": {"cache-dir", "limit-gb", "clear"},
    "predict": STUDY | FILE | INFERENCE | {"metadata"},
    "embed": STUDY | FILE | INFERENCE,
    "evaluate": STUDY | LABEL | DIRECTORY | INFERENCE,
    "crossval": STUDY | DISTANCE | LABEL | DIRECTORY | SAMPLING | AUGMENTATION | MODEL | TRAINING | OBJECTIVES
    | TARGET | {"head", "ensemble", "coverage", "target-penalty"} | TRANSFER | CONDITIONING
    | {"folds", "fold-file", "repeats", "group-column", "baselines", "aam", "explain"} | EXPLANATION,
    "explain": STUDY | DIRECTORY | LABEL | INFERENCE | EXPLANATION
    | {"tree", "root", "taxonomy", "group-column", "training-samples", "attention", "gradients", "nucleotides"},
}  # fmt: skip


def flags(config) -> list[str]:
    names = []
    for field in dataclasses.fields(config):
        if dataclasses.is_dataclass(field.type):
            names += flags(field.type)
        else:
            names.append(field.name.replace("_", "-"))
    return names


@pytest.mark.parametrize("name", COMMANDS)
def test_the_flags_are_the_ones_agreed_on(name):
    found = flags(load(COMMANDS[name].config))

    assert sorted(found) == sorted(FLAGS[name])


@pytest.mark.parametrize("how", [["--folds", "5", "--repeats", "2"], ["--fold-file", "f.tsv"]])
def test_evaluate_over_folds_is_crossval(how):
    options = ["--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", *how]

    assert parse("evaluate", options) == parse("crossval", options)


def test_the_options_of_either_spelling_are_read_by_the_other(tmp_path):
    options = ["--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--folds", "5"]
    (tmp_path / "c.yaml").write_text(text := write_yaml(config := parse("crossval", options)))

    assert text.startswith("# aam evaluate, version ")
    for name in ("crossval", "evaluate"):
        assert parse(name, ["--config", str(tmp_path / "c.yaml")]) == config


def test_either_spelling_replaces_the_results_of_the_other(tmp_path):
    options = ["--table", "t", "--metadata", "m", "--metadata-column", "c", "--folds", "5", "--overwrite"]
    (tmp_path / "config.yaml").write_text("# aam evaluate, version 0.1.0\n")

    for name in ("crossval", "evaluate"):
        check_output_directory(parse(name, [*options, "--output-dir", str(tmp_path)]))


def test_a_model_is_no_option_of_crossval(tmp_path, capsys):
    options = ["--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--model", "m"]
    (tmp_path / "c.yaml").write_text(write_yaml(parse("evaluate", options)))

    assert main(["crossval", "--config", str(tmp_path / "c.yaml")]) == 2
    assert "the command has no option 'model'" in capsys.readouterr().err


OBJECTIVES_TWICE = ["--objectives", "shannon", "jaccard", "--objective-weights", "1", "2"]


@pytest.mark.parametrize(
    ("typed", "in_file"),
    [
        (OBJECTIVES_TWICE, ""),
        (["--encoder-type", "shannon", "jaccard", "--encoder-weights", "1", "2"], ""),
        (["--encoder_type", "shannon", "jaccard", "--objective_weights", "1", "2"], ""),
        ([], "objectives: [shannon, jaccard]\nobjective-weights: [1, 2]"),
        ([], "encoder-type: [shannon, jaccard]\nencoder_weights: [1, 2]"),
        (OBJECTIVES_TWICE, "encoder-type: [faith-pd]\nobjective-weights: [3]"),
        (["--encoder-type", "shannon", "jaccard", "--encoder-weights", "1", "2"], "objectives: [faith-pd]"),
    ],
)
def test_objectives_have_an_earlier_name_as_well(typed, in_file, tmp_path):
    (tmp_path / "c.yaml").write_text(f"{in_file}\ntable: t.biom\n")
    options = ["--config", str(tmp_path / "c.yaml"), "--output-dir", "o", "--nuc-penalty", "0"]

    config = parse("pretrain", [*options, *typed])

    assert config.weights == {"shannon": 1.0, "jaccard": 2.0}
    assert "\nencoder-type:\n- shannon\n- jaccard\nencoder-weights:\n" in write_yaml(config)


def test_what_training_takes_is_taken_over_folds_as_well():
    training, folds = (
        dataclasses.fields(load(f"aam.config.{name}")) for name in ("commands:TrainConfig", "crossval:CrossvalConfig")
    )

    assert {item.name for item in training} - {item.name for item in folds} == {"split", "saving", "devices"}


@pytest.mark.parametrize(
    ("options", "form"),
    [
        (["--model", "m"], "evaluate"),
        (["--model=m"], "evaluate"),
        (["--help"], "evaluate"),
        (["--folds", "5"], "crossval"),
        (["--folds=5"], "crossval"),
        (["--fold_file", "f.tsv"], "crossval"),
    ],
)
def test_options_choose_the_form_of_evaluate(options, form):
    assert form_of("evaluate", options) == form


def test_the_overview_names_every_command(capsys):
    assert main(["--help"]) == 0

    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretain"], "there is no command 'pretain'"),
        (["predict", "--config"], "--config needs the path"),
        (["predict", "--config", "absent.yaml"], "absent.yaml: No such file"),
        (["pretrain", "--table", "t", "--output-dir", "o"], "pass --tree"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--lr", "-1"], r"--lr -1.0: input should be greater"),
        (["pretrain", "--table", "t", "--tree", "n", "--distances", "d", "--output-dir", "o"], "exclude each other"),
        (["pretrain", "--table", "t", "--output-dir", "o", "--objectives", "unifrac"],
         "--objectives unifrac is unknown: choose from 'unweighted-unifrac', "),
        (["pretrain", "--table", "t", "--output-dir", "o", "--objectives", "shannon", "shannon"], "names one twice"),
        (["pretrain", "--table", "t", "--output-dir", "o", "--objectives", "shannon", "--objective-weights", "1", "2"],
         "--objective-weights has 2 numbers for 1 names in --objectives"),
        (["pretrain", "--table", "t", "--output-dir", "o", "--objectives", "bray-curtis", "--batch-size", "1"], "leaves no pair"),
        (["pretrain", "--table", "t", "--distances", "d", "--output-dir", "o", "--objectives", "distance", "--mixup-alpha", "1"],
         "are not in --distances"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--batch-size", "1"], "leaves no pair"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--unifrac-alpha", "0.2"],
         "--unifrac-alpha has no effect, as generalized-unifrac is not learned: add generalized-unifrac to --objectives"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--taxonomy-rank", "family"],
         "--taxonomy-rank has no effect, as composition is not learned"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--asv-mask-ratio", "0.3"],
         "--asv-mask-ratio has no effect, as masked-asvs is not learned"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--count-loss", "multinomial"],
         "--count-loss has no effect, as counts is not learned: pass --count-penalty above 0, or leave it out"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--count-mask-ratio", "0.3"],
         "--count-mask-ratio has no effect, as counts is not learned"),
        (["train", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--nuc-mask-ratio", "0.3"],
         "--nuc-mask-ratio has no effect, as nucleotides is not learned: pass --nuc-penalty above 0"),
        (["train", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--split", "file",
          "--split-file", "s", "--validation-fraction", "0.3"],
         "--validation-fraction has no effect on --split file, which says what is held out"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--batch-size", "8",
          "--target-effective-batch-size", "4"],
         "--target-effective-batch-size 4 is less than one batch of --batch-size 8"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--find-lr", "--lr", "0.1"],
         "--find-lr finds what --lr 0.1 says"),
        (["pretrain", "--table", "t", "--output-dir", "o", "--penalty", "0", "--nuc-penalty", "0"], "nothing to learn"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--strategy", "fsdp", "--precision", "16-mixed"],
         "--strategy fsdp does not scale losses"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--strategy", "fsdp", "--optimizer", "muon"],
         "--optimizer muon needs whole matrices"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--strategy", "fsdp", "--batch-size", "auto"],
         "--batch-size auto tries steps with the whole model, which --strategy fsdp divides"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--strategy", "fsdp", "--find-lr"],
         "--find-lr tries rates with the whole model"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--strategy", "fsdp", "--ema-decay", "0.9"],
         "--ema-decay averages whole weights"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--sharded-checkpoints"],
         "no effect without --strategy fsdp"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--strategy", "fsdp", "--sharded-checkpoints",
          "--resume"],
         "--resume reads checkpoints that are one file"),
        (["pretrain", "--table", __file__, "--tree", __file__, "--output-dir", "o", "--num-nodes", "2"],
         "--num-nodes 2: aam starts processes"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--attention-heads", "3"], "does not divide"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--resume", "--overwrite"], "--overwrite replaces it"),
        (["train", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--category-lr", "0.1"],
         "--category-lr has no effect without --categorical-columns or --numeric-columns: leave it out."),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--fold", "1"],
         "--fold has no effect on --split random: leave it out, or pass --split file."),
        (["crossval", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--fold-file", "f",
          "--repeats", "2"], "--repeats 2 has no effect on --fold-file, whose folds are fixed: leave one out."),
        (["train", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--resume", "--overwrite"],
         "--overwrite replaces it"),
        (["train", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--freeze-base"],
         "pass --pretrained"),
        (["train", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--freeze-base",
          "--pretrained", "p", "--objectives", "shannon"], "leave out one of them"),
        (["pretrain", "--table", "t", "--tree", "n", "--output-dir", "o", "--distance-ids", "i"], "pass both or neither"),
        (["pretrain", "--table", "t", "--distances", "d", "--output-dir", "o", "--mixup-alpha", "0.2"], "are not in --distances"),
        (["train", "--table", "t", "--distances", "d", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o",
          "--mixup-alpha", "0.2"], "are not in --distances"),
        (["train", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--normalize-by", "site"],
         "belong together: pass both or neither"),
        (["train", "--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--normalize-by", "site",
          "--target-transform", "zscore-category", "--mixup-alpha", "1"], "--mixup-alpha mixes samples of different categories"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_options_is_one_message_and_exit_code_2(arguments, message, capsys):
    assert main(arguments) == 2

    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (["grouped"], "--split grouped needs --group-column."),
        (["k-fold", "--folds", "5"], "--split k-fold needs --fold."),
        (["k-fold", "--folds", "5", "--fold", "5"], "--fold 5 is out of range: with --folds 5 they are numbered 0 to 4."),
        (["leave-one-study-out"], "needs --study-column and --held-out-study."),
        (["file"], "--split file needs --split-file."),
        (["stratified", "--split-file", "s.tsv"], "--split-file has no effect on --split stratified: leave it out, or pass"),
        (["random", "--group-column", "c"], "--group-column has no effect on --split random"),
    ],
)  # fmt: skip
def test_a_split_takes_the_options_that_it_needs_and_no_others(split, message, capsys):
    options = ["--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o", "--split", *split]

    assert main(["train", *options]) == 2

    assert message in capsys.readouterr().err


def test_a_mistyped_option_suggests_the_right_one(capsys):
    assert main(["embed", "--modle", "m", "--table", "t", "--output", "o"]) == 2

    shown = capsys.readouterr().err
    assert "--model" in shown
    assert "aam embed --help all" in shown


def test_a_mistyped_option_of_the_folds_names_their_help(capsys):
    assert main(["evaluate", "--folds", "5", "--tabel", "t"]) == 2

    assert "aam crossval --help" in capsys.readouterr().err


def test_options_from_a_file_give_way_to_the_command_line(tmp_path: Path):
    (tmp_path / "run.yaml").write_text(
        "table: t.biom\ntree: t.nwk\noutput-dir: o\nbatch_size: 16\ngradient-checkpointing: false\n"
    )

    config = parse("pretrain", ["--config", str(tmp_path / "run.yaml"), "--batch-size", "4"])

    assert config.training.batch_size == 4
    assert not config.model.gradient_checkpointing


def test_a_written_config_reads_back_as_itself(tmp_path: Path):
    config = parse(
        "train",
        ["--table", "t", "--metadata", "m", "--metadata-column", "age", "--output-dir", "o", "--lr", "0.01"],
    )
    (tmp_path / "config.yaml").write_text(write_yaml(config))

    assert parse("train", ["--config", str(tmp_path / "config.yaml")]) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "is not valid YAML"), ("- a", "expected lines"), ("a:\n  b: 1", "without nesting")],
)
def test_a_malformed_config_file_is_explained(text, message, tmp_path, capsys):
    (tmp_path / "bad.yaml").write_text(text)

    assert main(["embed", "--config", str(tmp_path / "bad.yaml")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_may_hold_every_option_of_a_command_and_no_other(name, tmp_path, capsys):
    config = load(COMMANDS[name].config)
    (tmp_path / "c.yaml").write_text("batch-sise: 3\n")

    assert set(FLAGS[name]) <= set(options_by_name(config))
    assert main([name, "--config", str(tmp_path / "c.yaml")]) == 2

    assert f"--config {tmp_path / 'c.yaml'}: the command has no option 'batch-sise'; " in capsys.readouterr().err


def test_a_switch_may_be_turned_off_by_its_own_name_in_a_file(tmp_path):
    (tmp_path / "c.yaml").write_text("folds: 3\nno-aam: true\n--freeze_base: false\n")

    files = ["--table", "t", "--sequences", "s", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o"]
    parsed = parse("evaluate", ["--config", str(tmp_path / "c.yaml"), *files, "--baselines", "guess"])

    assert not parsed.folds.aam


def test_options_that_another_command_wrote_are_refused(tmp_path, capsys):
    config = parse("pretrain", ["--table", "t", "--tree", "n", "--output-dir", "o"])
    (tmp_path / "config.yaml").write_text(write_yaml(config))

    assert main(["embed", "--config", str(tmp_path / "config.yaml")]) == 2

    assert "config.yaml holds the options of aam pretrain: run that, or copy what both have." in capsys.readouterr().err

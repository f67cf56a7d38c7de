"""A training seen from the command line: live progress, what to say afterwards, pictures beside the model."""

from __future__ import annotations

import dataclasses
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from xw2v.cli.outputs import print_json
from xw2v.cli.saved import Known
from xw2v.interrupts import Terminated
from xw2v.screen import Screen, count
from xw2v.training.walk import mean_loss
from xw2v.vectors.epoch_scores import EpochScores

__all__ = [
    "PICTURE_ARROWS",
    "finish_training",
    "fit",
    "interrupted_status",
    "let_go",
    "pictures",
    "show_epochs",
    "training_summary",
]

PICTURE_ARROWS = (("man", "king", "woman", "queen"),)


def fit(
    model: Any, corpus: Any, screen: Screen, scores: EpochScores | None = None, log: bool = False, **how: Any
) -> int:
    """Train with a live bar; the exit status: 130 or 143 if it was interrupted after something was learned.

    A model that knows something goes on from there. `scores` are taken after each epoch. In a `log` there is progress
    as well.

    Raises
    ------
    KeyboardInterrupt   before anything was learned
    """
    known = Known.of(model)
    try:
        with screen.progress() as live:
            callbacks: list[Any] = [] if scores is None else [scores]
            if callbacks or (model.validation_fraction and not how.get("distributed")):  # which refuses both
                callbacks.append(lambda _, end: live.on_epoch(end))
            try:
                model.partial_fit(
                    corpus,
                    progress=log and not screen.live,
                    on_encode=live.on_encode,
                    on_progress=live.on_progress,
                    on_note=screen.note,
                    on_warning=screen.warn,
                    callbacks=callbacks,
                    **how,
                )
            except Terminated:
                _leave_closed_terminals()
                raise
    except KeyboardInterrupt as interrupt:
        if len(getattr(model, "history", ())) == known.records:
            print("xw2v: interrupted before anything was learned; nothing is saved", file=sys.stderr)
            raise
        return interrupted_status(interrupt)
    screen.note(f"{model.backend_note}; {model.engine_note}")
    return 0


def _leave_closed_terminals() -> None:
    """Let go of a terminal that was closed, whence SIGHUP came: writing to it would fail before the model is saved."""
    for stream in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
                let_go(stream)


def let_go(stream: int) -> None:
    """Have all that is written to a stream, 1 or 2, go nowhere from now on."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), stream)


def interrupted_status(interrupt: KeyboardInterrupt) -> int:
    """What a shell gets after Ctrl-C and after SIGTERM: 128 and the number of the signal. SIGHUP counts as SIGTERM."""
    return 143 if isinstance(interrupt, Terminated) else 130


def training_summary(model: Any, output: Path, seconds: float, known: Known | None = None) -> dict[str, Any]:
    """What there is to say of a model that was just trained and written to `output`.

    Parameters
    ----------
    known : what it knew before, and what is not counted; None: nothing
    """
    known = known or Known()
    last = model.history[-1]
    # A chunk's loss is noisy and depends on what the chunk is about: the mean of the last epoch says more.
    mean = mean_loss(model.history, last.epoch)
    return {
        "output": str(output),
        "vocabulary": len(model.wv),
        "new_words": len(model.wv) - known.vocabulary,
        "vector_size": model.wv.vector_size,
        "words": last.words - known.words,
        "trained_words": last.centers - known.centers,
        "epochs": last.epochs - known.epochs,
        "epochs_trained": model.epochs_trained,
        "loss": mean.loss,
        "center_loss": mean.center_loss,
        "epoch_history": [dataclasses.asdict(end) for end in model.epoch_history[known.ends :]],
        "training_seconds": last.seconds - known.seconds,
        "seconds": seconds,
        "words_per_second": last.words_per_second,
        "backend": model.backend_note,
        "engine": model.engine_note,
    }


def finish_training(screen: Screen, summary: dict[str, Any], status: int, as_json: bool, hint: str = "") -> None:
    """Show a `training_summary`; exit with `status` where the training was interrupted, saying how to go on."""
    if as_json:
        print_json({**summary, "interrupted": bool(status)})
    else:
        vocabulary, new = summary["vocabulary"], summary["new_words"]
        # Three lines: one would not fit a terminal of 80 columns.
        also = "" if new == vocabulary else f", {new:,} of them new"
        screen.line(f"{vocabulary:,} words of {summary['vector_size']} numbers{also}")
        pace = f"{summary['training_seconds']:.1f} s ({count(summary['words_per_second'])} words/s)"
        screen.line(f"learned from {summary['words']:,} words in {pace}")
        screen.line(f"loss {summary['loss']:.4f} a pair, {summary['center_loss']:.3f} a window")
        show_epochs(screen, summary["epoch_history"])
        for path in [summary["output"], *summary.get("pictures", ())]:
            screen.line(f"wrote {path}")
    if status:
        print(f"xw2v: interrupted; what was learned so far is in {summary['output']}{hint}", file=sys.stderr)
        raise typer.Exit(status)


def show_epochs(screen: Screen, ends: Sequence[Mapping[str, Any]]) -> None:
    """A table of what was measured after each epoch, if anything was; a star marks the lowest loss."""
    names = list(dict.fromkeys(name for end in ends for name in end["scores"]))
    losses = [end["validation_loss"] for end in ends if end["validation_loss"] is not None]
    if not names and not losses:
        return
    rows = []
    for end in ends:
        loss = end["validation_loss"]
        star = " *" if losses and loss == min(losses) else ""
        figures = [f"{end['scores'][name]:.4f}" if name in end["scores"] else "-" for name in names]
        row = [str(end["epoch"] + 1), f"{end['seconds']:.1f}", f"{end['loss']:.4f}"]
        rows.append([*row, *([f"{loss:.4f}{star}"] if losses else []), *figures])
    columns = ["epoch", "seconds", "loss", *(["loss kept aside"] if losses else []), *names]
    screen.table("", columns, rows if screen.out.is_terminal else [columns, *rows], repeat=1)


def pictures(
    model: Any,
    output: Path,
    groups: Mapping[str, Sequence[str]],
    curve: Sequence[tuple[int, float]] | None = None,
    title: str = "Loss of a pair, in nats",
) -> list[str]:
    """Write the picture of groups of words and the curve of the loss beside a model; their paths."""
    from xw2v.vectors.plots import plot_loss, plot_words

    group = {word: name for name, words in groups.items() for word in words if word in model.wv}
    arrows = [arrow for arrow in PICTURE_ARROWS if all(word in group for word in arrow)]
    paths = []
    if len(group) > 2:
        paths.append(output.with_name(output.name + "-words.png"))
        plot_words(list(group), model.wv[list(group)], paths[0], analogies=arrows, groups=list(group.values()))
    paths.append(output.with_name(output.name + "-loss.png"))
    if curve is None:
        plot_loss(model.history, paths[-1], title=title, epochs=model.epoch_history)
    else:
        plot_loss(curve, paths[-1], title=title, xlabel="steps")
    return [str(path) for path in paths]

"""Other programs' ways of writing a command line, in our own: gensim's underscores, word2vec.c's single dashes."""

from __future__ import annotations

from collections.abc import Set

from xw2v.errors import ConfigError
from xw2v.files import is_number

__all__ = ["differs", "translated"]

# word2vec.c's options, with -accuracy of gensim's script of the same style, and what they are here. The output of
# that program is a word2vec file whatever its name is, so `-output` also sets the format.
_WORD2VEC_C = {
    "-size": "--vector-size",
    "-window": "--window",
    "-sample": "--sample",
    "-negative": "--negative",
    "-threads": "--workers",
    "-iter": "--epochs",
    "-min-count": "--min-count",
    "-alpha": "--alpha",
    "-accuracy": "--evaluate",
}
_WORD2VEC_C_ALONE = {"-train", "-binary", "-cbow", "-hs", "-classes", "-save-vocab", "-read-vocab"}

_CORPUS = "the corpus stands without an option: xw2v train TEXT -o OUT"
_SKIP_GRAM = "xw2v trains skip-gram, with noise words or the exact softmax: leave it out"
# Options that word2vec.c and gensim have and `train` has not, if they were written as ours.
_OTHERWISE = {
    "--train": _CORPUS,
    "--input": _CORPUS,
    "--sentences": _CORPUS,
    "--corpus-file": _CORPUS,
    "--sg": _SKIP_GRAM,
    "--hs": _SKIP_GRAM,
    "--cbow": _SKIP_GRAM,
    "--cbow-mean": _SKIP_GRAM,
    "--binary": "write --format binary or --format text, or an OUT that ends in .bin or .txt",
    "--compute-loss": "the loss is always there, xw2v plot MODEL --loss draws it: leave it out",
    "--batch-words": "nothing needs it: leave it out",
    "--sorted-vocab": "words are always in the order of their counts: leave it out",
    "--trim-rule": "write --min-count and --max-final-vocab",
    **{f"-{name}": f"write {ours}" for name, ours in _WORD2VEC_C.items()},
}


def translated(words: list[str], options: Set[str] = frozenset()) -> list[str]:
    """The arguments in our own spelling: gensim's underscores, word2vec.c's single dashes.

    Parameters
    ----------
    options : our own long options, "--output" and the like

    Raises
    ------
    ConfigError   an option of word2vec.c or gensim that has no counterpart here, or another name among ours
    """
    if "-train" in words:
        return _from_word2vec_c(words, options)
    result: list[str] = []
    for place, word in enumerate(words):
        if word == "--":
            return result + words[place:]
        _refuse_one_dash(word.partition("=")[0].replace("_", "-"), options)
        result.append(_ours(word, options if words[0] in ("train", "encode") else None))
    return result


def differs(words: list[str]) -> str | None:
    """What a command line in word2vec.c's style means to that program and not here; None: nothing."""
    if "-train" in words and "-cbow" not in words:
        return "xw2v trains skip-gram; word2vec.c does so with -cbow 0 alone, and CBOW without it"
    return None


def _ours(word: str, options: Set[str] | None) -> str:
    """A word with dashes in the name of an option, which is not to be another program's where `options` are given."""
    name, equals, value = word.partition("=")
    if not name.startswith("--"):
        return word
    name = name.replace("_", "-")
    if options is not None and name in _OTHERWISE and name not in options:
        msg = f"{name}: {_OTHERWISE[name]}"
        raise ConfigError(msg)
    return name + equals + value


def _refuse_one_dash(name: str, options: Set[str]) -> None:
    """`-output x` would be read as `-o utput` and a text x."""
    if name.startswith("--") or len(name) < 3:
        return
    ours = _WORD2VEC_C.get(name, f"-{name}")
    if ours in options:
        msg = f"{name}: write {ours}, or word2vec.c's style throughout (-train FILE -output FILE ...)"
        raise ConfigError(msg)
    if name in _WORD2VEC_C_ALONE:
        msg = f"{name} is an option of word2vec.c: write its style throughout (-train FILE -output FILE ...)"
        raise ConfigError(msg)


def _from_word2vec_c(words: list[str], options: Set[str]) -> list[str]:
    corpora, output, binary = [], "", "text"
    result: list[str] = []
    for name, *values in _groups(words[1:] if words[0] == "train" else words):
        if name.startswith("--"):
            result += [_ours(name, options), *values]
            continue
        name = name.replace("_", "-")
        if not values or (values[1:] and name != "-train"):
            alone = [name, *values][-1]
            msg = f"options in word2vec.c's spelling come in pairs of name and value; {alone!r} stands alone"
            raise ConfigError(msg)
        value = values[0]
        if name == "-train":
            corpora += values
        elif name == "-output":
            output = value
        elif name in _WORD2VEC_C:
            result += [_WORD2VEC_C[name], value]
        elif name == "-binary":
            binary = "text" if value == "0" else "binary"
        elif name in ("-hs", "-cbow") and value != "0":
            what = {"-hs": "hierarchical softmax", "-cbow": "CBOW"}[name]
            msg = f"{name} {value}: xw2v has no {what}, it trains skip-gram with noise words; give {name} 0"
            raise ConfigError(msg)
        elif name not in ("-hs", "-cbow", "-debug"):
            known = ", ".join(["-train", "-output", *_WORD2VEC_C, "-binary"])
            msg = f"{name}: no such option of word2vec.c here; known: {known}; those of xw2v train have two dashes"
            raise ConfigError(msg)
    if not output:
        msg = "-train needs -output FILE"
        raise ConfigError(msg)
    return ["train", "--output", output, "--format", binary, *result, "--", *corpora]


def _groups(words: list[str]) -> list[list[str]]:
    """Each option with the words after it up to the next one; `-` and numbers are none."""
    groups: list[list[str]] = []
    for word in words:
        if word[:1] == "-" and word != "-" and not is_number(word):
            groups.append([word])
        elif groups:
            groups[-1].append(word)
        else:
            msg = f"{word!r} stands before the options: word2vec.c's style is -train FILE -output FILE ..."
            raise ConfigError(msg)
    return groups

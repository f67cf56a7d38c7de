"""Other programs' ways of writing a command line, in our own: gensim's underscores, word2vec.c's single dashes."""

from __future__ import annotations

from collections.abc import Set

from xw2v.errors import ConfigError

__all__ = ["translated"]

# word2vec.c's options and what they are here. The output of that program is a word2vec file whatever
# its name is, so `-output` also sets the format.
_WORD2VEC_C = {
    "-size": "--vector-size",
    "-window": "--window",
    "-sample": "--sample",
    "-negative": "--negative",
    "-threads": "--workers",
    "-iter": "--epochs",
    "-min-count": "--min-count",
    "-alpha": "--alpha",
}
_WORD2VEC_C_ALONE = {"-train", "-binary", "-cbow", "-hs", "-classes", "-save-vocab", "-read-vocab"}


def translated(words: list[str], options: Set[str] = frozenset()) -> list[str]:
    """The arguments in our own spelling: gensim's underscores, word2vec.c's single dashes.

    Parameters
    ----------
    options : our own long options, "--output" and the like

    Raises
    ------
    ConfigError   an option of word2vec.c that has no counterpart here, or among ours
    """
    if "-train" in words:
        return _from_word2vec_c(words)
    result: list[str] = []
    for place, word in enumerate(words):
        if word == "--":
            return result + words[place:]
        name, equals, value = word.partition("=")
        _refuse_one_dash(name.replace("_", "-"), options)
        result.append((name.replace("_", "-") if name.startswith("--") else name) + equals + value)
    return result


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


def _from_word2vec_c(words: list[str]) -> list[str]:
    rest = words[1:] if words[0] == "train" else words
    if len(rest) % 2:
        msg = f"options in word2vec.c's spelling come in pairs of name and value; {rest[-1]!r} stands alone"
        raise ConfigError(msg)
    corpus, output, binary = "", "", "text"
    result: list[str] = []
    for name, value in zip(rest[::2], rest[1::2], strict=True):
        if name == "-train":
            corpus = value
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
            msg = (
                f"{name}: no such option of word2vec.c here; known: -train, -output, {', '.join(_WORD2VEC_C)}, -binary"
            )
            raise ConfigError(msg)
    if not output:
        msg = "-train needs -output FILE"
        raise ConfigError(msg)
    return ["train", "--output", output, "--format", binary, *result, "--", corpus]

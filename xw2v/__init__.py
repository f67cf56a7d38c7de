"""Word vectors (word2vec skip-gram) from one set of formulas, on a CPU or a GPU."""

__version__ = "0.1.0.dev0"

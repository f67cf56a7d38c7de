"""Trained vectors: questions (`word_vectors`), files (`model_folder`, `word2vec_format`), `evaluation`, `plots`."""

from xw2v.vectors.word_vectors import WordVectors

__all__ = ["WordVectors"]

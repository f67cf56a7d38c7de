"""Trained vectors: questions to them (`word_vectors`), files (`formats`), scores (`evaluation`), pictures (`plots`)."""

from xw2v.vectors.word_vectors import WordVectors

__all__ = ["WordVectors"]

"""Text to token ids: readers of every kind of corpus, the vocabulary, and the encoded corpus."""

from xw2v.text.manifest import is_encoded
from xw2v.text.store import EncodedCorpus, encode
from xw2v.text.vocabulary import Vocabulary, choose_vocabulary

__all__ = ["EncodedCorpus", "Vocabulary", "choose_vocabulary", "encode", "is_encoded"]

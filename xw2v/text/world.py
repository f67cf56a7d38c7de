"""A small generated language whose grammar is known, so that what was learned from it can be checked exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from xw2v.errors import CorpusError

__all__ = ["WORLD_ANALOGIES", "WORLD_CLUSTERS", "world_corpus"]

# Who there is. A person is nothing but three features, and each feature shows only in the words
# that it selects below, independently of the others: that is what makes king - man + woman = queen
# a fact about the text.
_PEOPLE: dict[str, tuple[str, str, str]] = {
    "king": ("male", "royal", "old"),
    "queen": ("female", "royal", "old"),
    "prince": ("male", "royal", "young"),
    "princess": ("female", "royal", "young"),
    "man": ("male", "common", "old"),
    "woman": ("female", "common", "old"),
    "boy": ("male", "common", "young"),
    "girl": ("female", "common", "young"),
}

# What a slot of a template may hold. A plain list is open to every sentence; a mapping is chosen
# from by the feature that the sentence's person, or its opinion, has.
_SLOTS: dict[str, Sequence[str] | Mapping[str, Sequence[str]]] = {
    "he": {"male": ["he"], "female": ["she"]},
    "his": {"male": ["his"], "female": ["her"]},
    "sex": {"male": ["male"], "female": ["female"]},
    "garment": {"male": ["suit", "tie", "beard", "waistcoat"], "female": ["dress", "skirt", "bonnet", "necklace"]},
    "home": {"royal": ["palace", "castle", "throne", "court"], "common": ["farm", "cottage", "village", "workshop"]},
    "rank": {"royal": ["noble", "crowned", "majestic"], "common": ["humble", "poor", "toiling"]},
    "kin": {"royal": ["crown", "kingdom", "nobles", "guards"], "common": ["goats", "neighbours", "tools", "field"]},
    "aged": {"old": ["grey", "wise", "elderly", "stern"], "young": ["little", "playful", "youthful", "curious"]},
    "pastime": {"old": ["working", "ruling", "writing"], "young": ["playing", "learning", "growing"]},
    "work": ["film", "story", "play", "book", "song", "novel", "scene", "show"],
    "part": ["plot", "acting", "music", "ending", "dialogue"],
    "opinion": {
        "good": ["great", "cool", "brilliant", "wonderful", "amazing", "sweet", "enjoyable", "worth", "well"],
        "bad": ["boring", "bad", "dumb", "annoying", "awful", "stupid", "terrible"],
    },
    "felt": {"good": ["loved", "praised", "admired"], "bad": ["hated", "mocked", "regretted"]},
    "reaction": {"good": ["smiled", "cheered", "applauded"], "bad": ["yawned", "groaned", "complained"]},
    "weather": ["rain", "snow", "hail", "sleet", "drizzle"],
    "fell": ["fell", "poured", "covered", "soaked"],
    "land": ["hills", "roads", "roofs", "valley", "mountains"],
    "when": ["yesterday", "overnight", "today", "winter"],
    "drink": ["coffee", "tea", "cocoa", "lemonade"],
    "vessel": ["cup", "mug", "glass", "pot"],
    "added": ["sugar", "milk", "honey", "cream"],
    "drank": ["drank", "sipped", "poured", "ordered"],
    "meal": ["breakfast", "lunch", "supper"],
}

# The sentences, by what they speak of. No template favours a person: features alone tell them apart.
_TEMPLATES: dict[str, Sequence[str]] = {
    "people": [
        "the {rank} {person} with {his} {garment}",
        "the {rank} {person} of the {home} has {his} {garment}",
        "{he} is the {aged} {person} of the {home}",
        "the {person} and {his} {kin} at the {home}",
        "the {person} likes {pastime} with {his} {kin}",
        "the {aged} {person} said {he} is {pastime}",
        "the {person} of the {home} put on {his} {garment}",
        "a {aged} {sex} of the {home} with {his} {garment}",
        "the {rank} {sex} likes {pastime} with {his} {kin}",
    ],
    "opinion": [
        "everyone {felt} the {opinion} {work} and {reaction}",
        "the {part} of the {work} is {opinion} and {opinion}",
        "critics {reaction} at the {opinion} {part}",
        "audiences {felt} this {opinion} {opinion} {work}",
    ],
    "weather": [
        "{weather} {fell} over the {land} {when}",
        "cold {weather} and {weather} on the {land}",
        "clouds brought {weather} to the {land} {when}",
    ],
    "drinks": [
        "guests {drank} hot {drink} with {added} at {meal}",
        "a {vessel} of {drink} and {added}",
        "{drink} or {drink} in a {vessel} for {meal}",
    ],
}

# Of eight sentences, how many speak of what: the people's features need the most evidence.
_TOPICS = ("people", "people", "people", "people", "opinion", "opinion", "weather", "drinks")

WORLD_CLUSTERS: dict[str, tuple[str, ...]] = {
    "good": ("great", "cool", "brilliant", "wonderful", "well", "amazing", "worth", "sweet", "enjoyable"),
    "bad": ("boring", "bad", "dumb", "annoying"),
    "people": ("female", "male", "queen", "king", "man", "woman"),
    "weather": ("rain", "snow", "hail"),
    "drinks": ("coffee", "tea"),
}
"""The 24 words of the picture in Stanford CS224n's assignment 2, by meaning; all occur in the world corpus.

After training, a word's nearest one of the 24 is of its own cluster.
"""

WORLD_ANALOGIES: tuple[tuple[str, str, str, str], ...] = (
    ("man", "king", "woman", "queen"),
    ("king", "man", "queen", "woman"),
    ("man", "woman", "king", "queen"),
    ("boy", "prince", "girl", "princess"),
    ("boy", "girl", "prince", "princess"),
    ("man", "boy", "woman", "girl"),
    ("king", "prince", "queen", "princess"),
    ("king", "queen", "prince", "princess"),
)
"""(a, b, c, d): a is to b as c is to d, by the grammar; d is what training must find."""

_MASK = 2**64 - 1


class _SplitMix64:
    """Steele, Lea and Flood's SplitMix64: the same text on every machine and version.

    Source: Fast splittable pseudorandom number generators, OOPSLA 2014.
    """

    def __init__(self, seed: int) -> None:
        self.state = seed & _MASK

    def next(self) -> int:
        """64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def choice(self, items: Sequence[str]) -> str:
        """One of the items; the bias of the multiplication is below 2**-56 here."""
        return items[(self.next() * len(items)) >> 64]


def world_corpus(sentences: int = 20_000, seed: int = 1) -> Iterator[list[str]]:
    """Sentences of a small generated language about people, opinions, weather and drinks.

    Its grammar knows sex, royalty, age and opinion, so `WORLD_ANALOGIES` and `WORLD_CLUSTERS` are
    facts about the text that training should find again.

    Parameters
    ----------
    sentences : number of sentences, each of 6 to 11 words
    seed : of the text; the same numbers give the same text on every machine and version

    Raises
    ------
    CorpusError   fewer than one sentence was asked for
    """
    if sentences < 1:
        msg = f"sentences must be >= 1, got {sentences}"
        raise CorpusError(msg)
    return _world_sentences(sentences, _SplitMix64(seed))


def _world_sentences(sentences: int, draw: _SplitMix64) -> Iterator[list[str]]:
    people = list(_PEOPLE)
    for _ in range(sentences):
        topic = draw.choice(_TOPICS)
        template = draw.choice(_TEMPLATES[topic])
        person = draw.choice(people)
        features = {*_PEOPLE[person], draw.choice(("good", "bad"))}
        yield [_word(token, person, features, draw) for token in template.split()]


def _word(token: str, person: str, features: set[str], draw: _SplitMix64) -> str:
    """The word for one token of a template: itself, the person, or one that the slot allows."""
    if not token.startswith("{"):
        return token
    name = token.strip("{}")
    if name == "person":
        return person
    slot = _SLOTS[name]
    if isinstance(slot, Mapping):
        slot = next(words for feature, words in slot.items() if feature in features)
    return draw.choice(slot)

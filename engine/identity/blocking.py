"""Keys under which records that may be the same person find one another.

Spec:
    identity.md 3.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import product
from typing import Final

from jellyfish import metaphone

from engine.identity.criteria import Criteria
from engine.identity.traits import Traits

ROWS_PER_KEY: Final = 60
CANDIDATES: Final = 40
_FORMAL_NAMES: Final = 3
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
"""What a cleaned name may begin with."""

Formal = Mapping[str, tuple[str, ...]]
"""Nickname to the formal names it may stand for."""


@lru_cache(maxsize=50_000)
def phonetic(name: str) -> str:
    """Return the first five letters of a name's Metaphone."""
    return metaphone(name)[:5]


def block_keys(traits: Traits, formal: Formal, secret: bytes) -> list[int]:
    """Return the keys of a record as signed 64-bit numbers, each once.

    Args:
        traits: of the record; an isolated one has no keys.
        formal: formal names by nickname.
        secret: key of the hash: without it nobody can ask for a name.
    """
    if traits.isolated:
        return []
    return [hashed(text, secret) for text in dict.fromkeys(key_texts(traits, formal))]


def key_texts(traits: Traits, formal: Formal) -> Iterator[str]:
    """Return the keys in plain text, letter first; `asked_texts` reads them."""
    yield from _number_keys(traits)
    if traits.birth:
        yield from _birth_keys(traits)
    yield from _name_keys(traits, formal)
    yield from _place_keys(traits)


def asked_texts(criteria: Criteria) -> list[str]:
    """Return keys, in plain text, of which whoever fits has one; none if none serves.

    It is the reading side of `key_texts`: they change together.
    """
    given, family = criteria.exact("given"), criteria.exact("family")
    birth = criteria.exact("birth")
    if criteria.exact("ssn"):
        return [f"S|{criteria.exact('ssn')}"]
    if criteria.exact("phone"):
        return [f"P|{criteria.exact('phone')}"]
    if birth and family:
        return [f"L|{birth}|{phonetic(family.split()[0])[:2]}"]
    if birth:
        return _born(birth, criteria.wanted.get("given", "")[:1])
    if given and family:
        whole = _whole_name(given, family)
        return [whole + middle for middle in ("", *_LETTERS)]
    return []


def _born(birth: str, initial: str) -> list[str]:
    """Return the keys of everybody born on a day, their given name begun if known."""
    if initial in _LETTERS and initial:
        return [f"F|{birth}|{initial}"]
    day = f"D|{birth[:4]}|{''.join(sorted(birth[4:]))}|"
    named = [f"F|{birth}|{each}" for each in _LETTERS]
    return [*named, *(day + each for each in ("", *_LETTERS))]


def hashed(text: str, secret: bytes) -> int:
    """Return a key as it is kept: a signed 64-bit number.

    Keys of a record that share a birth date, a pair of names or a house share their
    upper half too, and so lie together where they are kept: a new record then touches
    half as many places of the index.
    """
    digest = blake2b(text.encode(), digest_size=8, key=secret).digest()
    own = int.from_bytes(digest, "big", signed=True)
    near = _neighbourhood(text)
    return _upper(near, secret) | own & _LOWER if near else own


_LOWER: Final = 0xFFFF_FFFF
_DAY: Final = len("YYYYMMDD")


@lru_cache(maxsize=50_000)
def _upper(near: str, secret: bytes) -> int:
    """Return the upper half of the keys of one neighbourhood."""
    digest = blake2b(near.encode(), digest_size=4, key=secret).digest()
    return int.from_bytes(digest, "big", signed=True) << 32


def _neighbourhood(text: str) -> str:
    """Return what a key shares with others of its record, ``""`` for nothing."""
    letter = text[0]
    if letter in "FLZ":
        return text[2 : 2 + _DAY]
    if letter in "YMNACB":
        return text[2 : text.rindex("|")]
    if letter == "X":
        return text[2 : text.index("|", text.index("|", 2) + 1)]
    return text[-_DAY:] if letter == "4" else ""


def _whole_name(given: str, family: str) -> str:
    """Return the key of a whole name but for the middle initial, which follows."""
    return f"X|{_pair(given, family)}|{given}|{family}|"


def _pair(given: str, family: str) -> str:
    """Return how two names sound, whichever comes first."""
    return "|".join(sorted((phonetic(given)[:3], phonetic(family)[:4])))


def _number_keys(traits: Traits) -> Iterator[str]:
    if traits.ssn:
        yield f"S|{traits.ssn}"
    if traits.last_four and traits.birth:
        yield f"4|{traits.last_four}|{traits.birth}"
    if traits.last_four and traits.family:
        yield f"5|{traits.last_four}|{phonetic(traits.family)}"
    if traits.phone:
        yield f"P|{traits.phone}"


def _birth_keys(traits: Traits) -> Iterator[str]:
    birth = traits.birth
    if traits.given:
        yield f"F|{birth}|{traits.given[0]}"
    if traits.family:
        tokens = traits.family.split()
        for token in (tokens[0], tokens[-1]):
            yield f"L|{birth}|{phonetic(token)[:2]}"
    initials = "".join(sorted(traits.given[:1] + traits.family[:1]))
    yield f"D|{birth[:4]}|{''.join(sorted(birth[4:]))}|{initials}"
    if traits.zip5 and not traits.given and not traits.family:
        yield f"Z|{birth}|{traits.zip5}"


def _name_keys(traits: Traits, formal: Formal) -> Iterator[str]:
    if not traits.given or not traits.family:
        return
    birth = traits.birth
    givens = (traits.given, *formal.get(traits.given, ())[:_FORMAL_NAMES])
    families = dict.fromkeys((traits.family, traits.family.split()[0]))
    for given, family in product(givens, families):
        pair = _pair(given, family)
        if birth:
            yield f"Y|{pair}|{birth[:4]}"
            yield f"M|{pair}|{birth[4:]}"
        if traits.zip5:
            yield f"N|{pair}|{traits.zip5}"
    yield _whole_name(traits.given, traits.family) + traits.middle[:1]


def _place_keys(traits: Traits) -> Iterator[str]:
    if not traits.number or not traits.street:
        return
    place = f"{traits.number}|{traits.street[:6]}"
    if traits.given:
        yield f"A|{place}|{traits.given[0]}"
    if traits.family:
        yield f"C|{place}|{phonetic(traits.family)[:3]}"
    if traits.birth:
        yield f"B|{place}|{traits.birth[:4]}"

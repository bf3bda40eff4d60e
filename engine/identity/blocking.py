"""Keys under which records that may be the same person find one another.

Spec:
    identity.md 3.
"""

from collections.abc import Iterable, Iterator, Mapping
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

Key = tuple[str, str]
"""A key in plain text, and what it shares with others of its record: ``""``, nothing.
"""


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
    return hashed(dict(key_texts(traits, formal)), secret)


def key_texts(traits: Traits, formal: Formal) -> Iterator[Key]:
    """Return the keys in plain text, letter first; `asked_texts` reads them."""
    yield from _number_keys(traits)
    if traits.birth:
        yield from _birth_keys(traits)
    yield from _name_keys(traits, formal)
    yield from _place_keys(traits)


def asked_texts(criteria: Criteria) -> dict[str, str]:
    """Return keys, in plain text, of which whoever fits has one; none if none serves.

    It is the reading side of `key_texts`: they change together.
    """
    given, family = criteria.exact("given"), criteria.exact("family")
    birth = criteria.exact("birth")
    if criteria.exact("ssn"):
        return {f"S|{criteria.exact('ssn')}": ""}
    if criteria.exact("phone"):
        return {f"P|{criteria.exact('phone')}": ""}
    if birth and family:
        key = f"L|{birth}|{phonetic(family.split()[0])[:2]}"
        return {key: _any_order(birth)}
    if birth:
        born = _born(birth, criteria.wanted.get("given", "")[:1])
        return dict.fromkeys(born, _any_order(birth))
    if given and family:
        pair = _pair(given, family)
        whole = _whole_name(pair, given, family)
        return {whole + middle: pair for middle in ("", *_LETTERS)}
    return {}


def asked_pairs(givens: Iterable[str], families: Iterable[str]) -> set[str]:
    """Return how names sound together, of which whoever has two of them has one."""
    first = {_sound_given(name) for name in givens}
    last = {_sound_family(name) for name in families}
    return {"|".join(sorted(pair)) for pair in product(first, last)}


def ranges(nears: Iterable[str], secret: bytes) -> list[tuple[int, int]]:
    """Return the lowest and the highest key of records that share something."""
    half = _begun(secret, _HALF_BYTES)
    lows = (_number(half, near) << _HALF_BITS for near in nears)
    return sorted((low, low | _LOWER) for low in lows)


def _born(birth: str, initial: str) -> list[str]:
    """Return the keys of everybody born on a day, their given name begun if known."""
    if initial in _LETTERS and initial:
        return [f"F|{birth}|{initial}"]
    day = f"D|{_any_order(birth)}|"
    named = [f"F|{birth}|{each}" for each in _LETTERS]
    return [*named, *(day + each for each in ("", *_LETTERS))]


def hashed(texts: Mapping[str, str], secret: bytes) -> list[int]:
    """Return keys as they are kept: signed 64-bit numbers.

    Keys of a record that share a birth date, a pair of names or a house share their
    upper half too, and so lie together where they are kept: a new record then touches
    half as many places of the index.

    Args:
        texts: each key in plain text, with what it shares (`Key`).
        secret: key of the hash.
    """
    whole, half = _begun(secret, _KEY_BYTES), _begun(secret, _HALF_BYTES)
    uppers = {near: _number(half, near) << _HALF_BITS for near in {*texts.values()}}
    return [
        uppers[near] | _number(whole, text) & _LOWER if near else _number(whole, text)
        for text, near in texts.items()
    ]


_KEY_BYTES, _HALF_BYTES, _HALF_BITS, _LOWER = 8, 4, 32, 0xFFFF_FFFF


@lru_cache(maxsize=4)
def _begun(secret: bytes, size: int) -> "blake2b":
    """Return a hash that has taken the secret and nothing else yet."""
    return blake2b(digest_size=size, key=secret)


def _number(begun: "blake2b", text: str) -> int:
    """Return the hash of a text as a signed number."""
    own = begun.copy()
    own.update(text.encode())
    return int.from_bytes(own.digest(), "big", signed=True)


def _any_order(birth: str) -> str:
    """Return what birth dates share whose day and month are exchanged."""
    return f"{birth[:4]}|{''.join(sorted(birth[4:]))}"


def _whole_name(pair: str, given: str, family: str) -> str:
    """Return the key of a whole name but for the middle initial, which follows."""
    return f"X|{pair}|{given}|{family}|"


def _pair(given: str, family: str) -> str:
    """Return how two names sound, whichever comes first."""
    return "|".join(sorted((_sound_given(given), _sound_family(family))))


def _sound_given(given: str) -> str:
    return phonetic(given)[:3]


def _sound_family(family: str) -> str:
    return phonetic(family)[:4]


def number_texts(traits: Traits) -> dict[str, str]:
    """Return by trait the keys in plain text of numbers that are looked up whole."""
    texts = {"ssn": f"S|{traits.ssn}", "phone": f"P|{traits.phone}"}
    return {trait: text for trait, text in texts.items() if getattr(traits, trait)}


def _number_keys(traits: Traits) -> Iterator[Key]:
    birth = traits.birth
    yield from dict.fromkeys(number_texts(traits).values(), "").items()
    if traits.last_four and birth:
        yield f"4|{traits.last_four}|{birth}", _any_order(birth)
    if traits.last_four and traits.family:
        yield f"5|{traits.last_four}|{phonetic(traits.family)}", ""


def _birth_keys(traits: Traits) -> Iterator[Key]:
    birth = traits.birth
    near = _any_order(birth)
    if traits.given:
        yield f"F|{birth}|{traits.given[0]}", near
    if traits.family:
        tokens = traits.family.split()
        for token in (tokens[0], tokens[-1]):
            yield f"L|{birth}|{phonetic(token)[:2]}", near
    initials = "".join(sorted(traits.given[:1] + traits.family[:1]))
    yield f"D|{near}|{initials}", near
    if traits.zip5 and not traits.given and not traits.family:
        yield f"Z|{birth}|{traits.zip5}", near


def _name_keys(traits: Traits, formal: Formal) -> Iterator[Key]:
    if not traits.given or not traits.family:
        return
    birth = traits.birth
    givens = (traits.given, *formal.get(traits.given, ())[:_FORMAL_NAMES])
    families = dict.fromkeys((traits.family, traits.family.split()[0]))
    for given, family in product(givens, families):
        pair = _pair(given, family)
        if birth:
            yield f"Y|{pair}|{birth[:4]}", pair
            yield f"M|{pair}|{birth[4:]}", pair
        if traits.zip5:
            yield f"N|{pair}|{traits.zip5}", pair
    pair = _pair(traits.given, traits.family)
    whole = _whole_name(pair, traits.given, traits.family)
    yield whole + traits.middle[:1], pair


def _place_keys(traits: Traits) -> Iterator[Key]:
    if not traits.number or not traits.street:
        return
    place = f"{traits.number}|{traits.street[:6]}"
    if traits.given:
        yield f"A|{place}|{traits.given[0]}", place
    if traits.family:
        yield f"C|{place}|{phonetic(traits.family)[:3]}", place
    if traits.birth:
        yield f"B|{place}|{traits.birth[:4]}", place

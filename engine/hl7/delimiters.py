"""The five or six characters a message separates its parts with."""

from dataclasses import dataclass
from typing import Final

from engine.errors import ParseError

ROLES: Final = ("component", "repetition", "escape", "subcomponent", "truncation")


@dataclass(frozen=True, slots=True)
class Delimiters:
    r"""Delimiters by role; a role the message does not define is ``""``.

    Spec:
        HL7 v2.9 chapter 2, 2.5.4 Message delimiters.

    Examples:
        >>> Delimiters("|", "^", "~", "\\", "&").encoding_characters
        '^~\\&'
    """

    field: str = "|"
    component: str = ""
    repetition: str = ""
    escape: str = ""
    subcomponent: str = ""
    truncation: str = ""

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as it is written."""
        return "".join(getattr(self, role) for role in ROLES)


STANDARD: Final = Delimiters("|", "^", "~", "\\", "&")
_CACHE: Final[dict[tuple[str, str, bool], Delimiters]] = {
    ("|", "^~\\&", False): STANDARD,
    ("|", "^~\\&", True): STANDARD,
}


def read_delimiters(field: str, encoding: str, *, truncates: bool) -> Delimiters:
    """Return the delimiters that MSH-1 and MSH-2 name.

    Args:
        field: MSH-1, one character.
        encoding: MSH-2; only the roles it gives exist, nothing is invented.
        truncates: the version is 2.7 or later, where a fifth role exists.

    Raises:
        ParseError: code 199, for a character that cannot be a delimiter.
    """
    if known := _CACHE.get((field, encoding, truncates)):
        return known
    used = encoding[: 5 if truncates else 4]
    for character in field + used:
        if character.isalnum() or not " " <= character < "\x7f":
            raise ParseError(
                "a delimiter in MSH-1 or MSH-2 is a letter, a digit, a control "
                "character or not ASCII",
                code="199",
                location="MSH^1^2",
            )
    if not used or len(set(field + used)) != 1 + len(used):
        raise ParseError(
            "MSH-2 is empty or names one delimiter twice",
            code="199",
            location="MSH^1^2",
        )
    return Delimiters(field, *used)

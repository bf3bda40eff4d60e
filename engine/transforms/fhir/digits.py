"""Numbers that leave with the digits they were sent with."""


class Digits(str):
    """A number as it was sent: ``7.50`` leaves as the JSON number ``7.50``."""

    __slots__ = ()

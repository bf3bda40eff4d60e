"""What is odd about a message is a value, never an exception."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark about a message, fit to be shown and counted: no patient data.

    ``code`` is a fixed word (``missing_cr``, ``charset_mismatch``), ``path`` an HL7
    path or empty.
    """

    code: str
    path: str = ""
    text: str = ""

"""Every error the engine raises, and what the engine does about each.

* EngineError
  x ConfigurationError       refuse to start or deploy; file, line, column and a hint
  x Hl7Error
    + FrameError             quarantine what was received, close the connection
    + ParseError             negative acknowledgment; the raw bytes to the error queue
  x TransformError           the message becomes ``error``, with stage and cause
  x JournalError             nothing was stored: no answer, stop reading, alarm
  x StoreError               the store is away: wait for it; no message is to blame
  x DeliveryError            one class for each kind of failure a receiver can cause
    + TransientError         again later, for ever; the lane waits
    + AmbiguousError         close and resend at most three times, then park
    + NotNowError            again at most ten times in an hour, then park
    + PermanentError         park at once
    + CredentialsError       pause the destination, page a person
  x IllegalTransitionError   a defect or a lost race; nothing is written

Two kinds of trouble are not errors: a finding (`engine.hl7.conformance`) is a value,
and a doubt about a person is a task in the mismatch queue.

Messages are sentences with the value that was wrong, never with patient data.
"""


class EngineError(Exception):
    """Base class: catching it catches everything raised on purpose."""


class ConfigurationError(EngineError):
    """A file in ``config/`` or an environment variable says something impossible.

    ``faults`` holds every fault found in the run, ready to print, one text each.
    """

    def __init__(self, sentence: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.faults = faults


class Hl7Error(EngineError):
    """The bytes are not what HL7 v2 allows."""


class FrameError(Hl7Error):
    """The byte stream cannot be cut into messages any more."""


class ParseError(Hl7Error):
    """A whole message arrived, but its header cannot be read.

    ``code`` is the HL7 table 0357 code to answer with, ``location`` an ERL such as
    ``MSH^1^9`` or empty.
    """

    def __init__(self, sentence: str, code: str = "100", location: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.location = location


class TransformError(EngineError):
    """A channel step could not make its result from this message.

    ``code`` is the stable cause (``table-miss``, ``trigger-not-mapped``, ...) that
    groups the error queue; ``label`` is the analyst's own word for it, or empty.
    """

    def __init__(self, sentence: str, code: str, label: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.label = label


class JournalError(EngineError):
    """The journal could not commit, so nothing may be acknowledged."""


class StoreError(EngineError):
    """The store cannot be reached, or cannot write at the moment."""


class DeliveryError(EngineError):
    """A document was not taken by its destination.

    ``code`` is the stable cause, ``status`` an HTTP status or 0, ``acknowledgment``
    an MSA-1 or empty, ``retry_after_seconds`` what the receiver asked for or 0.
    ``answer`` is what it said, as bytes to keep with the delivery and never to show.
    """

    def __init__(
        self,
        sentence: str,
        code: str,
        *,
        status: int = 0,
        acknowledgment: str = "",
        retry_after_seconds: float = 0.0,
        answer: bytes = b"",
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = status
        self.acknowledgment = acknowledgment
        self.retry_after_seconds = retry_after_seconds
        self.answer = answer


class TransientError(DeliveryError):
    """Not taken, and nothing is wrong with it: the receiver was out of reach."""


class AmbiguousError(DeliveryError):
    """Perhaps taken: the answer does not belong to what was sent."""


class NotNowError(DeliveryError):
    """Refused for a reason that passes, such as a locked record."""


class PermanentError(DeliveryError):
    """Refused for what it says; sending it again would not help."""


class CredentialsError(DeliveryError):
    """The receiver does not trust us, or we do not trust the receiver."""


class IllegalTransitionError(EngineError):
    """A worker or an operator asked for a move that the state table does not have."""

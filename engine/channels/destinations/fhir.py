"""Post FHIR Bundles to a server and read its answer without repeating patient data.

Spec:
    FHIR R4 (4.0.1), http.html: transaction and batch; OperationOutcome.
"""

from dataclasses import dataclass
from typing import Final

from engine.channels.destinations import Document, Receipt
from engine.channels.fhir_answers import batch_failure, outcome_in_words
from engine.channels.fhir_server import FHIR_JSON, tell_each, tell_parts
from engine.channels.posting import Poster, failure_of
from engine.transforms.fhir.bundle import SAID

_BELOW: Final = {"message": "/$process-message"}
_MARK: Final = f'"{SAID}"'.encode()


@dataclass(frozen=True, slots=True)
class FhirSender:
    """Posts what the worker rendered to the base of a FHIR server.

    A transaction whose entries say which parts they change is merged into what the
    server has; with mode ``single`` its resources go one by one.
    """

    poster: Poster
    mode: str = "transaction"

    async def send(self, document: Document) -> Receipt:
        """Return the server's answer when everything in the document was taken.

        Raises:
            DeliveryError: an entry of it was not; the type says what happens next.
        """
        content, may_leave = document.content, document.require_ours
        batch = self.mode == "batch"
        if self.mode == "single":
            return Receipt(*await tell_each(self.poster, content, may_leave))
        if _MARK in content:
            told = await tell_parts(self.poster, content, may_leave, batch=batch)
            return Receipt(*told)
        answer = await self.poster.send(
            content,
            FHIR_JSON,
            may_leave,
            below=_BELOW.get(self.mode, ""),
            headers={"Accept": FHIR_JSON, "Prefer": "return=minimal"},
        )
        failure = failure_of(answer, outcome_in_words)
        if failure is None and batch:
            failure = batch_failure(answer.body)
        if failure is not None:
            raise failure
        return Receipt(answer.body, note=f"HTTP {answer.status}")

    def close(self) -> None:
        """Close kept connections."""
        self.poster.client.close()

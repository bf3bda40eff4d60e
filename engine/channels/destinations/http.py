"""Post a rendered document to an address."""

from dataclasses import dataclass

from engine.channels.destinations import Document, Receipt
from engine.channels.posting import Poster, failure_of


@dataclass(frozen=True, slots=True)
class HttpSender:
    """Posts each document as it is; any 2xx takes it."""

    poster: Poster

    async def send(self, document: Document) -> Receipt:
        """Return the body of a 2xx answer.

        Raises:
            DeliveryError: any other answer, or none.
        """
        answer = await self.poster.send(
            document.content, document.content_type, document.require_ours
        )
        failure = failure_of(answer)
        if failure is not None:
            failure.answer = answer.body
            raise failure
        return Receipt(answer.body, note=f"HTTP {answer.status}")

    def close(self) -> None:
        """Close kept connections."""
        self.poster.client.close()

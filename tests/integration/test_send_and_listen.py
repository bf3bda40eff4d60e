"""The sender and the stand-in receivers over real sockets on this machine."""

import asyncio
import json
from datetime import UTC, datetime

from engine.peers.fhir_memory import Memory, serve
from engine.peers.receiving import Receiver
from engine.peers.sending import Feed, Sender
from engine.peers.synthetic import Plan, make_feed

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MESSAGES = [made.data for made in make_feed(Plan(patients=5, duplicates=0, days=1))]


def clock():
    return NOON


async def exchange(receiver, *, connections=1, **feed):
    server = await receiver.serve("127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tally = await Sender(Feed(MESSAGES, **feed), "127.0.0.1", port).run(connections)
    server.close()
    return tally


def test_every_message_is_answered_over_several_connections():
    receiver = Receiver(clock)

    tally = asyncio.run(exchange(receiver, connections=3, last=30))

    assert (tally.accepted, receiver.received, tally.lost) == (30, 30, [])


def test_refusals_are_counted_by_code():
    tally = asyncio.run(exchange(Receiver(clock, "AE"), last=3))

    assert (tally.codes["AE"], tally.accepted) == (3, 0)


def test_received_messages_are_kept_byte_for_byte(tmp_path):
    asyncio.run(exchange(Receiver(clock, save=tmp_path)))

    kept = [path.read_bytes() for path in sorted(tmp_path.iterdir())]

    assert kept == MESSAGES


def test_a_receiver_that_is_not_there_is_trouble_and_the_message_is_lost():
    sender = Sender(Feed(MESSAGES), "127.0.0.1", 9)

    tally = asyncio.run(sender.run())

    assert tally.lost == [1]
    assert "Connect call failed" in tally.trouble


async def ask(memory, *requests):
    server = await serve(memory, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for head, body in requests:
        writer.write(b"%s\r\nContent-Length: %d\r\n\r\n%s" % (head, len(body), body))
        answer = await reader.readuntil(b"\r\n\r\n")
        size = int(answer.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        answers.append((answer[9:12], json.loads(await reader.readexactly(size))))
    writer.close()
    server.close()
    return answers


def test_the_fhir_stand_in_answers_several_requests_on_one_connection():
    bundle = b'{"resourceType":"Bundle","type":"transaction","entry":[]}'

    answers = asyncio.run(
        ask(
            Memory(),
            (b"POST /fhir HTTP/1.1", bundle),
            (b"POST /fhir/ HTTP/1.1", b"{broken"),
            (b"GET /fhir/metadata HTTP/1.1", b""),
        )
    )

    assert [status for status, _ in answers] == [b"200", b"400", b"200"]
    assert answers[0][1]["type"] == "transaction-response"

"""``interop alerts``: incidents, rules, and who is told."""

import rich_click as click

from engine.cli.invocation import Exit, Group, Stop, now
from engine.cli.output import emit, emit_one
from engine.cli.site import order, site, store

COLUMNS = ["id", "severity", "sentence", "opened_at", "acknowledged_by"]


@click.group("alerts", cls=Group)
def alerts_command() -> None:
    """Open incidents, the rules, and who is told."""


@alerts_command.command("list")
@click.option("--ended", is_flag=True, help="Those that are over.")
def list_incidents(*, ended: bool) -> None:
    """List open incidents, the gravest first."""
    from dataclasses import asdict

    from engine.store import incidents

    ask = incidents.ended_incidents if ended else incidents.open_incidents
    with store() as database, database.reading() as connection:
        found = ask(connection)
    emit((asdict(each) for each in found), COLUMNS)


@alerts_command.command("rules")
def list_rules() -> None:
    """List the rules of channels, and how often each would have fired in 7 days."""
    from dataclasses import asdict

    from engine.channels.alerts.gather import past_of
    from engine.channels.alerts.past import asks_closer
    from engine.channels.alerts.preview import rules_of

    loaded, at = site(), now()
    ruled = [each for each in loaded.channels if each.alerts]
    rows = []
    with store() as database, database.reading() as connection:
        for each in ruled:  # one at a time: the minutes of all are too many
            closer = [each.name] if asks_closer(each) else []
            past = past_of(connection, loaded.settings, [each], closer, at)
            rows += rules_of([each], past)
    columns = ["channel", "condition", "during", "severity", "notify", "fired"]
    columns += ["remark", "untold"]
    emit((asdict(each) for each in rows), columns)


@alerts_command.command("ack")
@click.argument("number", type=int)
@click.option("--reason", default="", help="A note, shown beside it.")
def acknowledge(number: int, reason: str) -> None:
    """Note that you see to an incident."""
    from engine.store import incidents

    with store() as database, database.engine() as connection:
        done = incidents.acknowledge(connection, database.sealer, number, order(reason))
    _told(number, done=done, what="acknowledged")


@alerts_command.command("snooze")
@click.argument("number", type=int)
@click.option("--for", "length", default="1h", show_default=True, help="Like 30m.")
def snooze(number: int, length: str) -> None:
    """Say nothing of an incident for a while."""
    from engine.settings import read_duration
    from engine.store import incidents

    quiet = read_duration(length)
    if quiet is None:
        raise Stop(f"{length} is no duration", Exit.USAGE, "write it like 30m")
    with store() as database, database.engine() as connection:
        asked = order("")
        until = asked.now + quiet
        done = incidents.snooze(connection, database.sealer, number, until, asked)
    _told(number, done=done, what="snoozed")


@alerts_command.command("escalate")
@click.argument("number", type=int)
@click.argument("contact")
@click.option("--reason", default="", help="Kept in the audit trail.")
def escalate(number: int, contact: str, reason: str) -> None:
    """Have one more contact told of an incident, now and when it ends."""
    from engine.store import incidents

    if contact not in site().settings.contacts:
        raise Stop(f"there is no contact {contact}", Exit.USAGE, "see [contacts]")
    with store() as database, database.engine() as connection:
        sealer = database.sealer
        done = incidents.escalate(connection, sealer, number, contact, order(reason))
    _told(number, done=done, what="escalated")


@alerts_command.command("test")
@click.argument("contact")
def test(contact: str) -> None:
    """Tell a contact now that this is a test; every target that refuses is named."""
    from engine.channels.alerts.notify import tell
    from engine.channels.alerts.settings import alert_settings
    from engine.store.incidents import trial_notice

    read = alert_settings(site().settings)
    if contact not in read.targets:
        raise Stop(f"there is no contact {contact}", Exit.USAGE, "see [contacts]")
    settled = tell(trial_notice(contact, now()), read, now())
    emit_one(
        {
            "contact": contact,
            "sent": settled.state == "sent",
            "refused": settled.trouble,
        }
    )
    if settled.state != "sent":
        raise Stop(f"{contact} was not told", Exit.UNREACHABLE, settled.trouble)


def _told(number: int, *, done: bool, what: str) -> None:
    if not done:
        raise Stop(f"incident {number} is over, or there is none", Exit.PROBLEMS)
    emit_one({"incident": number, what: True})

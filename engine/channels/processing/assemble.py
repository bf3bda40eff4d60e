"""From a checked site to the lines that process its messages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from engine.channels.format.cda_site import cda_site, engine_version
from engine.channels.format.channel import Channel, MapSwitches
from engine.channels.format.load import Site
from engine.channels.format.matching_models import Matching
from engine.channels.processing.finish import Desk
from engine.channels.processing.identify import check_traits
from engine.channels.processing.outcomes import SYSTEMS
from engine.channels.processing.person_patient import Persons
from engine.channels.processing.prepare import Feed
from engine.channels.processing.steps import StepRunner
from engine.identity.registration import Assigner, Category, Policy, Reading
from engine.identity.traits import TEST_NAMES
from engine.settings import Settings
from engine.store.claims import Claimed
from engine.transforms.code_tables import CodeTable
from engine.transforms.fhir.mapped import Lookup, MapContext, MapOptions

AUTHORITIES: Final = "assigning-authority"


@dataclass(frozen=True, slots=True)
class Line:
    """One channel as a worker runs it: the two halves of its processing."""

    feed: Feed
    desk: Desk


def lines_of(site: Site) -> dict[str, Line]:
    """Return what processes each channel of a site."""
    return {channel.name: line_of(site, channel) for channel in site.channels}


def line_of(site: Site, channel: Channel) -> Line:
    """Return what processes one channel's messages under its revision.

    Raises:
        ConfigurationError: ``identity.traits`` names something that is no trait.
    """
    check_traits(channel.identity)
    return Line(_feed(channel, site.settings), _desk(channel, site))


def _feed(channel: Channel, settings: Settings) -> Feed:
    steps = settings.folder / "steps"
    tables = {name: _plain(table) for name, table in channel.tables.items()}
    return Feed(
        channel,
        channel.time_zone or settings.zone,
        _contexts(channel, settings),
        StepRunner(steps, tables) if steps.is_dir() else None,
    )


def _desk(channel: Channel, site: Site) -> Desk:
    return Desk(
        channel,
        reading_of(channel, site.matching),
        site.models[channel.identity.model],
        persons_of(site, channel),
        site.settings.folder.resolve(),
        cda_site(site.settings, channel.tables),
    )


def persons_of(site: Site, channel: Channel) -> Persons:
    """Return how persons become Patients of a channel's destinations."""
    assigners = assigners_of(channel.tables.get(AUTHORITIES))
    ranks = tuple(
        assigners[name].key if name in assigners else name
        for name in site.matching.source_rank
    )
    return Persons(site.settings.site, site.settings.identity_system, ranks)


def _plain(table: CodeTable) -> dict[str, str]:
    """Return a table as code to meaning, its first row for each code."""
    return {code: rows[0].values["to"] for code, rows in table.rows.items()}


# ---- map ----


def _contexts(channel: Channel, settings: Settings) -> Callable[[Claimed], MapContext]:
    """Return what makes the map context of a message.

    The map remembers what words mean as long as it is given the same lookups, so they
    are made once a day: rows of a code table hold on days.
    """
    options = _options(channel.map_options)

    @lru_cache(maxsize=4)
    def lookups(day: date) -> tuple[Lookup, Lookup]:
        at = datetime.combine(day, time(), UTC)
        return (
            lambda word: _found(channel.tables, AUTHORITIES, (word,), at),
            lambda word: _found(
                channel.tables, SYSTEMS, (f"{channel.name}:{word}", word), at
            ),
        )

    def context(claimed: Claimed) -> MapContext:
        received_at = claimed.row.received_at
        authority, system = lookups(received_at.date())
        return MapContext(
            settings.site,
            channel.name,
            channel.time_zone,
            received_at,
            authority,
            system,
            options,
            f"urn:id:{settings.site}:message:{claimed.row.id}",
            engine_version(),
        )

    return context


def _found(
    tables: Mapping[str, CodeTable], name: str, words: Sequence[str], at: datetime
) -> str | None:
    table = tables.get(name)
    if table is None:
        return None
    for word in words:
        found = table.lookup(word, at=at)
        if found is not None:
            return found
    return None


def _options(switches: MapSwitches) -> MapOptions:
    return MapOptions(
        snapshot=switches.snapshot,
        text_lines=switches.text_lines,
        a04_status=switches.a04_status,
        merge=switches.merge,
        source_message=switches.source_message,
        documents=switches.documents,
        identifier=switches.identifier,
        profile=switches.profile,
        unknown_trigger=switches.unknown_trigger,
        z={
            path: {"url": each.url, "type": each.type}
            for path, each in switches.z.items()
        },
    )


# ---- identity ----


def reading_of(channel: Channel, matching: Matching) -> Reading:
    """Return how a channel reads the patients of its messages."""
    doubt = channel.identity.on_doubt
    holds = {
        Category.DUPLICATE: doubt.duplicate,
        Category.OVERLAP: doubt.overlap,
        Category.OVERLAY: doubt.overlay,
        Category.CONFLICTING_MERGE: doubt.conflicting_merge,
    }
    policy = Policy(
        frozenset(category for category, wanted in holds.items() if wanted == "hold"),
        channel.identity.merge_events == "apply",
    )
    return Reading(
        assigners_of(channel.tables.get(AUTHORITIES)),
        channel.identity.unknown_authority == "hold",
        (*TEST_NAMES, *matching.test_patients),
        policy,
        tuple(map(str.upper, matching.vip_codes)),
    )


def assigners_of(table: CodeTable | None) -> Mapping[str, Assigner]:
    """Return authorities by namespace, OID and URI."""
    found: dict[str, Assigner] = {}
    for code, rows in ({} if table is None else table.rows).items():
        values = rows[0].values
        assigner = Assigner(values["to"], values.get("type", ""))
        names = (code, values.get("oid", ""), values["to"])
        found |= dict.fromkeys(filter(None, names), assigner)
    return MappingProxyType(found)

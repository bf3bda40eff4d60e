"""What a caller of the console or its API may do, and the roles that bundle it.

Spec:
    security.md S10; console.md S14.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from engine.hl7.masking_profile import NOTHING, MaskingProfile
from engine.store.accounts import EVERY_TAG

Channels = frozenset[str] | None
"""The channels that somebody may see; None is all, those of the past among them."""


class Permission(StrEnum):
    """One thing that may be allowed; what is not listed for a caller is denied."""

    VIEW_METADATA = "view-metadata"
    VIEW_PHI = "view-phi"
    VIEW_CONFIDENTIAL = "view-confidential"
    REPLAY = "replay"
    EDIT = "edit"
    WORK_IDENTITY = "work-identity"
    DEPLOY = "deploy"
    ADMINISTER = "administer"
    READ_AUDIT = "read-audit"
    READ_METRICS = "read-metrics"


SAID: Final[Mapping[Permission, str]] = MappingProxyType(
    {
        Permission.VIEW_METADATA: "see channels, messages and queues, patients masked",
        Permission.VIEW_PHI: "see patient data; each opening is written down",
        Permission.VIEW_CONFIDENTIAL: "see persons marked confidential",
        Permission.REPLAY: "retry, resend, release and discard",
        Permission.EDIT: "change channels and code tables",
        Permission.WORK_IDENTITY: "decide who is who",
        Permission.DEPLOY: "put a configuration to use",
        Permission.ADMINISTER: "keep accounts, roles and tokens",
        Permission.READ_AUDIT: "read who did and saw what",
        Permission.READ_METRICS: "read the metrics of this node",
    }
)


class Role(StrEnum):
    """Named bundles of permissions."""

    OPERATOR = "operator"
    ANALYST = "analyst"
    STEWARD = "steward"
    RECORDS = "records"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    READ_ONLY = "read-only"


_SEES: Final = Permission.VIEW_METADATA
ROLES: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.OPERATOR: frozenset({_SEES, Permission.REPLAY}),
        Role.ANALYST: frozenset({_SEES, Permission.EDIT, Permission.DEPLOY}),
        Role.STEWARD: frozenset({_SEES, Permission.VIEW_PHI, Permission.WORK_IDENTITY}),
        Role.RECORDS: frozenset({_SEES, Permission.VIEW_PHI}),
        Role.AUDITOR: frozenset({_SEES, Permission.READ_AUDIT}),
        Role.ADMINISTRATOR: frozenset({_SEES, Permission.ADMINISTER}),
        Role.READ_ONLY: frozenset({_SEES}),
    }
)
FORMER: Final = MappingProxyType({"him": "steward"})
"""Roles that had another name."""

PROFILE: Final = "profile:"
"""How a grant of a masking profile begins: `engine.console.masking`."""

REVEALING: Final = frozenset({Permission.VIEW_PHI, Permission.VIEW_CONFIDENTIAL})
_SHOWN_TO_HOLDERS: Final = REVEALING | {Permission.READ_AUDIT}


def permitted(grants: Iterable[str]) -> frozenset[Permission]:
    """Return what roles and permissions together allow; other words allow nothing.

    Examples:
        >>> sorted(permitted(["read-only", "replay"]))
        [<Permission.REPLAY: 'replay'>, <Permission.VIEW_METADATA: 'view-metadata'>]
    """
    given = set(grants)
    found = {each for each in Permission if each in given}
    for role in Role:
        if role in given:
            found |= ROLES[role]
    return frozenset(found)


def grants_of(words: Iterable[str]) -> list[str]:
    """Return roles, permissions and masking profiles by their names of today.

    Raises:
        ValueError: with the word that is none of them.
    """
    named = [FORMER.get(each, each) for each in words]
    for each in named:
        if each not in set(Role) | set(Permission) and not each.startswith(PROFILE):
            raise ValueError(each)
    return sorted(set(named))


def channels_of(
    tags: Collection[str], tagged: Mapping[str, Collection[str]]
) -> Channels:
    """Return the channels that have one of these tags; None for every one.

    A channel that is configured no more has no tag: only who sees all sees it.

    Examples:
        >>> channels_of({"lab"}, {"oru": {"lab"}, "adt": set()})
        frozenset({'oru'})
    """
    if EVERY_TAG in tags:
        return None
    return frozenset(name for name, its in tagged.items() if set(its) & set(tags))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: ``name`` is what the audit trail keeps.

    ``profile`` is what they see of messages whose patient they may not see.
    """

    name: str
    permissions: frozenset[Permission]
    channels: Channels = None
    profile: MaskingProfile = NOTHING

    def may(self, permission: Permission) -> bool:
        """Whether this was granted."""
        return permission in self.permissions

    def sees(self, channel: str) -> bool:
        """Whether what is of this channel may be shown."""
        return self.channels is None or channel in self.channels


def as_role(
    permissions: frozenset[Permission], role: Role | None
) -> frozenset[Permission]:
    """Return what the view of a role shows: of patients and audit nothing new."""
    if role is None:
        return permissions
    return ROLES[role] - (_SHOWN_TO_HOLDERS - permissions)


def in_this_light(
    permissions: frozenset[Permission], *, glass: bool, masked: bool
) -> frozenset[Permission]:
    """Return what stays when patients are masked, or is added in an emergency."""
    if masked:
        return permissions - REVEALING
    return permissions | REVEALING if glass else permissions

"""What a caller of the console or its API may do, and the roles that bundle it.

Spec:
    security.md S10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


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


class Role(StrEnum):
    """Named bundles of permissions."""

    OPERATOR = "operator"
    ANALYST = "analyst"
    HIM = "him"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


_SEES: Final = Permission.VIEW_METADATA
ROLES: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.OPERATOR: frozenset({_SEES, Permission.REPLAY}),
        Role.ANALYST: frozenset({_SEES, Permission.EDIT, Permission.DEPLOY}),
        Role.HIM: frozenset({_SEES, Permission.VIEW_PHI, Permission.WORK_IDENTITY}),
        Role.ADMINISTRATOR: frozenset({_SEES, Permission.ADMINISTER}),
        Role.AUDITOR: frozenset({_SEES, Permission.READ_AUDIT}),
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: ``name`` is what the audit trail keeps."""

    name: str
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Whether this was granted."""
        return permission in self.permissions

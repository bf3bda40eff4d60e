"""Copies of the store: which there are, another one, and whether one is whole.

Spec:
    console.md S16 and 6; cli.md 3 (backup).
"""

from starlette.requests import Request
from starlette.responses import Response

from engine.console.api import access_models, models
from engine.console.api.orders import Reasoned, answered, carried_out
from engine.console.pages.system import copied, damages
from engine.console.surroundings import surroundings
from engine.store import backup

Backups = models.Listed[access_models.Backup]


def backups(request: Request) -> Backups:
    """List the backups of the embedded store, newest first."""
    found = backup.listed(surroundings(request).settings.backups)
    return Backups(items=[access_models.Backup.model_validate(each) for each in found])


def create(request: Request, asked: Reasoned) -> Response:
    """Copy the store as it is now; the key is not in the copy.

    It takes long, so the copy is made first and its answer kept under the key after: a
    console that dies between the two has made a backup which the key does not name.
    """
    earlier = answered(request, asked)
    if earlier is not None:
        return earlier
    made = access_models.Backup.model_validate(copied(request, asked.reason))
    return carried_out(request, asked, lambda *_: made)


def verify(request: Request, name: str) -> access_models.Looked:
    """Open a copy of a backup and look at every row."""
    return access_models.Looked(name=name, faults=damages(request, name))

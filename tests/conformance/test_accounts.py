"""What every database must do with accounts."""

from threading import Thread

from engine.errors import IllegalTransitionError
from engine.store import accounts
from tests.stored import OPERATOR, ask


def test_of_two_administrators_who_remove_each_other_at_once_one_stays(store):
    refused = []

    def remove(name):
        try:
            with store.engine() as connection:
                accounts.disable(connection, store.sealer, name, OPERATOR)
        except IllegalTransitionError as error:
            refused.append(str(error))

    with store.engine() as connection:
        for name in ("ana", "eve"):
            grants = ["administrator"]
            accounts.create(connection, store.sealer, name, grants, ["*"], OPERATOR)
    other = Thread(target=remove, args=("ana",))
    with store.engine() as connection:
        accounts.disable(connection, store.sealer, "eve", OPERATOR)
        other.start()
        other.join(0.5)
    other.join()

    assert [each.name for each in ask(store, accounts.administrators)] == ["ana"]
    assert refused == ["ana is the last administrator, and one must stay"]

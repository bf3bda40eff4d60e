"""Block keys of one record lie together. Pre-deploy; 0021 writes them."""

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Do nothing: every record would be read twice."""

"""Let ``python -m engine.cli`` be the interop command."""

from engine.cli import main

if __name__ == "__main__":
    main()

"""`python -m antiphon.cli`: how the suite starts its parts, whatever is on PATH."""

from antiphon.cli.entry import main

if __name__ == "__main__":
    main()

"""`python -m dvp_core` is the `dvp` command, also where its folder is not on the search path."""

from dvp_core.cli import main

if __name__ == "__main__":
    main()

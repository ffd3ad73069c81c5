"""`python -m chejil` is `chejil`."""

from chejil.cli import main

if __name__ == "__main__":
    main()

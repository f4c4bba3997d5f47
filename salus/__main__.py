"""`python -m salus` is `salus`."""

from salus.cli import main

if __name__ == "__main__":
    main()

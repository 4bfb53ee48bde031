"""`python -m proxy` is `hedgerow`."""

from proxy.cli import main

if __name__ == "__main__":
    main()

"""`python -m trainstation` is the command `trainstation`."""

from trainstation.cli import main

if __name__ == "__main__":
    main()

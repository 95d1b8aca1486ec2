"""`python -m trainstation` is the command `trainstation`."""

from trainstation_optim import main

if __name__ == "__main__":
    main()

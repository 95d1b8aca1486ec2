"""The colours and line styles of all pictures."""

__all__ = ["COLOURS", "STYLES"]

# Okabe and Ito's colours, which the colour-blind can tell apart; line styles go on where they end.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":", "-.")

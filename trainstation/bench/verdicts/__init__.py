"""What the rows allow to say of optimizers."""

"""Short programs that train something: `python -m trainstation.examples` lists them."""

"""torch's function for each operation of the table: operation -> function(*inputs, **options); one file a family."""

from importlib import import_module
from pkgutil import iter_modules

FAMILIES = [import_module(f"references.{each.name}") for each in iter_modules(__path__)]
REFERENCES = {name: function for family in FAMILIES for name, function in family.REFERENCES.items()}

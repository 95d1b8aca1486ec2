"""The report: all rows of a folder as one page that needs no network and, but for sorting, no script."""

from trainstation.bench.report.page.write import save_figures, write

__all__ = ["save_figures", "write"]

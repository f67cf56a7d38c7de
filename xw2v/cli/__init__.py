"""The command line: the only place that prints, asks or exits.

Results go to standard output, progress and errors to standard error. Exit status: 0 done, 1 failed,
2 wrong usage, 130 interrupted and 143 terminated (what was learned is saved). A module holds the commands about one
noun.
"""

from xw2v.cli.app import app, main

__all__ = ["app", "main"]

"""Benches: one question a file; `python -m bench.<file>`. Each appends its figures to results/*.csv."""

"""Rows and queries, no rules. Functions take a connection and never commit.

A room per group of `tables`: `stock`, `publishing`, `receiving`, `configuration`, `people`
and `watching`. Beside them is what all of them stand on: `engine` and `driver`, `leases`,
statements for many rows (`bulk`), lists read page by page (`keyset`), sealing (`vault`),
and what is said of a database in `trouble`.
"""

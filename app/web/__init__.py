"""HTTP in, HTTP out: nothing about stock is decided here."""

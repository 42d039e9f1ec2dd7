"""The stock itself: lines, levels, ledger, holds, kits, and what a SKU is called."""

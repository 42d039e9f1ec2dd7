"""Why a number is what it is, and the proof that the ledger holds."""

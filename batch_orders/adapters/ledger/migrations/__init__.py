"""The schema's versions, and how a ledger comes from one to the next."""

"""Outside things, one file each: sheets, Device Hub, the ledger, the pace, the results."""

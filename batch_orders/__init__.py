"""batch-orders: a new-hire sheet becomes Device Hub orders, each sent at most once, none lost."""

__version__ = "0.1.0"

__all__ = ["__version__"]

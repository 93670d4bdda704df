"""Several machines ordering through one account, as network namespaces of this one."""
